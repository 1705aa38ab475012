"""A model with all that a training from a page leaves: its text, its tokens, its saved steps."""

import json
import shutil
from pathlib import Path

from tests.support.tiny_checkpoint import save_characters
from train.data.prepare import prepare
from train.data.texts import Text

TALE = "One fine day the old grey cat sat on the warm wall and slept. Nobody saw it."
PATH = "/secret/path"


def begin(
    folder: Path, owner: str, *, shared: bool = False, about: dict[str, str] | None = None
) -> Path:
    """A run in `folder`, as `owner` would have begun it."""
    text, valid = folder / "text.txt", folder / "valid.txt"
    folder.mkdir(parents=True)
    text.write_text(f"{TALE}\n<|endoftext|>\n")
    valid.write_text("The end.")
    prepare([Text(path=text, valid=valid)], folder / "data", kind="char")
    said = {
        "data": json.loads((folder / "data" / "data.json").read_text()),
        "command": f"python -m train.pretrain --data {PATH}",
        "from": {"name": "parent"},
    }
    save_characters(folder / "best", letters=TALE + "The end.\n", **said)
    shutil.copytree(folder / "best", folder / "steps" / "000001")
    (folder / "best" / "README.md").write_text(f"It began with: {TALE}")
    (folder / "metrics.jsonl").write_text('{"step": 1, "val_loss": 2.5}\n')
    page = {"owner": owner, "shared": shared, "title": "t", "plan": {"steps": 5}, "halted": None}
    (folder / "page.json").write_text(json.dumps({**page, **(about or {})}))
    return folder
