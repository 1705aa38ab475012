"""What lies where a checkpoint was expected, known by its name, and what to do about it."""

from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path

from gpt.files import said
from gpt.files.text import LFS

MOST_LOOKED_AT = 1000
"""Names in a folder."""
_PICKLE = (
    "weights as a pickle, which could run code and is never opened here. Where you trust it, "
    "`AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW)` of transformers writes "
    "them as safetensors"
)
_OTHERS = (
    ("adapter_model.*", "LoRA adapters without their model: merge them with peft's "
     "`merge_and_unload`, then `save_pretrained(NEW)`"),
    ("*.gguf", "a GGUF model of llama.cpp: give the folder of the model that it was made from"),
    ("*.bin", _PICKLE),
    ("*.pt", _PICKLE),
    ("*.pth", _PICKLE),
    ("*.ckpt", _PICKLE),
    ("*.h5", "weights of TensorFlow: save them as safetensors with transformers"),
    ("*.msgpack", "weights of Flax: save them as safetensors with transformers"),
    ("*.onnx", "an ONNX model: give the folder of the model that it was made from"),
    ("*.npz", "weights as numpy arrays: save them as model.safetensors"),
    ("*.zip", "an archive: unpack it, and give the folder with config.json"),
    ("*.tar*", "an archive: unpack it, and give the folder with config.json"),
)  # fmt: skip


def found_instead(path: Path) -> str:
    """What lies at `path` in place of a checkpoint and what to do, as a sentence's end; "" where
    nothing that is known does."""
    if path.is_file():
        return _of_file(path)
    if not path.is_dir():
        return ""
    if (path / "best" / "config.json").is_file():
        return f"it is a run, and its model is in {said(path / 'best')}: give that"
    if (path / "data.json").is_file():
        return (
            f"it is a text made ready: `python -m train.pretrain --data {said(path)}` trains on it"
        )
    names = sorted(each.name for each in islice(path.iterdir(), MOST_LOOKED_AT))
    if (path / "config.json").is_file() and (weights := _safetensors(names)):
        return f"{weights} has to be called model.safetensors, or be listed in an index: rename it"
    if "model.safetensors" in names:
        return "the weights are there, config.json and the tokenizer are not: copy the whole folder"
    what = next(_known(names), "")
    inner = [name for name in names if (path / name / "config.json").is_file()]
    if not what and inner:
        return f"there is one in {said(path / inner[0])}: give that"
    return what


def _of_file(path: Path) -> str:
    if fnmatch(path.name, "*.safetensors"):
        return (
            f"it is one file of one: give its folder, {said(path.parent)}, which has to hold "
            "config.json and the tokenizer too"
        )
    with path.open("rb") as file:
        if file.read(len(LFS)) == LFS:
            return "it is a git-lfs pointer: run `git lfs pull` in its folder"
    what = next(_known([path.name]), "")
    return what or f"it is a file: give the folder with config.json, here {said(path.parent)}"


def _known(names: list[str]) -> Iterator[str]:
    for pattern, what in _OTHERS:
        for name in names:
            if fnmatch(name.lower(), pattern) and name != "training_args.bin":
                yield f"{said(Path(name))} holds {what}"


def _safetensors(names: list[str]) -> str:
    """The one file of weights that only goes by another name."""
    found = [name for name in names if fnmatch(name, "*.safetensors")]
    own = [name for name in found if not fnmatch(name, "adapter_*") and "-of-" not in name]
    return own[0] if len(own) == 1 else ""
