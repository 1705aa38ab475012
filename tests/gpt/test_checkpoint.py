"""Checkpoint folders: what is saved comes back, and transformers opens the same folder."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import gpt
from gpt.checkpoint import CheckpointError, load_model, read_config, read_training, save
from gpt.checkpoint.weights import check_weights
from gpt.config import GPTConfig
from gpt.tokenizers import CharTokenizer
from tests.support.tiny import SHAPES, tiny_model

TEXT = "The quick brown fox jumps over the lazy dog, twice! Pack my box: five dozen jugs?\n"


def saved(folder: Path, config: GPTConfig, dtype: torch.dtype = torch.float32) -> gpt.GPT:
    model = tiny_model(config)
    tokenizer = CharTokenizer.train([TEXT])
    save(folder, model, tokenizer, card="# A card", training={"step": 7}, dtype=dtype)
    return model


@pytest.fixture(params=SHAPES)
def config(request: pytest.FixtureRequest) -> GPTConfig:
    return SHAPES[request.param]


def test_a_saved_model_comes_back_bit_for_bit(config: GPTConfig, tmp_path: Path) -> None:
    model = saved(tmp_path / "model", config)
    checkpoint = gpt.load(tmp_path / "model")
    tokens = torch.randint(config.vocab_size, (2, config.block_size))
    assert torch.equal(checkpoint.model(tokens), model(tokens))
    assert not checkpoint.model.training
    assert checkpoint.name == "model"
    assert checkpoint.card == "# A card"
    assert checkpoint.training == read_training(tmp_path / "model") == {"step": 7}
    assert checkpoint.tokenizer.encode("fox") == CharTokenizer.train([TEXT]).encode("fox")
    same = {**checkpoint.config.to_dict(), "bias": config.bias}
    assert same == config.to_dict()


@torch.inference_mode()
def test_transformers_opens_the_folder_and_gives_the_same_logits(
    config: GPTConfig, tmp_path: Path
) -> None:
    saved(tmp_path / "model", config)
    tokens = torch.randint(config.vocab_size, (3, config.block_size))
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32)
    ours = load_model(tmp_path / "model")
    torch.testing.assert_close(ours(tokens), theirs(tokens).logits, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_folder_that_transformers_wrote_opens_here(config: GPTConfig, tmp_path: Path) -> None:
    saved(tmp_path / "ours", config)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "ours", dtype=torch.float32)
    theirs.save_pretrained(tmp_path / "theirs")
    tokens = torch.randint(config.vocab_size, (1, config.block_size))
    ours = load_model(tmp_path / "theirs")
    torch.testing.assert_close(ours(tokens), theirs(tokens).logits, atol=1e-5, rtol=1e-5)


def test_weights_are_bfloat16_on_disk_and_float32_in_memory(tmp_path: Path) -> None:
    saved(tmp_path / "model", SHAPES["llama"], dtype=torch.bfloat16)
    on_disk = load_file(tmp_path / "model" / "model.safetensors")
    assert {tensor.dtype for tensor in on_disk.values()} == {torch.bfloat16}
    assert load_model(tmp_path / "model").dtype == torch.float32
    assert json.loads((tmp_path / "model" / "config.json").read_text())["dtype"] == "bfloat16"


def test_saving_again_replaces_the_folder_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    saved(tmp_path / "model", SHAPES["llama"])
    (tmp_path / "model" / "stale.txt").write_text("from before")
    saved(tmp_path / "model", SHAPES["gpt2"])
    assert read_config(tmp_path / "model").family == "gpt2"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert not (tmp_path / "model" / "stale.txt").exists()


def test_a_save_that_fails_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    model = saved(tmp_path / "model", SHAPES["llama"])
    unwritable = {"step": object()}
    with pytest.raises(TypeError):
        save(
            tmp_path / "model",
            model,
            CharTokenizer.train([TEXT]),
            card="",
            training=unwritable,
        )
    assert read_training(tmp_path / "model") == {"step": 7}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_save_cut_off_between_its_renames_is_put_right_on_load(tmp_path: Path) -> None:
    saved(tmp_path / "model", SHAPES["llama"])
    (tmp_path / "model").rename(tmp_path / ".model.old")
    assert gpt.load(tmp_path / "model").training == {"step": 7}


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 9000\n"


@pytest.mark.parametrize(
    ("files", "given", "said"),
    [
        (["m.gguf"], "m.gguf", "a GGUF model of llama.cpp: give the folder"),
        (["m.gguf"], "", "a GGUF model of llama.cpp: give the folder"),
        (["model.safetensors"], "model.safetensors", "it is one file of one: give its folder"),
        (["model.safetensors"], "", "copy the whole folder"),
        (["config.json", "m.safetensors"], "", "has to be called model.safetensors"),
        (["config.json", "pytorch_model.bin"], "", "as a pickle, which could run code"),
        (["config.json", "training_args.bin"], "", "model.safetensors is missing there: copy"),
        (["config.json", "model-1-of-2.safetensors"], "", "the index that lists them is missing"),
        (["tokenizer.json"], "", "config.json is missing there: copy the whole folder"),
        (["config.json", "ggml-model-q4_0.bin"], "", "a GGML model of llama.cpp"),
        (["m.ggml"], "m.ggml", "a GGML model of llama.cpp"),
        (["ggml-model-q4_0.gguf"], "", "a GGUF model of llama.cpp"),
        (["config.json", "onnx/model.onnx"], "", "an ONNX model"),
        (["config.json", "model.safetensors.incomplete"], "", "did not come to its end"),
        (["consolidated.safetensors", "params.json"], "", "under the names of those who made"),
        (["consolidated-1-of-2.safetensors"], "", "under the names of those who made"),
        (["config.json", "consolidated.safetensors"], "", "under the names of those who made"),
        (["model.safetensors", "model-1-of-2.safetensors"], "", "config.json and the tokenizer"),
        (["model_index.json", "unet/config.json"], "", "makes pictures"),
        (["config.json", "model.ckpt.index"], "", "weights of TensorFlow"),
        (["consolidated.00.pth"], "consolidated.00.pth", "as a pickle, which could run code"),
        (["adapter_config.json", "adapter_model.safetensors"], "", "LoRA adapters without"),
        (["config.json", "tf_model.h5"], "", "weights of TensorFlow"),
        (["model.tar.gz"], "model.tar.gz", "an archive: unpack it"),
        (["best/config.json"], "", "it is a run, and its model is in"),
        (["data.json"], "", "trains on it"),
        (["snap/config.json"], "", "there is one in"),
        (["notes.txt"], "notes.txt", "it is a file: give the folder with config.json"),
    ],
)
def test_what_lies_there_in_place_of_a_checkpoint_is_called_by_its_name(
    tmp_path: Path, files: list[str], given: str, said: str
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    with pytest.raises(CheckpointError) as error:
        gpt.load(tmp_path / given)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"GGUF", "is a GGUF model of llama.cpp, no safetensors: give the folder"),
        (b"GGUF\x03\0\0\0{", "is a GGUF model of llama.cpp, no safetensors"),
        (b"\x1f\x8b\x08", "is gzip, no safetensors: unpack it first"),
        (b"PK\x03\x04", "is a zip archive, as .docx, .odt and .epub are, no safetensors"),
        (b"<!DOCTYPE html>", "is HTML, no safetensors: copy or download it again"),
    ],
)
def test_weights_of_another_kind_are_called_by_their_name(
    tmp_path: Path, head: bytes, said: str
) -> None:
    saved(tmp_path / "model", SHAPES["llama"])
    (tmp_path / "model" / "model.safetensors").write_bytes(head + bytes(100))
    with pytest.raises(CheckpointError, match=said):
        gpt.load(tmp_path / "model")


def test_a_header_whose_length_spells_another_kind_is_one(tmp_path: Path) -> None:
    saved(tmp_path / "model", SHAPES["llama"])
    path = tmp_path / "model" / "model.safetensors"
    data, length = path.read_bytes(), int.from_bytes(b"\x1f\x8b", "little")  # gzip
    end = 8 + int.from_bytes(data[:8], "little")
    header = data[8:end].ljust(length)
    path.write_bytes(length.to_bytes(8, "little") + header + data[end:])
    assert check_weights(path.parent, [path.name], SHAPES["llama"])


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_git_lfs_pointer_is_called_by_its_name(tmp_path: Path, name: str) -> None:
    saved(tmp_path / "model", SHAPES["llama"])
    (tmp_path / "model" / name).write_text(LFS)
    with pytest.raises(CheckpointError, match=r"is a git-lfs pointer.*git lfs pull"):
        gpt.load(tmp_path / "model")


def test_a_folder_that_is_no_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config.json is missing: train one"):
        gpt.load(tmp_path / "nothing")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"model.safetensors is missing"):
        gpt.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "mamba"}, "expected a gpt2 or llama model"),
        ({"hidden_act": "gelu"}, r"expected hidden_act to be one of \['silu'\]"),
        ({"attention_bias": True}, "attention_bias"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "rope_type"),
        ({"num_hidden_layers": None}, "lacks or misstates"),
        ({"num_attention_heads": 0}, "lacks or misstates"),
        ({"num_hidden_layers": 3}, "lacks the tensor"),
        ({"num_hidden_layers": 1}, "has no place for"),
        ({"intermediate_size": 32}, "does not fit config.json"),
        ({"vocab_size": 30}, "does not fit config.json"),
    ],
)
def test_a_config_that_is_not_ours_is_one_clear_error(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    saved(tmp_path / "model", SHAPES["llama"])
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CheckpointError, match=message):
        gpt.load(tmp_path / "model")


@pytest.mark.parametrize("keep", [0, 4, 8, 200, 5000])
def test_a_truncated_weight_file_is_one_clear_error(keep: int, tmp_path: Path) -> None:
    saved(tmp_path / "model", SHAPES["llama"])
    path = tmp_path / "model" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"does not fit config\.json"):
        gpt.load(tmp_path / "model")


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "model", SHAPES["llama"])
    path = tmp_path / "model" / "model.safetensors"
    weights = load_file(path)
    weights["model.norm.weight"][3] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"model.norm.weight .* not finite"):
        gpt.load(tmp_path / "model")


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff"])
def test_json_that_is_none_is_one_clear_error(text: str, tmp_path: Path) -> None:
    saved(tmp_path / "model", SHAPES["llama"])
    (tmp_path / "model" / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"expected (JSON|a JSON object)"):
        gpt.load(tmp_path / "model")


def test_a_tokenizer_too_large_for_the_model_is_refused(tmp_path: Path) -> None:
    model = tiny_model(GPTConfig(vocab_size=5, block_size=8, n_layer=1, n_head=1, n_embd=8))
    save(tmp_path / "model", model, CharTokenizer.train([TEXT]), card="", training={})
    with pytest.raises(CheckpointError, match="the model only 5"):
        gpt.load(tmp_path / "model")
