"""Our names ⇄ Hugging Face's: `config.json`, and the weights of its GPT-2 and Llama classes.

Pure functions over dictionaries; reading and writing the files is `gpt.checkpoint`'s.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from gpt.config import GPTConfig
from gpt.model import GPT


class LayoutError(ValueError):
    """A config.json of a model that is not exactly one of our two families."""


def hf_config(
    config: GPTConfig, eos_id: int, dtype: torch.dtype, *, bos_id: int | None = None
) -> dict[str, Any]:
    """config.json of `config`, with every key that an engine was seen to need.

    Args:
        bos_id: What a text begins after, where it is not the end of the one before.
    """
    name = str(dtype).removeprefix("torch.")
    shared: dict[str, Any] = {
        "vocab_size": config.vocab_size,
        "tie_word_embeddings": config.tie_embeddings,
        "bos_token_id": eos_id if bos_id is None else bos_id,
        "eos_token_id": eos_id,
        "pad_token_id": eos_id,
        "initializer_range": 0.02,
        "dtype": name,
        "torch_dtype": name,
        "use_cache": True,
    }
    if config.family == "gpt2":
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            # llama.cpp and MLX read n_ctx, transformers n_positions.
            "n_ctx": config.block_size,
            "n_positions": config.block_size,
            "n_embd": config.n_embd,
            "n_head": config.n_head,
            "n_layer": config.n_layer,
            "n_inner": config.n_inner,
            "layer_norm_epsilon": config.norm_eps,
            "activation_function": "gelu_new",
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
            "resid_pdrop": 0.0,
            **shared,
        }
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": config.n_embd,
        "intermediate_size": config.n_inner,
        "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head,
        "num_key_value_heads": config.n_kv_head,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": config.block_size,
        "rms_norm_eps": config.norm_eps,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        # transformers 5 reads rope_parameters, MLX only rope_theta.
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        **shared,
    }


def config_from_hf(values: dict[str, Any]) -> GPTConfig:
    """The config that a config.json describes.

    Raises:
        LayoutError: another architecture, a variant our families do not have, or sizes that no
            model has.
    """
    family = values.get("model_type")
    if family not in ("gpt2", "llama"):
        raise LayoutError(
            f"expected a gpt2 or llama model, config.json says model_type={family!r}: "
            "Inkling runs these two families"
        )
    if "auto_map" in values:
        raise LayoutError(
            "config.json asks for code of its own to be run (auto_map), which Inkling never does"
        )
    try:
        _check_variant(values, GPT2_ONLY if family == "gpt2" else LLAMA_ONLY)
        config = _gpt2_config(values) if family == "gpt2" else _llama_config(values)
    except LayoutError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LayoutError(f"config.json of a {family} model lacks or misstates {error}") from error
    for name, most in LARGEST.items():
        size: object = getattr(config, name)
        if type(size) is not int or size > most:
            raise LayoutError(f"expected {name} to be a whole number up to {most}, not {size!r}")
    for name in ("rope_theta", "norm_eps"):
        number: object = getattr(config, name)
        if not isinstance(number, int | float) or not 0 < number < math.inf:
            raise LayoutError(f"expected {name} to be a number above 0, not {number!r}")
    return config


def _gpt2_config(values: dict[str, Any]) -> GPTConfig:
    return GPTConfig(
        family="gpt2",
        vocab_size=values["vocab_size"],
        block_size=values["n_positions"],
        n_layer=values["n_layer"],
        n_head=values["n_head"],
        n_embd=values["n_embd"],
        n_inner=values.get("n_inner") or 0,
        norm_eps=values.get("layer_norm_epsilon", 1e-5),
    )


def _llama_config(values: dict[str, Any]) -> GPTConfig:
    rope: dict[str, Any] = values.get("rope_parameters") or {}
    return GPTConfig(
        family="llama",
        vocab_size=values["vocab_size"],
        block_size=values["max_position_embeddings"],
        n_layer=values["num_hidden_layers"],
        n_head=values["num_attention_heads"],
        n_kv_head=values.get("num_key_value_heads") or 0,
        n_embd=values["hidden_size"],
        head_dim=values.get("head_dim") or 0,
        n_inner=values["intermediate_size"],
        tie_embeddings=values.get("tie_word_embeddings", False),
        rope_theta=rope.get("rope_theta") or values.get("rope_theta") or 10_000.0,
        norm_eps=values.get("rms_norm_eps", 1e-6),
    )


LARGEST = {
    "vocab_size": 1 << 21,
    "block_size": 1 << 18,
    "n_layer": 1 << 10,
    "n_head": 1 << 10,
    "n_kv_head": 1 << 10,
    "head_dim": 1 << 10,
    "n_embd": 1 << 16,
    "n_inner": 1 << 18,
}
"""More than any model for one machine has, so that a config.json cannot ask for endless work."""
BOTH: dict[str, tuple[Any, ...]] = {
    "quantization_config": (None,),
    "sliding_window": (None,),
    "use_sliding_window": (False, None),
}
GPT2_ONLY: dict[str, tuple[Any, ...]] = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}
LLAMA_ONLY: dict[str, tuple[Any, ...]] = {
    "hidden_act": ("silu",),
    "attention_bias": (False,),
    "mlp_bias": (False,),
}
PLAIN_ROPE: dict[str, tuple[Any, ...]] = {
    # "type" is what files from before 2024 call it.
    "rope_type": ("default",),
    "type": ("default",),
    "partial_rotary_factor": (None, 1, 1.0),
    "factor": (None, 1, 1.0),
}


def _check_variant(values: dict[str, Any], family: dict[str, tuple[Any, ...]]) -> None:
    """Refuse what changes the logits and our model does not have."""
    _expect("", values, BOTH | family)
    for name in ("rope_parameters", "rope_scaling"):
        if family is LLAMA_ONLY and values.get(name):
            _expect(f"{name}.", values[name], PLAIN_ROPE)


def _expect(where: str, values: dict[str, Any], allowed: dict[str, tuple[Any, ...]]) -> None:
    for name, choices in allowed.items():
        if name in values and values[name] not in choices:
            raise LayoutError(
                f"expected {where}{name} to be one of {list(choices)}, config.json says "
                f"{values[name]!r}: this variant Inkling's model does not have"
            )


# Weights: our names ⇄ the ecosystem's.

LLAMA = {
    "attention_norm": "input_layernorm",
    "mlp_norm": "post_attention_layernorm",
    "attention.q": "self_attn.q_proj",
    "attention.k": "self_attn.k_proj",
    "attention.v": "self_attn.v_proj",
    "attention.o": "self_attn.o_proj",
    "mlp.gate": "mlp.gate_proj",
    "mlp.up": "mlp.up_proj",
    "mlp.down": "mlp.down_proj",
}
GPT2 = {
    "attention_norm": "ln_1",
    "mlp_norm": "ln_2",
    "attention.o": "attn.c_proj",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}


def to_hf(model: GPT) -> dict[str, Tensor]:
    """The model's weights under the names, and in the layout, of its family in transformers."""
    ours = {name: tensor.detach() for name, tensor in model.named_parameters()}
    n_layer = model.config.n_layer
    if model.config.family == "llama":
        theirs = {
            "model.embed_tokens.weight": ours["tokens.weight"],
            "model.norm.weight": ours["norm.weight"],
        }
        if not model.config.tie_embeddings:
            theirs["lm_head.weight"] = ours["head.weight"]
        for i in range(n_layer):
            for name, hf in LLAMA.items():
                theirs[f"model.layers.{i}.{hf}.weight"] = ours[f"blocks.{i}.{name}.weight"]
        return theirs

    def with_bias(name: str) -> dict[str, Tensor]:
        weight = ours[name + ".weight"]
        return {"weight": weight, "bias": ours.get(name + ".bias", weight.new_zeros(len(weight)))}

    theirs = {"wte.weight": ours["tokens.weight"], "wpe.weight": ours["positions.weight"]}
    theirs |= {f"ln_f.{kind}": tensor for kind, tensor in with_bias("norm").items()}
    for i in range(n_layer):
        for name, hf in GPT2.items():
            pair = with_bias(f"blocks.{i}.{name}")
            # transformers' Conv1D holds the transpose of nn.Linear.
            theirs |= {f"h.{i}.{hf}.{kind}": tensor.t() for kind, tensor in pair.items()}
        qkv = [with_bias(f"blocks.{i}.attention.{part}") for part in "qkv"]
        theirs[f"h.{i}.attn.c_attn.weight"] = torch.cat([pair["weight"] for pair in qkv]).t()
        theirs[f"h.{i}.attn.c_attn.bias"] = torch.cat([pair["bias"] for pair in qkv])
    return theirs


def _full_name(config: GPTConfig, name: str) -> str:
    """A tensor's name as `to_hf` has it: some files add or leave out the outermost part."""
    if config.family == "gpt2":
        return name.removeprefix("transformer.")
    return name if name.startswith(("model.", "lm_head.")) else f"model.{name}"


def from_hf(config: GPTConfig, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """`to_hf` backwards. A missing name is a KeyError."""
    ours: dict[str, Tensor] = {}
    theirs = {_full_name(config, name): tensor for name, tensor in theirs.items()}
    if config.family == "llama":
        ours["tokens.weight"] = theirs["model.embed_tokens.weight"]
        ours["norm.weight"] = theirs["model.norm.weight"]
        if not config.tie_embeddings:
            ours["head.weight"] = theirs["lm_head.weight"]
        for i in range(config.n_layer):
            for name, hf in LLAMA.items():
                ours[f"blocks.{i}.{name}.weight"] = theirs[f"model.layers.{i}.{hf}.weight"]
        return ours
    ours["tokens.weight"], ours["positions.weight"] = theirs["wte.weight"], theirs["wpe.weight"]
    for kind in ("weight", "bias"):
        ours[f"norm.{kind}"] = theirs[f"ln_f.{kind}"]
        for i in range(config.n_layer):
            for name, hf in GPT2.items():
                ours[f"blocks.{i}.{name}.{kind}"] = theirs[f"h.{i}.{hf}.{kind}"].t()
            qkv = theirs[f"h.{i}.attn.c_attn.{kind}"].t().chunk(3)
            for part, tensor in zip("qkv", qkv, strict=True):
                ours[f"blocks.{i}.attention.{part}.{kind}"] = tensor
    return ours


NOT_WEIGHTS = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")
"""Names that older files carry though nothing is learned there."""


def is_weight(config: GPTConfig, name: str) -> bool:
    """Whether a tensor in a file is a weight: no mask or table, nor the tied output layer again."""
    return not name.endswith(NOT_WEIGHTS) and not (
        config.tie_embeddings and name == "lm_head.weight"
    )


def left_over(model: GPT, theirs: Iterable[str]) -> list[str]:
    """The names of weights in a file that `model` has no place for."""
    known = to_hf(model).keys()
    names = (name for name in theirs if is_weight(model.config, name))
    return sorted(name for name in names if _full_name(model.config, name) not in known)
