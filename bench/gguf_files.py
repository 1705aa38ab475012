"""A model as a GGUF file, for a measurement alone: its vocabulary is made of numbers.

Prompts are given as ids there, so no text is ever read with it.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, cat, nn

from gpt.decode.weights import Precision
from gpt.model import GPT

BLOCK = 32
"""Values that share a scale in Q8_0: rows of another length stay float32."""


def array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().float().contiguous().numpy()


def neighbours(weight: Tensor, heads: int) -> Tensor:
    """Rows of q or k (H·D, C) so that rotary turns neighbours, as GGUF's "llama" has it."""
    return weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def tensors(model: GPT) -> dict[str, Tensor]:
    """The weights by the names that llama.cpp reads."""
    config = model.config
    found: dict[str, Tensor] = {}

    def put(name: str, module: Any) -> None:
        found[f"{name}.weight"] = module.weight
        if getattr(module, "bias", None) is not None:
            found[f"{name}.bias"] = module.bias

    put("token_embd", model.tokens)
    put("output_norm", model.norm)
    if model.positions is not None:
        put("position_embd", model.positions)
    if model.head is not None:
        put("output", model.head)
    for i, block in enumerate(model.blocks):
        layer = f"blk.{i}"
        attention: Any = block.get_submodule("attention")
        mlp: Any = block.get_submodule("mlp")
        put(f"{layer}.attn_norm", block.get_submodule("attention_norm"))
        put(f"{layer}.ffn_norm", block.get_submodule("mlp_norm"))
        put(f"{layer}.attn_output", attention.o)
        put(f"{layer}.ffn_up", mlp.up)
        put(f"{layer}.ffn_down", mlp.down)
        three: list[nn.Linear] = [attention.q, attention.k, attention.v]
        if config.family == "gpt2":
            found[f"{layer}.attn_qkv.weight"] = cat([one.weight for one in three])
            if config.bias:
                found[f"{layer}.attn_qkv.bias"] = cat([one.bias for one in three])
            continue
        put(f"{layer}.ffn_gate", mlp.gate)
        found[f"{layer}.attn_q.weight"] = neighbours(attention.q.weight, config.n_head)
        found[f"{layer}.attn_k.weight"] = neighbours(attention.k.weight, config.n_kv_head)
        put(f"{layer}.attn_v", attention.v)
    return found


def write_gguf(model: GPT, path: Path, precision: Precision) -> None:
    """Write a model at a precision: matrices as F32, BF16 or Q8_0, vectors as F32.

    Raises:
        ImportError: there is no `gguf` package.
    """
    import gguf

    config = model.config
    types = gguf.GGMLQuantizationType
    kind = {"float32": types.F32, "bfloat16": types.BF16, "int8": types.Q8_0}[precision]
    writer = gguf.GGUFWriter(path, config.family)
    writer.add_context_length(config.block_size)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(config.n_inner)
    writer.add_head_count(config.n_head)
    writer.add_head_count_kv(config.n_kv_head)
    if config.family == "llama":
        writer.add_layer_norm_rms_eps(config.norm_eps)
        writer.add_rope_freq_base(config.rope_theta)
        writer.add_rope_dimension_count(config.head_dim)
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
        writer.add_vocab_size(config.vocab_size)
    else:
        writer.add_layer_norm_eps(config.norm_eps)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"▁{i}" for i in range(config.vocab_size)])
    writer.add_token_scores([0.0] * config.vocab_size)
    writer.add_token_types([gguf.TokenType.NORMAL] * config.vocab_size)
    for add in (writer.add_bos_token_id, writer.add_eos_token_id, writer.add_unk_token_id):
        add(0)
    for name, tensor in tensors(model).items():
        values = array(tensor)
        # llama.cpp adds positions as they are, and knows them as float32 alone.
        plain = values.ndim == 1 or name.startswith("position")
        as_kind = types.F32 if plain or values.shape[-1] % BLOCK else kind
        writer.add_tensor(name, gguf.quants.quantize(values, as_kind), raw_dtype=as_kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
