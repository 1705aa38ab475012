"""The model: cached equals whole, it looks only back, and it is what transformers runs."""

import math
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from gpt.cache import MOST_BYTES, KVCache, stories_for
from gpt.checkpoint.hf_format import hf_config
from gpt.checkpoint.hf_names import to_hf
from gpt.config import GPTConfig
from gpt.model import GPT
from tests.support.tiny import SHAPES, tiny_model

SPLITS = [[12], [1] * 12, [5, 1, 1, 5], [11, 1], [2, 3, 7]]


@pytest.fixture(params=SHAPES)
def model(request: pytest.FixtureRequest) -> GPT:
    return tiny_model(SHAPES[request.param])


def random_tokens(model: GPT, *shape: int) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randint(model.config.vocab_size, shape)


def in_transformers(model: GPT) -> torch.nn.Module:
    """The same weights in transformers' own class."""
    values = hf_config(model.config, 0, torch.float32)
    for key in ("architectures", "model_type", "torch_dtype"):
        values.pop(key)
    values["attn_implementation"] = "eager"
    if model.config.family == "gpt2":
        theirs: torch.nn.Module = GPT2LMHeadModel(GPT2Config(**values))
        weights = {f"transformer.{name}": tensor for name, tensor in to_hf(model).items()}
        weights["lm_head.weight"] = weights["transformer.wte.weight"]
    else:
        theirs = LlamaForCausalLM(LlamaConfig(**values))
        weights = to_hf(model)
        weights.setdefault("lm_head.weight", weights["model.embed_tokens.weight"])
    theirs.load_state_dict(weights)
    return theirs.eval()


def test_gpt2_124m_has_the_published_parameter_count() -> None:
    config = GPTConfig(
        family="gpt2", vocab_size=50257, block_size=1024, n_layer=12, n_head=12, n_embd=768
    )
    with torch.device("meta"):
        assert GPT(config).n_params == 124_439_808


@pytest.mark.parametrize("split", SPLITS, ids=str)
@torch.inference_mode()
def test_cached_logits_equal_full_forward(model: GPT, split: list[int]) -> None:
    tokens = random_tokens(model, 3, 12)
    cache = KVCache(model.config, batch_size=3)
    pieces = [model(piece, cache) for piece in tokens.split(split, dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), model(tokens), atol=2e-5, rtol=0)
    assert cache.lengths == [12, 12, 12]


@torch.inference_mode()
def test_every_length_up_to_the_window_agrees_with_the_cache(model: GPT) -> None:
    tokens = random_tokens(model, 1, model.config.block_size)
    cache = KVCache(model.config, batch_size=1)
    for length in range(1, model.config.block_size + 1):
        cached = model(tokens[:, length - 1 : length], cache)[:, -1]
        whole = model(tokens[:, :length])[:, -1]
        torch.testing.assert_close(cached, whole, atol=2e-5, rtol=0)


@torch.inference_mode()
def test_rows_of_unequal_length_are_bit_for_bit_what_they_are_alone(model: GPT) -> None:
    tokens = random_tokens(model, 4, 20)
    together = KVCache(model.config, batch_size=6)
    alone = [KVCache(model.config, batch_size=1) for _ in range(4)]
    rows, past = [5, 0, 3, 2], [3, 9, 1, 14]
    for i, row in enumerate(rows):
        model(tokens[i : i + 1, : past[i]], together, [row])
        model(tokens[i : i + 1, : past[i]], alone[i])
    for step in range(5):
        new = torch.stack([tokens[i, past[i] + step] for i in range(4)])[:, None]  # (4, 1)
        logits = model(new, together, rows)
        for i in range(4):
            assert torch.equal(logits[i : i + 1], model(new[i : i + 1], alone[i]))


@torch.inference_mode()
def test_a_reset_row_begins_anew(model: GPT) -> None:
    tokens = random_tokens(model, 2, 8)
    cache = KVCache(model.config, batch_size=2)
    model(tokens, cache)
    cache.reset(1)
    assert cache.lengths == [8, 0]
    again = model(tokens[:1], cache, [1])
    torch.testing.assert_close(again, model(tokens[:1]), atol=2e-5, rtol=0)


@torch.inference_mode()
@pytest.mark.parametrize(
    ("window", "stories"), [(512, 64), (1024, 35), (2048, 17), (4096, 8), (16384, 8)]
)
def test_a_large_model_writes_fewer_stories_at_once_but_never_under_eight(
    window: int, stories: int
) -> None:
    config = GPTConfig(block_size=window, n_layer=6, n_head=6, n_embd=384, vocab_size=9)
    assert stories_for(config) == stories
    cache = KVCache(config, stories, device="meta")
    if stories > 8:
        assert 2 * cache.keys.numel() * 4 <= MOST_BYTES


def test_last_gives_only_the_last_position(model: GPT) -> None:
    tokens = random_tokens(model, 2, 9)
    torch.testing.assert_close(model(tokens, last=True), model(tokens)[:, -1:], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_later_token_changes_no_earlier_logits(model: GPT) -> None:
    tokens = random_tokens(model, 1, 12)
    changed = tokens.clone()
    changed[0, 7] = (changed[0, 7] + 1) % model.config.vocab_size
    before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.equal(before[:, 7:], after[:, 7:])


@torch.inference_mode()
def test_a_sequence_beyond_the_window_is_refused(model: GPT) -> None:
    block = model.config.block_size
    with pytest.raises(ValueError, match=f"{block + 1} tokens exceeds block_size={block}"):
        model(random_tokens(model, 1, block + 1))
    cache = KVCache(model.config, batch_size=1)
    model(random_tokens(model, 1, block), cache)
    with pytest.raises(ValueError, match="exceeds block_size"):
        model(random_tokens(model, 1, 1), cache)
    with pytest.raises(ValueError, match="a cache row for each of 2"):
        model(random_tokens(model, 2, 1), KVCache(model.config, batch_size=3), [0])


@torch.inference_mode()
def test_logits_are_those_of_transformers(model: GPT) -> None:
    tokens = random_tokens(model, 3, model.config.block_size)
    theirs = in_transformers(model)(tokens).logits
    torch.testing.assert_close(model(tokens), theirs, atol=1e-5, rtol=1e-5)


def test_loss_and_gradients_are_those_of_transformers(model: GPT) -> None:
    tokens = random_tokens(model, 2, 12)
    theirs = in_transformers(model)
    their_loss = theirs(tokens, labels=tokens).loss
    their_loss.backward()
    model.requires_grad_(True)
    loss = F.cross_entropy(model(tokens)[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    torch.testing.assert_close(loss, their_loss, atol=1e-5, rtol=0)
    embedding = theirs.get_input_embeddings().weight.grad  # pyright: ignore
    torch.testing.assert_close(model.tokens.weight.grad, embedding, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", SHAPES)
def test_a_new_model_knows_nothing(name: str) -> None:
    torch.manual_seed(0)
    model = GPT(SHAPES[name])
    tokens = random_tokens(model, 8, 24)
    loss = F.cross_entropy(model(tokens)[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(model.config.vocab_size), abs=0.1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_embd": 30, "n_head": 4}, "not a multiple"),
        ({"n_head": 4, "n_kv_head": 3, "n_embd": 32}, "no multiple of n_kv_head=3"),
        ({"family": "gpt2", "n_head": 4, "n_kv_head": 2, "n_embd": 32}, "n_kv_head=4, not 2"),
        ({"family": "gpt2", "tie_embeddings": False}, "tie_embeddings=True"),
        ({"family": "mamba"}, "'gpt2' or 'llama'"),
        ({"n_layer": 0}, "n_layer must be at least 1"),
        ({"dropout": 1.0}, "dropout must be in"),
        ({"head_dim": 5}, "must be even"),
    ],
)
def test_an_impossible_shape_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GPTConfig(vocab_size=10, **values)  # pyright: ignore


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_a_config_survives_json(config: GPTConfig) -> None:
    assert GPTConfig.from_dict(config.to_dict()) == config
    with pytest.raises(ValueError, match="n_layers"):
        GPTConfig.from_dict({**config.to_dict(), "n_layers": 3})


def test_a_row_of_the_cache_can_be_cut_to_any_length_it_has_and_to_nothing() -> None:
    cache = KVCache(SHAPES["llama"], 2)
    for length, left in ((9, 5), (5, 5), (3, 3), (0, 0)):
        cache.reset(1)
        cache.advance(1, 5)
        cache.cut(1, length)
        assert cache.lengths == [0, left]
    cache.cut(0, -1)
    assert cache.lengths == [0, 0]


def test_a_cache_is_of_the_kind_that_is_asked_for_and_as_long_as_the_models_window() -> None:
    config = SHAPES["llama"]
    shape = (config.n_layer, 3, config.n_kv_head, config.block_size, config.head_dim)
    kinds: list[dict[str, Any]] = [{"dtype": torch.bfloat16}, {"device": "meta"}]
    for how in kinds:
        cache = KVCache(config, 3, **how)
        assert cache.block_size == config.block_size
        assert cache.keys is not cache.values
        for each in (cache.keys, cache.values):
            assert tuple(each.shape) == shape
            assert each.dtype == how.get("dtype", torch.float32)
            assert each.device.type == how.get("device", "cpu")
