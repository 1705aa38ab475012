"""Our config ⇄ `config.json` of Hugging Face's GPT-2, Llama and Mistral classes.

A Mistral without a sliding window computes what a Llama does, and is one here.

Pure functions over dictionaries; reading and writing the files is `gpt.checkpoint`'s.
"""

from typing import Any

import torch
from pydantic import ValidationError

from gpt.checkpoint.schema import Gpt2Values, LlamaValues, Rope, explained
from gpt.config import GPTConfig, RopeScaling


class FormatError(ValueError):
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
    rope = _hf_rope(config)
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
        # transformers 5 reads rope_parameters, MLX and older ones only the others.
        "rope_theta": config.rope_theta,
        "rope_parameters": rope,
        **({"rope_scaling": rope} if config.rope_scaling else {}),
        **shared,
    }


def _hf_rope(config: GPTConfig) -> dict[str, Any]:
    scaling = config.rope_scaling
    if scaling is None:
        return {"rope_type": "default", "rope_theta": config.rope_theta}
    rope = {"rope_type": scaling.kind, "rope_theta": config.rope_theta, "factor": scaling.factor}
    if scaling.kind == "llama3":
        rope |= {
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_block_size,
        }
    return rope


def config_from_hf(values: dict[str, Any]) -> GPTConfig:
    """The config that a config.json describes.

    Raises:
        FormatError: another architecture, a variant our families do not have, or sizes that no
            model has.
    """
    family = values.get("model_type")
    if family not in ("gpt2", "llama", "mistral"):
        raise FormatError(
            "expected a gpt2 or llama model, or a mistral without a sliding window, config.json "
            f"says model_type={family!r:.80}: Inkling runs these families"
        )
    if "auto_map" in values:
        raise FormatError(
            "config.json asks for code of its own to be run (auto_map), which Inkling never does"
        )
    try:
        if family == "gpt2":
            _expect("", values, BOTH | GPT2_ONLY)
            config = _gpt2_config(values)
        else:
            config = _llama_config(_mistral_as_llama(values) if family == "mistral" else values)
    except ValidationError as error:
        raise FormatError(f"config.json of a {family} model {explained(error)}") from error
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(f"config.json of a {family} model lacks or misstates {error}") from error
    if config.family == "llama" and config.block_size * config.head_dim > LARGEST_TABLE:
        raise FormatError(
            f"config.json asks for {config.block_size:,} positions of {config.head_dim} channels "
            f"in each head: expected a product of {LARGEST_TABLE:,} at most"
        )
    return config


def _gpt2_config(values: dict[str, Any]) -> GPTConfig:
    given = Gpt2Values.model_validate(values)
    return GPTConfig(
        family="gpt2",
        vocab_size=given.vocab_size,
        block_size=given.n_positions,
        n_layer=given.n_layer,
        n_head=given.n_head,
        n_embd=given.n_embd,
        n_inner=given.n_inner or 0,
        norm_eps=given.layer_norm_epsilon,
    )


def _llama_config(values: dict[str, Any]) -> GPTConfig:
    _expect("", values, BOTH | LLAMA_ONLY)
    for name in ("rope_parameters", "rope_scaling"):
        if not isinstance(given := values.get(name), dict | None):
            raise FormatError(f"expected {name} of config.json to be an object, not {given!r:.80}")
    given = LlamaValues.model_validate(values)
    # As transformers: a rope_scaling that says anything counts alone.
    which = "rope_scaling" if values.get("rope_scaling") else "rope_parameters"
    rope = (given.rope_scaling if which == "rope_scaling" else given.rope_parameters) or Rope()
    return GPTConfig(
        family="llama",
        vocab_size=given.vocab_size,
        block_size=given.max_position_embeddings,
        n_layer=given.num_hidden_layers,
        n_head=given.num_attention_heads,
        n_kv_head=given.num_key_value_heads or 0,
        n_embd=given.hidden_size,
        head_dim=given.head_dim or 0,
        n_inner=given.intermediate_size,
        tie_embeddings=given.tie_word_embeddings,
        rope_theta=rope.rope_theta or given.rope_theta or 10_000.0,
        rope_scaling=_scaling(which, values.get(which) or {}, rope, given),
        norm_eps=given.rms_norm_eps,
    )


def _scaling(
    which: str, values: dict[str, Any], rope: Rope, given: LlamaValues
) -> RopeScaling | None:
    """The scaling that `values`, an object of config.json named `which`, ask for."""
    # "type" is what files from before 2024 call it.
    kind = values.get("rope_type", values.get("type", "default"))
    _expect(f"{which}.", values, UNSCALED if kind == "default" else SCALED)
    if kind == "default":
        return None
    if rope.factor is None:
        raise FormatError(f"config.json scales its positions ({kind}) and {which} has no factor")
    if kind == "linear":
        return RopeScaling(kind="linear", factor=rope.factor)
    if rope.low_freq_factor is None or rope.high_freq_factor is None:
        raise FormatError(
            f"config.json scales its positions (llama3) and {which} has no low_freq_factor and "
            "high_freq_factor"
        )
    return RopeScaling(
        kind="llama3",
        factor=rope.factor,
        low_freq_factor=rope.low_freq_factor,
        high_freq_factor=rope.high_freq_factor,
        original_block_size=given.original_max_position_embeddings
        or rope.original_max_position_embeddings
        or given.max_position_embeddings,
    )


def _mistral_as_llama(values: dict[str, Any]) -> dict[str, Any]:
    """The config.json of a Mistral in a Llama's terms, where its defaults are others.

    Raises:
        FormatError: its sliding window is shorter than the whole.
    """
    window: object = values.get("sliding_window", MISTRAL_WINDOW)
    length: object = values.get("max_position_embeddings")
    if type(window) is int and type(length) is int and window < length:
        raise FormatError(
            f"this mistral model attends over a sliding window of {window:,} of its {length:,} "
            "positions, which Inkling's model does not have: take one whose config.json says "
            "sliding_window: null, as Mistral's from version 0.2 on"
        )
    whole = {"sliding_window": None} if type(window) is int else {}
    return {"num_key_value_heads": MISTRAL_KV_HEADS} | values | whole


MISTRAL_WINDOW, MISTRAL_KV_HEADS = 4096, 8
"""What a config.json of a Mistral means that names no sliding_window, or no num_key_value_heads."""
LARGEST_TABLE = 1 << 25
"""Positions times channels of a head: the rotary tables of this are 134 MB."""
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
WHOLE: tuple[Any, ...] = (None, 1, 1.0)
LLAMA_ONLY: dict[str, tuple[Any, ...]] = {
    "hidden_act": ("silu",),
    "attention_bias": (False,),
    "mlp_bias": (False,),
    "partial_rotary_factor": WHOLE,
}
SCALED: dict[str, tuple[Any, ...]] = {
    "rope_type": ("default", "linear", "llama3"),
    "type": ("default", "linear", "llama3"),
    "partial_rotary_factor": WHOLE,
}
UNSCALED = SCALED | {"factor": WHOLE}


def _expect(where: str, values: dict[str, Any], allowed: dict[str, tuple[Any, ...]]) -> None:
    for name, choices in allowed.items():
        # 0 is equal to False, but no truth value.
        if name in values and not any(
            type(values[name]) is type(choice) and values[name] == choice for choice in choices
        ):
            raise FormatError(
                f"expected {where}{name} to be one of {list(choices)}, config.json says "
                f"{values[name]!r:.80}: this variant Inkling's model does not have"
            )
