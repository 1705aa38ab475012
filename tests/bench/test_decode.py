"""The measurement of decoding: all write the same story, and the line of JSON has its shape."""

import json
import math
from pathlib import Path

import pytest
import torch

from bench import decode, workload, writers
from bench.gguf_files import neighbours, write_gguf
from bench.reading import Reading
from gpt import checkpoint

THREADS = 1


@pytest.fixture(params=workload.MODELS)
def work(request) -> workload.Work:
    return workload.load(request.param, quick=True, prompt_tokens=5, new_tokens=20)


def written(writer: writers.Writer) -> list[int]:
    assert writer() > 0
    ids = writer.written  # pyright: ignore[reportAttributeAccessIssue]
    writer.close()
    assert len(ids) == 20
    return ids


def test_the_loop_without_a_cache_writes_our_text(work) -> None:
    ours = written(writers.Ours(work, "float32", THREADS))
    assert written(writers.NoCache(work, THREADS)) == ours
    assert len(set(ours)) > 1


def test_transformers_writes_our_text_from_the_same_folder(work, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    checkpoint.save(tmp_path, work.model, work.tokenizer, card="", training={})
    theirs = written(writers.Transformers(work, tmp_path, "float32", THREADS))
    assert theirs == written(writers.Ours(work, "float32", THREADS))


def test_llama_cpp_writes_our_text_from_the_same_weights(work, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    write_gguf(work.model, tmp_path / "model.gguf", "float32")
    theirs = written(writers.LlamaCpp(work, tmp_path / "model.gguf", THREADS))
    assert theirs == written(writers.Ours(work, "float32", THREADS))


def test_rows_of_q_are_reordered_so_that_halves_become_neighbours() -> None:
    rows = torch.arange(8.0)[:, None]  # two heads of four channels
    assert neighbours(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_as_many_bytes_are_read_as_a_token_needs_from_the_weights(work) -> None:
    reading = Reading(work, "bfloat16", 2)
    matrices = sum(p.numel() for p in work.model.parameters() if p.dim() == 2)
    if work.model.positions is not None:
        matrices -= work.model.positions.weight.numel()  # one row of them is read
    assert reading.bytes == 2 * matrices
    assert sum(share.nbytes for share in reading._shares) == reading.bytes
    assert reading() > 0
    reading.close()


def test_the_last_line_has_every_ratio_even_where_packages_are_missing(
    monkeypatch, capsys, tmp_path: Path
) -> None:
    def not_here(*_: object, **__: object) -> None:
        raise ImportError

    monkeypatch.setattr(decode, "Transformers", not_here)
    monkeypatch.setattr(decode, "LlamaCpp", not_here)
    png = tmp_path / "speeds.png"
    decode.main(["--quick", "--rounds", "1", "--threads", "1", "--picture", str(png)])
    assert png.read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out.splitlines()
    assert any("a package is missing: transformers, xllamacpp" in line for line in said)
    result = json.loads(said[-1])
    for name in workload.MODELS:
        assert result["ratio"][name] == result["threads"]["1"][name]
        assert result["ratio"][name]["transformers"] == {"float32": None, "bfloat16": None}
        assert set(result["ratio"][name]["llama.cpp"]) == {"float32", "bfloat16", "int8"}
        assert result["ratio"][name]["no_cache"] > 0
        assert result["sampling"][name] > 0
    assert result["busy"] == {"llama.cpp": None}
    assert math.isclose(result["limit"], min(result["limits"].values()))
