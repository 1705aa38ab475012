"""Our weights ⇄ those of Hugging Face's GPT-2 and Llama classes, by name, layout and shape.

Pure functions over dictionaries; reading and writing the files is `gpt.checkpoint`'s.
"""

import torch
from torch import Tensor

from gpt.config import GPTConfig
from gpt.model import GPT

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


def hf_shapes(config: GPTConfig) -> dict[str, tuple[int, ...]]:
    """The shape of each of `to_hf`'s tensors, known without making a model."""
    C, inner, vocab = config.n_embd, config.n_inner, config.vocab_size
    if config.family == "llama":
        q, kv = config.n_head * config.head_dim, config.n_kv_head * config.head_dim
        of = {
            "attention_norm": (C,),
            "mlp_norm": (C,),
            "attention.q": (q, C),
            "attention.k": (kv, C),
            "attention.v": (kv, C),
            "attention.o": (C, q),
            "mlp.gate": (inner, C),
            "mlp.up": (inner, C),
            "mlp.down": (C, inner),
        }
        found = {"model.embed_tokens.weight": (vocab, C), "model.norm.weight": (C,)}
        if not config.tie_embeddings:
            found["lm_head.weight"] = (vocab, C)
        layers = range(config.n_layer)
        return found | {
            f"model.layers.{i}.{hf}.weight": of[name] for i in layers for name, hf in LLAMA.items()
        }
    linear = {
        "attn.c_attn": (C, 3 * C),
        "attn.c_proj": (C, C),
        "mlp.c_fc": (C, inner),
        "mlp.c_proj": (inner, C),
        "ln_1": (C,),
        "ln_2": (C,),
    }
    found = {"wte.weight": (vocab, C), "wpe.weight": (config.block_size, C)}
    found |= {"ln_f.weight": (C,), "ln_f.bias": (C,)}
    for i in range(config.n_layer):
        for hf, shape in linear.items():
            found |= {f"h.{i}.{hf}.weight": shape, f"h.{i}.{hf}.bias": shape[-1:]}
    return found


def full_name(config: GPTConfig, name: str) -> str:
    """A tensor's name as `to_hf` has it: some files add or leave out the outermost part."""
    if config.family == "gpt2":
        return name.removeprefix("transformer.")
    return name if name.startswith(("model.", "lm_head.")) else f"model.{name}"


def from_hf(config: GPTConfig, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """`to_hf` backwards. A missing name is a KeyError."""
    ours: dict[str, Tensor] = {}
    theirs = {full_name(config, name): tensor for name, tensor in theirs.items()}
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
