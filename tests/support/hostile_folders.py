"""Model folders that somebody damaged or forged, drawn from a seed, and a process that opens one.

Each way to spoil a folder is a function that changes a good one in place. The process that opens it
has a bound on its memory and its time, and tells what came of it: so that a hang, a crash or a full
memory is a finding and not the end of the test.
"""

import json
import os
import pickle
import random
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

Spoil = Callable[[Path, random.Random], None]
JSON_FILES = ("config.json", "tokenizer.json", "training.json", "generation_config.json")
MB = 1_000_000
LIMIT_MB = 500
LIMIT_S = 2.0


class Canary:
    """What a pickle would run when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("canary",)


def change(folder: Path, name: str, **values: Any) -> None:
    """Set values of a JSON file; a name goes deeper with each `__`."""
    whole = json.loads((folder / name).read_text())
    for key, value in values.items():
        *path, last = key.split("__")
        place = whole
        for step in path:
            place = place[step]
        place[last] = value
    (folder / name).write_text(json.dumps(whole))


def with_header(folder: Path, header: object, data: bytes = b"", length: int | None = None) -> None:
    raw = json.dumps(header).encode()
    size = len(raw) if length is None else length
    (folder / "model.safetensors").write_bytes(size.to_bytes(8, "little") + raw + data)


def header_of(folder: Path) -> tuple[dict[str, Any], bytes]:
    data = (folder / "model.safetensors").read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def deep(folder: Path, draw: random.Random) -> None:
    count = draw.choice([500, 2_000, 100_000])
    opening, closing = draw.choice([("[", "]"), ('{"a":', "}")])
    text = '{"a":' + opening * count + "1" + closing * count + "}"
    (folder / draw.choice(("config.json", "tokenizer.json"))).write_text(text)


def long_number(folder: Path, draw: random.Random) -> None:
    name = draw.choice(("config.json", "tokenizer.json"))
    text = (folder / name).read_text()
    (folder / name).write_text('{"x": ' + "9" * draw.choice([5_000, 300_000]) + "," + text[1:])


def no_json(folder: Path, draw: random.Random) -> None:
    name = draw.choice(("config.json", "tokenizer.json"))
    text = (folder / name).read_bytes()
    broken = [
        *(b"\xef\xbb\xbf" + text, b'{"x": NaN,' + text[1:], b'{"x": 1e999,' + text[1:]),
        *(b'{"x": 1, "x": 2,' + text[1:], text[:-3], b"\xff\xfe" + text, b"", b"[1]", b"null"),
        text.decode().encode("utf-16"),
    ]
    (folder / name).write_bytes(draw.choice(broken))


def pipe(folder: Path, draw: random.Random) -> None:
    name = draw.choice(("config.json", "tokenizer.json", "model.safetensors"))
    (folder / name).unlink()
    os.mkfifo(folder / name)


def folder_for_file(folder: Path, draw: random.Random) -> None:
    name = draw.choice(("config.json", "tokenizer.json", "model.safetensors"))
    (folder / name).unlink()
    (folder / name).mkdir()


def link_out(folder: Path, draw: random.Random) -> None:
    name = draw.choice(("config.json", "tokenizer.json", "model.safetensors"))
    (folder / name).unlink()
    outside = ["/dev/zero", "/dev/stdin", "/proc/self/environ", "/etc/passwd", name, "../nowhere"]
    (folder / name).symlink_to(draw.choice(outside))


def sparse(folder: Path, draw: random.Random) -> None:
    name = draw.choice(("config.json", "tokenizer.json", "model.safetensors"))
    os.truncate(folder / name, draw.choice([2_000, 200]) * MB)


def many_tensors(folder: Path, draw: random.Random) -> None:
    shape: dict[str, Any] = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    with_header(folder, {f"t{i}": shape for i in range(draw.choice([30_000, 300_000]))})


def odd_header(folder: Path, draw: random.Random) -> None:
    header, data = header_of(folder)
    name = draw.choice([name for name in header if name != "__metadata__"])
    entry = header[name]
    start, end = entry["data_offsets"]
    header[name] = draw.choice(
        [
            *({**entry, "data_offsets": [start + 4, end + 4]}, {**entry, "data_offsets": [0, 4]}),
            {**entry, "data_offsets": [-4, end]},
            {**entry, "data_offsets": [start, 1 << 62]},
            {**entry, "shape": [1 << 40, 1 << 40]},
            {**entry, "shape": [-1]},
            {**entry, "dtype": draw.choice(["F4", "I8", "BOOL", "", 7])},
            *([], None, "x", {}),
        ]
    )
    with_header(folder, header, data)


def odd_length(folder: Path, draw: random.Random) -> None:
    header, data = header_of(folder)
    with_header(folder, header, data, draw.choice([0, 1, 7, 10**6, 10**9, (1 << 64) - 1]))


def giant_config(folder: Path, draw: random.Random) -> None:
    wide = {"hidden_size": 1 << 16, "intermediate_size": 1 << 18, "n_embd": 1 << 16}
    size = draw.choice([wide, {"vocab_size": 1 << 21}])
    change(folder, "config.json", **{**size, "num_hidden_layers": 1 << 10, "n_layer": 1 << 10})


def odd_config(folder: Path, draw: random.Random) -> None:
    values: list[dict[str, Any]] = [
        *({"rms_norm_eps": 1e300}, {"rms_norm_eps": "1e-6"}, {"rms_norm_eps": -1.0}),
        *({"tie_word_embeddings": "no"}, {"tie_word_embeddings": 1}, {"vocab_size": "300"}),
        *({"vocab_size": True}, {"num_hidden_layers": 1.0}, {"rope_theta": 1e300}),
        *({"rope_parameters": "x"}, {"rope_scaling": [1]}, {"hidden_act": ["silu"]}),
        *({"attention_bias": 0}, {"model_type": ["llama"]}, {"auto_map": {}}, {"head_dim": 7}),
        {"max_position_embeddings": 1 << 18, "head_dim": 1 << 10},
        {"num_attention_heads": None},
    ]
    change(folder, "config.json", **draw.choice(values))


def pickled(folder: Path, draw: random.Random) -> None:
    name = draw.choice(("config.json", "tokenizer.json", "model.safetensors"))
    (folder / name).write_bytes(pickle.dumps(Canary()))


def shards(folder: Path, draw: random.Random) -> None:
    names = ["model-1.safetensors", "model-2.safetensors"]
    for name in names:
        shutil.copy(folder / "model.safetensors", folder / name)
    (folder / "model.safetensors").unlink()
    odd: list[Any] = [
        {f"t{i}": names[i % 2] for i in range(4)},
        {f"t{i}": f"m{i}.safetensors" for i in range(5_000)},
        *({"a": "../x.safetensors"}, {"a": "/etc/passwd"}, {"a": 7}, {"a": ""}, [], "x", None, {}),
    ]
    index = {"metadata": {}, "weight_map": draw.choice(odd)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def odd_ids(folder: Path, draw: random.Random) -> None:
    whole = json.loads((folder / "tokenizer.json").read_text())
    vocab = whole["model"]["vocab"]
    how = draw.choice([2, 3, 4]) if isinstance(vocab, list) else draw.randrange(6)
    if how == 0:
        whole["model"]["vocab"] = {name: str(id) for name, id in dict(vocab).items()}
    elif how == 1:
        vocab[next(iter(vocab))] = draw.choice([-1, 10**9, 10**40, 1.5, None, True, "1"])
    elif how == 2:
        whole["added_tokens"].append({"id": 10**9, "content": "<far>", "special": True})
    elif how == 3:
        whole["added_tokens"] = draw.choice([3, "x", [7], [{}], [{"id": "1", "content": "a"}]])
    elif how == 4:
        entry = draw.choice([[], ["a"], ["a", "b"], 3, ["a", float("1e30"), 1], [None, 0.0]])
        whole["model"] = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], entry]}
    else:
        whole["model"]["merges"] = draw.choice([3, [3], [["a"]], ["a b c d"], {"a": 1}, [[]]])
    (folder / "tokenizer.json").write_text(json.dumps(whole))


def many_merges(folder: Path, draw: random.Random) -> None:
    merges = [["a", "b"]] * draw.choice([900_000, 1_500_000])
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": merges}
    change(folder, "tokenizer.json", model=model)


def doubling(folder: Path, draw: random.Random) -> None:
    letter = draw.choice("aeé \u0120")
    step = {"type": "Replace", "pattern": {"String": letter}, "content": letter * 2}
    steps = [step] * draw.choice([12, 20, 40])
    part, name = draw.choice([("normalizer", "normalizers"), ("decoder", "decoders")])
    if part == "decoder":
        steps = [*steps, {"type": "Fuse"}]
    change(folder, "tokenizer.json", **{part: {"type": "Sequence", name: steps}})


def exploding(folder: Path, draw: random.Random) -> None:
    regex = draw.choice(
        [
            *("(a+)+$", "(?:a|aa)+$", "(a*)*b", r"(\w+\s?)+$", r"(?:[a-z]+)*\d", r"(x+x+)+y"),
            *(
                r"(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)\d",
                r"(a|a)*b",
                r"(\s*\S*)*z",
                r"(a)\1+",
                "(",
                "[",
            ),
        ]
    )
    split = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    change(folder, "tokenizer.json", pre_tokenizer=split)


def odd_steps(folder: Path, draw: random.Random) -> None:
    table = draw.choice(["", "!!", "AAAA", "/////wAAAAA=", "BAAAAAAAAAA" + "A" * 400 + "=", 7])
    odd: list[Any] = [
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": table}},
        {"normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": "xx"}},
        *({"normalizer": "x"}, {"normalizer": {"type": "Imagined"}}, {"decoder": []}),
        *({"pre_tokenizer": {"type": "Sequence", "pretokenizers": 3}}, {"decoder": None}),
        *({"model": 3}, {"model": {"type": "WordPiece", "vocab": {}}}, {"model__vocab": 3}),
        {"model__unk_token": 7, "model__vocab": {}},
    ]
    change(folder, "tokenizer.json", **draw.choice(odd))


SPOILS: tuple[Spoil, ...] = (
    *(deep, long_number, no_json, pipe, folder_for_file, link_out, sparse, many_tensors),
    *(odd_header, odd_length, giant_config, odd_config, pickled, shards, odd_ids, many_merges),
    *(doubling, exploding, odd_steps),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of opening a folder.

    Attributes:
        kind: "refused" with a CheckpointError, "opened", or the name of what else was raised.
        said: The message.
        elapsed_s: Of the reader's wall time.
        peak_mb: How much its memory grew at most, beside what the program has anyway.
    """

    kind: str
    said: str
    elapsed_s: float
    cpu_s: float
    peak_mb: float


def peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def attempt(folder: str) -> Outcome:
    """Open a folder, and measure it; called in a process of its own."""
    import gpt
    from gpt.checkpoint import CheckpointError

    torch.set_num_threads(1)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began_s, began_cpu = peak_mb(), time.monotonic(), time.process_time()
    kind, said = "opened", ""
    try:
        tokenizer = gpt.load(folder).tokenizer
        tokenizer.decode(tokenizer.encode("Once upon a time"))
    except CheckpointError as error:
        kind, said = "refused", str(error)
    except BaseException as error:  # noqa: BLE001 - whatever comes is the finding
        kind, said = type(error).__name__, str(error)[:300]
    elapsed_s, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu
    return Outcome(kind, said, elapsed_s, cpu_s, peak_mb() - before)


def listing_of(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Every name in a folder with its kind, size and time of change."""
    found = sorted(folder.rglob("*"))
    facts = {str(each.relative_to(folder)): each.lstat() for each in found}
    return {name: (fact.st_mode, fact.st_size, fact.st_mtime_ns) for name, fact in facts.items()}


def serve() -> None:
    """Read folders' names, one a line, and answer each with its outcome as JSON."""
    import dataclasses

    for line in sys.stdin:
        print(json.dumps(dataclasses.asdict(attempt(json.loads(line)))), flush=True)


if __name__ == "__main__":
    serve()
