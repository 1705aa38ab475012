"""What lies where a checkpoint was expected, known by its name, and what to do about it."""

from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from shlex import quote

from gpt.files import said
from gpt.files.text import LFS

MOST_LOOKED_AT = 1000
"""Names in a folder."""
_PICKLE = (
    "weights as a pickle, which could run code and is never opened here. Where you trust it, "
    "`AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW)` of transformers writes "
    "them as safetensors"
)
_HALF = "a download that did not come to its end: let it go on, or begin it again"
_OTHERS = (
    ("adapter_model.*", "LoRA adapters without their model: merge them with peft's "
     "`merge_and_unload`, then `save_pretrained(NEW)`"),
    ("model_index.json", "a pipeline that makes pictures: give a model that writes"),
    ("consolidated*.safetensors", "weights under the names of those who made them: give the "
     "folder that transformers opens, with config.json and model.safetensors"),
    ("*.incomplete", _HALF),
    ("*.part", _HALF),
    ("*.crdownload", _HALF),
    ("*.gguf", "a GGUF model of llama.cpp: give the folder of the model that it was made from"),
    ("*ggml*", "a GGML model of llama.cpp: give the folder of the model that it was made from"),
    ("*.llamafile", "a GGUF model with its program: give the folder of the model that it was made "
     "from"),
    ("*.bin", _PICKLE),
    ("*.pt", _PICKLE),
    ("*.pth", _PICKLE),
    ("*.ckpt", _PICKLE),
    ("*.ckpt.*", "weights of TensorFlow: save them as safetensors with transformers"),
    ("*.keras", "weights of Keras: save them as safetensors with transformers"),
    ("*.h5", "weights of TensorFlow: save them as safetensors with transformers"),
    ("*.msgpack", "weights of Flax: save them as safetensors with transformers"),
    ("onnx", "an ONNX model: give the folder of the model that it was made from"),
    ("*.onnx", "an ONNX model: give the folder of the model that it was made from"),
    ("*.npz", "weights as numpy arrays: save them as model.safetensors"),
    ("*.zip", "an archive: unpack it, and give the folder with config.json"),
    ("*.tar*", "an archive: unpack it, and give the folder with config.json"),
)  # fmt: skip
_PARTS = ("config.json", "tokenizer*", "vocab.json", "*.safetensors")
"""What a checkpoint has among other files."""


def found_instead(path: Path, missing: str) -> str:
    """What lies at `path` in place of a checkpoint and what to do, as a sentence's end; "" where
    nothing that is known does.

    Args:
        missing: The file that was looked for.
    """
    if path.is_file():
        return _of_file(path)
    if not path.is_dir():
        return ""
    if (path / "best" / "config.json").is_file():
        return f"it is a run, and its model is in {said(path / 'best')}: give that"
    if (path / "data.json").is_file():
        return (
            f"it is a text made ready: `python -m train.pretrain --data {quote(said(path))}` "
            "trains on it"
        )
    names = sorted(each.name for each in islice(path.iterdir(), MOST_LOOKED_AT))
    parts = [name for name in names if not fnmatch(name, "consolidated*")]
    whole = _any_fits(names, "*.index.json", "model.safetensors")
    if _any_fits(parts, "*-of-*.safetensors") and not whole:
        return "the weights are in parts, and the index that lists them is missing: copy it there"
    if (path / "config.json").is_file() and (weights := _safetensors(names)):
        return f"{weights} has to be called model.safetensors, or be listed in an index: rename it"
    if "model.safetensors" in names:
        return "the weights are there, config.json and the tokenizer are not: copy the whole folder"
    what = next(_known(names), "")
    inner = [name for name in names if (path / name / "config.json").is_file()]
    if not what and inner:
        return f"there is one in {said(path / inner[0])}: give that"
    if not what and _any_fits(names, *_PARTS):
        return f"{missing} is missing there: copy the whole folder"
    return what


def _any_fits(names: list[str], *patterns: str) -> bool:
    return any(fnmatch(name, pattern) for name in names for pattern in patterns)


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
    others = ("adapter_*", "consolidated*", "*-of-*")
    own = [name for name in found if not _any_fits([name], *others)]
    return own[0] if len(own) == 1 else ""
