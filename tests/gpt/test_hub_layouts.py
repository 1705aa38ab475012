"""Folders as others lay them out: transformers writes, ours opens, logits and ids are the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
)

import gpt
from gpt.checkpoint import CheckpointError, load_model, read_config, save
from gpt.generator import Generator
from gpt.sampling import SamplingParams
from gpt.tokenizers import BPETokenizer, FastTokenizer, TokenizerError, load_tokenizer
from tests.support.fuzzed_text import fuzzed_text
from tests.support.trained_tokenizers import TRAINING

LLAMA: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 56,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 48,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
GPT2: dict[str, Any] = {
    "n_embd": 32,
    "n_layer": 3,
    "n_head": 4,
    "n_positions": 48,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
ROPE: Any = {"rope_type": "default", "rope_theta": 5e5}
LINEAR: Any = {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.5}
LLAMA3: Any = {
    "rope_type": "llama3",
    "rope_theta": 1e3,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 2.5,
    "original_max_position_embeddings": 20,
}
"""Short enough that of the 8 turns some stay, some are slowed and some lie between."""
SMOLLM2: dict[str, Any] = {
    **LLAMA,
    "hidden_size": 72,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "tie_word_embeddings": True,
    "rms_norm_eps": 1e-5,
}
MODELS: dict[str, Callable[[int], Any]] = {
    "gpt2": lambda size: GPT2LMHeadModel(GPT2Config(vocab_size=size, **GPT2)),
    "gpt2-wide": lambda size: GPT2LMHeadModel(GPT2Config(vocab_size=size, n_inner=72, **GPT2)),
    "llama-tied-grouped": lambda size: LlamaForCausalLM(
        LlamaConfig(vocab_size=size, num_key_value_heads=2, tie_word_embeddings=True, **LLAMA)
    ),
    "llama-untied": lambda size: LlamaForCausalLM(
        LlamaConfig(vocab_size=size, rope_parameters=ROPE, rms_norm_eps=1e-6, **LLAMA)
    ),
    "llama-one-key-head": lambda size: LlamaForCausalLM(
        LlamaConfig(vocab_size=size, num_key_value_heads=1, head_dim=16, **LLAMA)
    ),
    "smollm2": lambda size: LlamaForCausalLM(
        LlamaConfig(
            vocab_size=size,
            rope_parameters={"rope_type": "default", "rope_theta": 1e5},
            **SMOLLM2,
        )
    ),
    "llama-linear": lambda size: LlamaForCausalLM(
        LlamaConfig(vocab_size=size, rope_parameters=LINEAR, **LLAMA)
    ),
    "llama-llama3": lambda size: LlamaForCausalLM(
        LlamaConfig(vocab_size=size, rope_parameters=LLAMA3, head_dim=16, **LLAMA)
    ),
    "mistral": lambda size: MistralForCausalLM(
        MistralConfig(vocab_size=size, sliding_window=None, num_key_value_heads=2, **LLAMA)
    ),
    "mistral-tied-llama3": lambda size: MistralForCausalLM(
        MistralConfig(
            vocab_size=size,
            sliding_window=48,  # as long as the whole: it cuts nothing
            num_key_value_heads=4,
            rope_parameters=LLAMA3,
            tie_word_embeddings=True,
            **LLAMA,
        )
    ),
}


def random_model(name: str, vocab_size: int = 300) -> Any:
    """A model of transformers with weights large enough that its logits are not all alike."""
    torch.manual_seed(0)
    model = MODELS[name](vocab_size).eval()
    for parameter in model.parameters():
        parameter.data.normal_(std=0.2)
    return model


@torch.inference_mode()
def assert_same_logits(theirs: Any, folder: Path) -> None:
    ours = load_model(folder)
    tokens = torch.randint(ours.config.vocab_size, (3, ours.config.block_size))
    expected = theirs(tokens).logits
    assert float(expected.std()) > 0.1
    torch.testing.assert_close(ours(tokens), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shard", ["10GB", "20KB"])
@pytest.mark.parametrize("name", MODELS)
def test_what_transformers_wrote_gives_the_same_logits(
    name: str, shard: str, tmp_path: Path
) -> None:
    theirs = random_model(name)
    theirs.save_pretrained(tmp_path, max_shard_size=shard)
    files = list(tmp_path.glob("*.safetensors"))
    assert (len(files) > 2) == (shard == "20KB")
    assert_same_logits(theirs, tmp_path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["gpt2", "llama-untied"])
def test_half_precision_weights_are_read_as_they_are(
    name: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    random_model(name).to(dtype).save_pretrained(tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert_same_logits(theirs, tmp_path)


def change_weights(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def change_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({k: v for k, v in config.items() if v != "gone"}))


def test_the_layout_of_gpt2_on_the_hub_is_read(tmp_path: Path) -> None:
    """openai-community/gpt2: no prefix, the masks stored, no key of a later transformers."""
    theirs = random_model("gpt2")
    theirs.save_pretrained(tmp_path)

    def as_in_2019(weights: dict[str, Any]) -> dict[str, Any]:
        bare = {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}
        mask = torch.ones(48, 48).tril().view(1, 1, 48, 48)
        masks = {f"h.{i}.attn.bias": mask.clone() for i in range(3)}
        return bare | masks | {"h.0.attn.masked_bias": torch.tensor(float("-inf"))}

    change_weights(tmp_path, as_in_2019)
    config = {**GPT2, "model_type": "gpt2", "n_ctx": 48, "vocab_size": 300}
    config |= {"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert_same_logits(theirs, tmp_path)


@pytest.mark.parametrize(
    "keys",
    [
        {"rope_parameters": "gone", "rope_theta": 5e5},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}, "rope_theta": "gone"},
        {"rope_parameters": "gone", "rope_theta": 5e5, "rope_scaling": None},
    ],
)
def test_rope_theta_is_found_where_old_and_new_files_keep_it(
    keys: dict[str, Any], tmp_path: Path
) -> None:
    theirs = random_model("llama-untied")
    theirs.save_pretrained(tmp_path)
    change_config(tmp_path, **keys)
    assert read_config(tmp_path).rope_theta == 5e5
    assert_same_logits(theirs, tmp_path)


def test_the_layout_of_smollm2_on_the_hub_is_read(tmp_path: Path) -> None:
    """HuggingFaceTB/SmolLM2-135M: tied, three query heads a key head, keys that say nothing new."""
    theirs = random_model("smollm2")
    theirs.save_pretrained(tmp_path)
    change_weights(tmp_path, lambda w: {name: t for name, t in w.items() if "lm_head" not in name})
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **SMOLLM2}
    config |= {"vocab_size": 300, "rope_theta": 1e5, "is_llama_config": True, "pretraining_tp": 1}
    config |= {"rope_interleaved": False, "rope_scaling": None, "hidden_act": "silu"}
    config |= {"transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert_same_logits(theirs, tmp_path)


def older(rope: dict[str, Any], type_key: str = "rope_type") -> dict[str, Any]:
    """The keys of config.json that say `rope`, as before transformers 5."""
    inner = {name: value for name, value in rope.items() if not name.startswith("rope_")}
    scaling = {type_key: rope["rope_type"], **inner}
    return {
        "rope_parameters": "gone",
        "rope_theta": rope["rope_theta"],
        "rope_scaling": scaling,
    }


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("llama-linear", older(LINEAR)),
        ("llama-linear", older(LINEAR, "type")),
        ("llama-llama3", older(LLAMA3)),
        ("llama-llama3", {"rope_scaling": LLAMA3, "rope_parameters": ROPE}),
    ],
)
def test_rope_scaling_is_found_where_old_and_new_files_keep_it(
    name: str, keys: dict[str, Any], tmp_path: Path
) -> None:
    random_model(name).save_pretrained(tmp_path)
    change_config(tmp_path, **keys)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert theirs.config.rope_parameters["factor"] > 1
    assert_same_logits(theirs, tmp_path)


@pytest.mark.parametrize("name", ["llama-linear", "llama-llama3", "mistral-tied-llama3"])
def test_a_model_with_scaled_positions_is_saved_as_it_came(name: str, tmp_path: Path) -> None:
    theirs = random_model(name)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load_model(tmp_path / "theirs")
    assert type(ours.config).from_dict(ours.config.to_dict()) == ours.config
    save(tmp_path / "ours", ours, byte_tokens(), card="", training={}, dtype=torch.float32)
    assert read_config(tmp_path / "ours") == ours.config
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "ours")
    assert_same_logits(again, tmp_path / "ours")
    tokens = torch.arange(48)[None]
    with torch.inference_mode():
        torch.testing.assert_close(again(tokens).logits, theirs(tokens).logits)


def byte_tokens() -> BPETokenizer:
    return BPETokenizer.train(["a"], 257)


def test_a_tied_output_layer_that_is_stored_again_and_old_tables_are_left_out(
    tmp_path: Path,
) -> None:
    theirs = random_model("llama-tied-grouped")
    theirs.save_pretrained(tmp_path)

    def with_extras(weights: dict[str, Any]) -> dict[str, Any]:
        extras = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
        return weights | extras | {"lm_head.weight": weights["model.embed_tokens.weight"].clone()}

    change_weights(tmp_path, with_extras)
    assert_same_logits(theirs, tmp_path)


def test_a_llama_saved_without_its_outermost_name_is_read(tmp_path: Path) -> None:
    theirs = random_model("llama-tied-grouped")
    theirs.save_pretrained(tmp_path)
    change_weights(tmp_path, lambda w: {k.removeprefix("model."): t for k, t in w.items()})
    assert_same_logits(theirs, tmp_path)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("llama-untied", {"rope_scaling": {"type": "linear"}}, "no factor"),
        ("llama-untied", {"rope_scaling": {"type": "linear", "factor": 0.0}}, "factor"),
        ("llama-untied", {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_scaling.type"),
        ("llama-llama3", {"rope_parameters": {**LLAMA3, "low_freq_factor": 4.0}}, "low_freq"),
        (
            "llama-untied",
            {"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0}},
            "no low_freq_factor",
        ),
        ("llama-untied", {"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ("mistral", {"sliding_window": 16}, "sliding window of 16 of its 48 positions"),
        (
            "mistral",
            {"sliding_window": "gone", "max_position_embeddings": 8192},
            "sliding window of 4,096",
        ),
        ("mistral", {"sliding_window": "wide"}, "sliding_window"),
        ("llama-untied", {"rope_scaling": {"rope_type": "yarn"}}, "rope_scaling.rope_type"),
        ("llama-untied", {"attention_bias": True}, "attention_bias"),
        ("llama-untied", {"mlp_bias": True}, "mlp_bias"),
        ("llama-untied", {"hidden_act": "gelu"}, "hidden_act"),
        ("llama-untied", {"sliding_window": 16}, "sliding_window"),
        ("llama-untied", {"quantization_config": {"quant_method": "gptq"}}, "quantization_config"),
        ("llama-untied", {"model_type": "mixtral"}, "model_type='mixtral'"),
        ("llama-untied", {"auto_map": {"AutoModel": "x.py"}}, "code of its own"),
        ("llama-untied", {"max_position_embeddings": 10**9}, "block_size"),
        ("llama-untied", {"num_hidden_layers": 10**9}, "n_layer"),
        ("llama-untied", {"vocab_size": 300.0}, "vocab_size"),
        ("llama-untied", {"rms_norm_eps": "1e-6"}, "norm_eps"),
        ("gpt2", {"activation_function": "relu"}, "activation_function"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
        ("gpt2", {"scale_attn_weights": False}, "scale_attn_weights"),
        ("gpt2", {"add_cross_attention": True}, "add_cross_attention"),
        ("gpt2", {"tie_word_embeddings": False}, "tie_word_embeddings"),
    ],
)
def test_a_variant_that_our_model_is_not_is_refused_by_name(
    name: str, values: dict[str, Any], said: str, tmp_path: Path
) -> None:
    random_model(name).save_pretrained(tmp_path)
    change_config(tmp_path, **values)
    with pytest.raises(CheckpointError, match=said):
        load_model(tmp_path)


def test_quantized_weights_are_refused_by_their_type(tmp_path: Path) -> None:
    random_model("llama-untied").save_pretrained(tmp_path)
    name = "model.layers.1.mlp.up_proj.weight"
    change_weights(tmp_path, lambda w: w | {name: w[name].to(torch.int8)})
    with pytest.raises(CheckpointError, match=r"up_proj.weight .* is torch.int8"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "shard", ["../model.safetensors", "/etc/passwd", "a/b.safetensors", "model.bin", "..", "", 7]
)
def test_an_index_that_points_elsewhere_is_refused(shard: object, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    random_model("llama-untied").save_pretrained(folder)
    (folder / "model.safetensors").rename(tmp_path / "model.safetensors")
    index = {"metadata": {}, "weight_map": {"model.norm.weight": shard}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="names a file that is no shard"):
        load_model(folder)


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ({}, "expected 1 to 1000 files"),
        ({"weight_map": []}, "expected 1 to 1000 files"),
        ({"weight_map": {f"t{i}": f"m-{i}.safetensors" for i in range(1001)}}, "got 1001"),
        ({"weight_map": {"a": "model-1.safetensors"}}, "model-1.safetensors is missing"),
    ],
)
def test_an_index_without_its_shards_is_one_clear_error(
    index: object, said: str, tmp_path: Path
) -> None:
    random_model("llama-untied").save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=said):
        load_model(tmp_path)


def test_a_header_larger_than_any_model_needs_is_refused_before_it_is_read(tmp_path: Path) -> None:
    random_model("llama-untied").save_pretrained(tmp_path)
    header = b'{"a":' + b" " * 30_000_000 + b"}"
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match="its header claims"):
        load_model(tmp_path)


# Tokenizers


def byte_level(*, digits: bool = False, specials: tuple[str, ...] = ("<|endoftext|>",)) -> Any:
    """A byte-level tokenizer as GPT-2's and SmolLM's: no text is unknown to it."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    each = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([each, split]) if digits else split
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=list(specials),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TRAINING, trainer)
    return tokenizer


def gpt2_like() -> Any:
    return byte_level()


def smollm_like() -> Any:
    names = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>")
    tokenizer = byte_level(digits=True, specials=names)
    tokenizer.add_tokens([AddedToken("  ", normalized=False), AddedToken("dragon")])
    return tokenizer


def llama2_like() -> Any:
    """SentencePiece's byte-pair model as transformers converts it: ▁ before every text."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False
    )
    tokenizer.train_from_iterator(TRAINING, trainer)
    values = json.loads(tokenizer.to_str())
    values["added_tokens"] = values["added_tokens"][:3]  # the bytes are pieces like any other
    tokenizer = Tokenizer.from_str(json.dumps(values))
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(content=" ", left=1),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return tokenizer


def unigram_like() -> Any:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = trainers.UnigramTrainer(
        vocab_size=600,
        special_tokens=["<unk>", "<s>", "</s>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(TRAINING, trainer)
    return tokenizer


KINDS: dict[str, tuple[Callable[[], Any], str, str, str]] = {
    "gpt2": (gpt2_like, "<|endoftext|>", "<|endoftext|>", "bpe"),
    "smollm": (smollm_like, "<|endoftext|>", "<|endoftext|>", "bpe"),
    "llama2": (llama2_like, "<s>", "</s>", "sentencepiece"),
    "unigram": (unigram_like, "<s>", "</s>", "sentencepiece"),
}
TOKENIZERS = {name: make() for name, (make, *_) in KINDS.items()}


def save_theirs(name: str, folder: Path, shape: str = "llama-tied-grouped") -> Any:
    """A model folder with this tokenizer, written by transformers; the tokenizer as it reads it."""
    _, bos, eos, _ = KINDS[name]
    theirs = PreTrainedTokenizerFast(
        tokenizer_object=TOKENIZERS[name], bos_token=bos, eos_token=eos, unk_token=None
    )
    theirs.save_pretrained(folder)
    model = random_model(shape, len(theirs))
    model.config.bos_token_id = model.generation_config.bos_token_id = theirs.bos_token_id
    model.config.eos_token_id = model.generation_config.eos_token_id = theirs.eos_token_id
    model.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder, split_special_tokens=True)


@pytest.mark.parametrize("name", KINDS)
def test_ids_are_those_of_transformers(name: str, tmp_path: Path) -> None:
    theirs = save_theirs(name, tmp_path)
    ours = load_tokenizer(tmp_path)
    texts = [text for text in fuzzed_text(3000) if text]
    expected = theirs(texts, add_special_tokens=False)["input_ids"]
    assert [ours.encode(text) for text in texts] == expected
    assert (ours.bos_id, ours.eos_id) == (theirs.bos_token_id, theirs.eos_token_id)
    assert ours.vocab_size == len(theirs)
    assert ours.kind == KINDS[name][3]
    assert isinstance(ours, FastTokenizer) == (name != "gpt2")


@pytest.mark.parametrize("name", KINDS)
def test_text_comes_back_as_the_library_gives_it_and_streams_alike(
    name: str, tmp_path: Path
) -> None:
    theirs = save_theirs(name, tmp_path)
    ours = load_tokenizer(tmp_path)
    for text in fuzzed_text(1000, seed=3):
        ids = ours.encode(text)
        decoder = ours.decoder()
        streamed = "".join(decoder.decode(id) for id in ids) + decoder.flush()
        assert streamed == ours.decode(ids)
        expected = theirs.decode(ids, skip_special_tokens=True)
        if "\ufffd" in expected:
            continue  # of bytes that are no character, they make one sign each, Python one in all
        # They leave out the space that was put before the text.
        begins = " " if KINDS[name][3] == "sentencepiece" else ""
        assert streamed.removeprefix(begins) == expected


@pytest.mark.parametrize("name", KINDS)
def test_a_tokenizer_from_elsewhere_is_kept_as_it_was_with_a_model_tuned_here(
    name: str, tmp_path: Path
) -> None:
    save_theirs(name, tmp_path / "theirs")
    there = gpt.load(tmp_path / "theirs")
    save(tmp_path / "ours", there.model, there.tokenizer, card="", training={})
    ours = gpt.load(tmp_path / "ours")
    theirs = AutoTokenizer.from_pretrained(tmp_path / "ours", split_special_tokens=True)
    for text in fuzzed_text(300, seed=5):
        ids = there.tokenizer.encode(text)
        assert ours.tokenizer.encode(text) == ids
        assert theirs.encode(text, add_special_tokens=False) == ids
        assert theirs.encode(text) == [ours.tokenizer.bos_id, *ids]
    assert ours.tokenizer.bos_id == there.tokenizer.bos_id == theirs.bos_token_id
    assert ours.tokenizer.end_ids == there.tokenizer.end_ids
    config = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert (config["bos_token_id"], config["eos_token_id"]) == (
        there.tokenizer.bos_id,
        there.tokenizer.eos_id,
    )


def test_a_typed_control_token_is_text_here_too(tmp_path: Path) -> None:
    save_theirs("smollm", tmp_path)
    ours = load_tokenizer(tmp_path)
    text = "The end.<|endoftext|><|im_end|>"
    ids = ours.encode(text)
    assert not {0, 1, 2, 3} & set(ids)
    assert ours.decode(ids) == text
    assert (ours.piece(2), ours.decode([2])) == ("<|im_end|>", "")
    assert ours.decode(ours.encode("a\ud83d b")) == "a\ufffd b"


@pytest.mark.parametrize(
    ("files", "ends"),
    [
        ({"generation_config.json": {"eos_token_id": [2, 1]}}, [2, 1]),
        ({"config.json": {"eos_token_id": 2}}, [2]),
        ({"config.json": {"eos_token_id": None}}, [0]),
        ({"generation_config.json": {"eos_token_id": 10**6}}, [0]),
        ({"tokenizer_config.json": {"eos_token": {"content": "<|im_end|>"}}}, [2]),
        ({}, [0]),
    ],
)
def test_the_end_of_a_text_is_found_wherever_a_model_says_it(
    files: dict[str, Any], ends: list[int], tmp_path: Path
) -> None:
    TOKENIZERS["smollm"].save(str(tmp_path / "tokenizer.json"))
    for name, values in files.items():
        (tmp_path / name).write_text(json.dumps(values))
    ours = load_tokenizer(tmp_path)
    assert (ours.eos_id, ours.end_ids) == (ends[0], frozenset(ends))


def test_every_end_of_a_text_ends_a_story(tmp_path: Path) -> None:
    save_theirs("smollm", tmp_path, "gpt2")
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [2, 1]}')
    there = gpt.load(tmp_path)
    for end in (1, 2):
        # The last norm gives the same vector always: to this token it is the closest.
        weights = dict(there.model.named_parameters())
        weights["tokens.weight"][end] *= 3
        weights["norm.weight"].zero_()
        weights["norm.bias"].copy_(weights["tokens.weight"][end])
        generator = Generator(there.model, there.tokenizer)
        tokens = list(generator.stream("Once", SamplingParams(temperature=0)))
        assert [(token.id, token.finish_reason, token.text) for token in tokens] == [
            (end, "end", "")
        ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decoder": None}, "has no decoder"),
        ({"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}}, "a WordPiece dec"),
        ({"model": {"type": "WordPiece", "vocab": {}}}, "a WordPiece tokenizer"),
        ({"pre_tokenizer": {"type": "Imagined"}}, "cannot be read"),
        ({"added_tokens": 3}, "not a tokenizer that Inkling can open"),
    ],
)
def test_a_tokenizer_of_another_kind_is_refused_with_its_reason(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    save_theirs("smollm", tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CheckpointError, match=said):
        gpt.load(tmp_path)


def test_gpt2s_own_kind_is_run_by_tiktoken(tmp_path: Path) -> None:
    save_theirs("gpt2", tmp_path)
    assert isinstance(load_tokenizer(tmp_path), BPETokenizer)


def test_a_gpt2_with_a_vocabulary_and_merges_alone_is_read(tmp_path: Path) -> None:
    save_theirs("gpt2", tmp_path, "gpt2")
    whole = load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    TOKENIZERS["gpt2"].model.save(str(tmp_path))
    ours = gpt.load(tmp_path).tokenizer
    for text in fuzzed_text(500, seed=9):
        assert ours.encode(text) == whole.encode(text)
    assert (ours.eos_id, ours.vocab_size) == (whole.eos_id, whole.vocab_size)


def test_a_tokenizer_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "tokenizer.json").open("wb") as file:
        file.truncate(200_000_000)
    with pytest.raises(TokenizerError, match="too large for a tokenizer"):
        load_tokenizer(tmp_path)
