"""A checkpoint → one GGUF file, which llama.cpp, Ollama and LM Studio run, with its tokenizer.

The keys and the names of tensors are those that llama.cpp reads for its architectures "llama" and
"gpt2" (github.com/ggml-org/ggml, docs/gguf.md). A GGUF of its own converter would do for most
models, but that one knows a byte-pair tokenizer only by a table of published ones.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import gguf
import numpy as np
import torch
from torch import Tensor

from gpt.checkpoint.folder import Checkpoint
from gpt.checkpoint.generation_config import usable_defaults
from gpt.checkpoint.hf_names import to_hf
from gpt.config import GPTConfig
from gpt.files import CheckpointError, drafted, write_whole
from gpt.model import rotary_frequencies
from gpt.tokenizers import TokenizerError
from gpt.tokenizers.gguf_vocabulary import GgufVocabulary, TokenType, gguf_vocabulary

GgufType = Literal["f32", "bf16", "q8_0"]
_TYPES: Mapping[GgufType, tuple[gguf.GGMLQuantizationType, gguf.LlamaFileType]] = {
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}
_BLOCK = 32
"""Numbers that share a scale in q8_0; a row must be of whole blocks."""
_NAMES = {
    "llama": {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "lm_head": "output",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    },
    "gpt2": {
        "wte": "token_embd",
        "wpe": "position_embd",
        "ln_f": "output_norm",
        "ln_1": "attn_norm",
        "ln_2": "ffn_norm",
        "attn.c_attn": "attn_qkv",
        "attn.c_proj": "attn_output",
        "mlp.c_fc": "ffn_up",
        "mlp.c_proj": "ffn_down",
    },
}
_LAYER = re.compile(r"(?:model\.layers|h)\.(\d+)\.")
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
"""These models go on with a text and know no roles: in a chat window, too, what was said so far is
the story. Without a template of its own, llama.cpp would put marks around it that no story had."""


def write_gguf(checkpoint: Checkpoint, path: Path, *, type: GgufType = "f32") -> None:
    """Write a checkpoint as a GGUF, whole or not at all, and a Modelfile for Ollama beside it.

    Args:
        type: Of the matrices. Vectors stay float32, positions too, and in "q8_0" also matrices
            whose rows are no multiple of 32 numbers.

    Raises:
        CheckpointError: The model holds what a GGUF cannot say; the message has a way round.
        OSError: It cannot be written.
    """
    try:
        vocabulary = gguf_vocabulary(cast("Any", checkpoint.tokenizer))
    except TokenizerError as error:
        raise CheckpointError(f"no GGUF of {checkpoint.name}: {error}") from error
    sampling = usable_defaults(checkpoint.folder).values
    with drafted(path) as draft:
        writer = gguf.GGUFWriter(draft, checkpoint.config.family)
        try:
            writer.add_name(checkpoint.name)
            writer.add_file_type(_TYPES[type][1])
            writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
            _add_shape(writer, checkpoint.config)
            _add_tokenizer(writer, checkpoint, vocabulary)
            _add_sampling(writer, sampling)
            for name, tensor in gguf_tensors(checkpoint):
                _add_tensor(writer, name, tensor, type)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()
    write_whole(modelfile_of(path), modelfile(checkpoint, path, sampling))


def modelfile_of(path: Path) -> Path:
    """Where the Modelfile of a GGUF lies."""
    return path.with_suffix(".Modelfile")


def modelfile(checkpoint: Checkpoint, path: Path, sampling: Mapping[str, float]) -> str:
    """What `ollama create NAME -f` reads: the file, no words around a prompt, the model's settings.

    Args:
        sampling: Of `usable_defaults`.
    """
    names = {
        "temperature": "temperature",
        "top_k": "top_k",
        "top_p": "top_p",
        "min_p": "min_p",
        "repetition_penalty": "repeat_penalty",
        "max_new_tokens": "num_predict",
    }
    # Ollama's own defaults cut the tail of a distribution, which a model may not ask for.
    usual = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0}
    values = {theirs: ({**usual, **sampling}).get(ours) for ours, theirs in names.items()}
    lines = [f"PARAMETER {name} {value}" for name, value in values.items() if value is not None]
    lines += [f"PARAMETER num_ctx {checkpoint.config.block_size}"]
    return "\n".join([f"FROM ./{path.name}", 'TEMPLATE "{{ .Prompt }}"', *lines]) + "\n"


def gguf_tensors(checkpoint: Checkpoint) -> Iterator[tuple[str, Tensor]]:
    """Every tensor under the name, and in the layout, that llama.cpp reads."""
    config = checkpoint.config
    names = _NAMES[config.family]
    for name, tensor in to_hf(checkpoint.model).items():
        layer = _LAYER.match(name)
        stem, kind = name.removeprefix(layer[0] if layer else "").rsplit(".", 1)
        if config.family == "gpt2" and tensor.dim() == 2 and layer:
            tensor = tensor.t()  # back from transformers' Conv1D
        if stem in ("self_attn.q_proj", "self_attn.k_proj"):
            tensor = _interleaved(tensor, config.head_dim)
        yield f"{f'blk.{layer[1]}.' if layer else ''}{names[stem]}.{kind}", tensor
    if config.rope_scaling is not None and config.rope_scaling.kind == "llama3":
        yield "rope_freqs.weight", _slower(config)


def _interleaved(weight: Tensor, head_dim: int) -> Tensor:
    """Rows (H·D, C) for rotary positions that turn neighbours, from ones that turn halves."""
    heads = weight.view(-1, 2, head_dim // 2, weight.shape[-1])
    return heads.transpose(1, 2).reshape(weight.shape)


def _slower(config: GPTConfig) -> Tensor:
    """By how much each pair of channels turns more slowly than without scaling, (D/2,)."""
    return rotary_frequencies(replace(config, rope_scaling=None)) / rotary_frequencies(config)


def _add_shape(writer: gguf.GGUFWriter, config: GPTConfig) -> None:
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.block_size)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(config.n_inner)
    writer.add_head_count(config.n_head)
    if config.family == "gpt2":
        writer.add_layer_norm_eps(config.norm_eps)
        return
    writer.add_head_count_kv(config.n_kv_head)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_theta)
    if config.rope_scaling is not None and config.rope_scaling.kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config.rope_scaling.factor)


def _add_tokenizer(
    writer: gguf.GGUFWriter, checkpoint: Checkpoint, vocabulary: GgufVocabulary
) -> None:
    tokenizer, empty = checkpoint.tokenizer, checkpoint.config.vocab_size
    unused = range(len(vocabulary.tokens), empty)  # rows of the model that no token has
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list([*vocabulary.tokens, *(f"[unused {id}]" for id in unused)])
    writer.add_token_types([*vocabulary.types, *(TokenType.UNUSED for _ in unused)])
    if vocabulary.model == "llama":
        writer.add_token_scores([*vocabulary.scores, *(0.0 for _ in unused)])
        writer.add_add_space_prefix(False)
        writer.add_remove_extra_whitespaces(False)
        has_unknown = TokenType.UNKNOWN in vocabulary.types
        # Without one, llama.cpp takes id 0, which is a letter in a map of characters.
        writer.add_unk_token_id(
            vocabulary.types.index(TokenType.UNKNOWN) if has_unknown else tokenizer.eos_id
        )
    else:
        writer.add_token_merges(vocabulary.merges)
    writer.add_bos_token_id(tokenizer.bos_id)
    writer.add_eos_token_id(tokenizer.eos_id)
    writer.add_pad_token_id(tokenizer.eos_id)
    keys = (writer.add_eot_token_id, writer.add_eom_token_id)
    others = sorted(tokenizer.end_ids - {tokenizer.eos_id})
    if len(others) > len(keys):
        raise CheckpointError(
            f"no GGUF of {checkpoint.name}: {len(others) + 1} of its tokens end a text, and a GGUF "
            "can name 3: leave the others out of eos_token_id in its generation_config.json"
        )
    for add, id in zip(keys, others, strict=False):
        add(id)
    writer.add_add_bos_token(True)  # every story was trained to begin after it
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _add_sampling(writer: gguf.GGUFWriter, sampling: Mapping[str, float]) -> None:
    """The model's own settings, which llama.cpp follows where a request says nothing."""
    keys: dict[str, Callable[[Any], None]] = {
        "temperature": writer.add_sampling_temp,
        "top_k": writer.add_sampling_top_k,
        "top_p": writer.add_sampling_top_p,
        "min_p": writer.add_sampling_min_p,
        "repetition_penalty": writer.add_sampling_penalty_repeat,
    }
    for name, add in keys.items():
        if name in sampling:
            add(sampling[name])


def _add_tensor(writer: gguf.GGUFWriter, name: str, tensor: Tensor, type: GgufType) -> None:
    numbers: np.ndarray[Any, Any] = tensor.detach().to("cpu", torch.float32).contiguous().numpy()
    matrix = tensor.dim() == 2 and name != "position_embd.weight"
    kind = _TYPES[type][0] if matrix else _TYPES["f32"][0]
    if kind == _TYPES["q8_0"][0] and tensor.shape[-1] % _BLOCK:
        kind = _TYPES["f32"][0]
    if kind == _TYPES["f32"][0]:
        writer.add_tensor(name, numbers)
    else:
        writer.add_tensor(name, gguf.quantize(numbers, kind), raw_dtype=kind)
