"""LoRA: a model with fresh adapters is the model; trained and merged it is a plain one again."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import gpt
from gpt import checkpoint
from gpt.tokenizers import CharTokenizer
from tests.support.tiny import SHAPES, tiny_model
from train.adapt.lora import LoRALinear, add_adapters, merged

TOKENS = torch.arange(2 * 20).view(2, 20) % 61


def trained(name: str, *, rank: int = 3, first: int = 0) -> tuple[gpt.GPT, gpt.GPT]:
    """A tiny model, and the same with adapters after a few steps on nonsense."""
    before, model = (tiny_model(SHAPES[name]) for _ in range(2))
    add_adapters(model, rank, first=first)
    taught = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(taught, lr=0.01)
    for _ in range(5):
        loss = F.cross_entropy(model(TOKENS[:, :-1]).flatten(0, 1), TOKENS[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return before, model


@pytest.mark.parametrize("name", SHAPES)
def test_fresh_adapters_change_nothing(name: str) -> None:
    model = tiny_model(SHAPES[name])
    before = model(TOKENS)
    add_adapters(model, 3)
    assert torch.equal(model(TOKENS), before)


@pytest.mark.parametrize("name", SHAPES)
def test_merged_the_model_is_plain_and_writes_the_same(name: str) -> None:
    before, model = trained(name)
    plain = merged(model)
    assert plain.state_dict().keys() == before.state_dict().keys()
    assert plain.n_params == before.n_params
    assert not any(isinstance(layer, LoRALinear) for layer in plain.modules())
    with torch.no_grad():
        ours, theirs = plain(TOKENS), model(TOKENS)
        assert (ours - theirs).abs().max() < 1e-5
        assert (ours - before(TOKENS)).abs().max() > 1e-2
    assert any(isinstance(layer, LoRALinear) for layer in model.modules())  # it trains on


@pytest.mark.parametrize("name", SHAPES)
def test_only_the_adapters_learn(name: str) -> None:
    before, model = trained(name)
    learnt = {n for n, p in model.named_parameters() if p.requires_grad}
    assert {n.rsplit(".", 1)[1] for n in learnt} == {"a", "b"}
    after = {n.replace(".linear.", "."): p for n, p in model.named_parameters() if n not in learnt}
    assert after.keys() == dict(before.named_parameters()).keys()
    for n, parameter in before.named_parameters():
        assert torch.equal(parameter, after[n]), n


def test_every_linear_layer_has_one_and_a_tied_output_layer_none() -> None:
    for name, layers in {"gpt2": 6, "llama": 7, "llama-untied-grouped": 7}.items():
        model = tiny_model(SHAPES[name])
        add_adapters(model, 2)
        adapted = [n for n, layer in model.named_modules() if isinstance(layer, LoRALinear)]
        untied = name == "llama-untied-grouped"
        assert len(adapted) == layers * 2 + untied
        assert ("head" in adapted) == untied


def test_the_lowest_blocks_can_be_left_out() -> None:
    before, model = trained("llama", first=1)
    plain = dict(merged(model).named_parameters())
    for name, parameter in before.named_parameters():
        same = torch.equal(parameter, plain[name])
        assert same == ("blocks.1." not in name or "norm" in name), name


def test_a_merged_model_is_saved_and_opened_like_any_other(tmp_path: Path) -> None:
    _, model = trained("llama")
    tokenizer = CharTokenizer([chr(65 + i) for i in range(60)])
    folder = tmp_path / "merged"
    checkpoint.save(folder, merged(model), tokenizer, card="", training={}, dtype=torch.float32)
    with torch.no_grad():
        ours = gpt.load(folder).model(TOKENS)
        assert (ours - model(TOKENS)).abs().max() < 1e-4


@pytest.mark.parametrize("rank", [0, -1, 33])
def test_a_rank_that_makes_no_sense_is_refused(rank: int) -> None:
    with pytest.raises(ValueError, match=f"between 1 and 32, .* not {rank}"):
        add_adapters(tiny_model(SHAPES["llama"]), rank)
