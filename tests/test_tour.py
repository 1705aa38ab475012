"""docs/tour.ipynb: it runs from top to bottom, and what it shows is what a run shows."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

TOUR = Path(__file__).parents[1] / "docs" / "tour.ipynb"


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell: NotebookNode) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def test_the_outputs_stored_are_of_one_run_and_name_no_place_on_a_disk() -> None:
    notebook = nbformat.read(TOUR, as_version=4)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type in ("stream", "display_data", "execute_result")
            assert output.get("name") != "stderr"
        assert not re.search(r"/(home|root|Users|tmp|work|opt)/|[A-Z]:\\", printed(cell))
    pictures = [o for cell in cells for o in cell.outputs if "image/png" in o.get("data", {})]
    assert len(pictures) == 2


@pytest.mark.slow
def test_every_cell_runs_and_shows_what_is_stored() -> None:
    stored = nbformat.read(TOUR, as_version=4)
    fresh = nbformat.read(TOUR, as_version=4)
    place = {"metadata": {"path": str(TOUR.parent)}}
    NotebookClient(fresh, timeout=600, kernel_name="python3", resources=place).execute()
    before, after = code_cells(stored), code_cells(fresh)
    learning = next(i for i, cell in enumerate(before) if "logits" in cell.source)
    # From the model on, the last digits are the machine's.
    for old, new in zip(before[:learning], after[:learning], strict=True):
        assert printed(new) == printed(old)
    (losses,) = [printed(cell) for cell in after if "optimizer.step()" in cell.source]
    held_out = [float(number) for number in re.findall(r"([\d.]+) held out", losses)]
    assert held_out[-1] < 1.8 < held_out[0]
