"""The picture of temperature: it shows what the sampler does, and says what was cut."""

import math
from pathlib import Path

import pytest
import torch

import gpt
from gpt.generator import Generator
from gpt.sampling import SamplingParams
from train.plot_temperature import entropy, main, next_logits, panels, plot_temperature, visible

SHIPPED = Path(__file__).parents[2] / "checkpoints"


def test_panels_hold_the_distribution_before_and_after_the_cuts() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    flat, sharp = panels(logits, [], SamplingParams(top_k=2, top_p=1.0), [1.0, 0.5])
    assert torch.allclose(flat.before, logits.double().softmax(-1))
    assert torch.allclose(sharp.before, (2 * logits).double().softmax(-1))
    for panel, times in ((flat, 1), (sharp, 2)):
        assert panel.n_kept == 2
        assert torch.allclose(panel.after[:2], (times * logits[:2]).double().softmax(-1))
        assert panel.after[2:].tolist() == [0, 0]


def test_entropy_is_that_of_as_many_equal_tokens() -> None:
    assert entropy(torch.full((8,), 1 / 8)) == pytest.approx(math.log(8))
    assert entropy(torch.tensor([1.0, 0.0])) == 0.0


def test_the_plotted_distribution_is_the_one_the_generator_draws_from() -> None:
    checkpoint = gpt.load(SHIPPED / "shakespeare")
    params = SamplingParams(temperature=0.8, top_p=0.9, max_new_tokens=1, seed=1)
    prompt = "ROMEO:\nO, she doth teach the torches to bur" * 9  # longer than the window
    logits, seen = next_logits(checkpoint, prompt)
    (panel,) = panels(logits, seen, params, [0.8])
    (token,) = Generator(checkpoint.model, checkpoint.tokenizer).stream(prompt, params)
    for alternative in token.top:
        drawn = float(panel.after[alternative.id])
        assert drawn == pytest.approx(alternative.probability, abs=1e-5)


def test_every_temperature_has_its_panel_and_cut_tokens_their_own_colour() -> None:
    checkpoint = gpt.load(SHIPPED / "shakespeare")
    params = SamplingParams(top_k=3, top_p=1.0)
    figure = plot_temperature(checkpoint, "To be, or not to ", params, [0.5, 1.3], bars=5)
    assert "top-k 3" in figure.get_suptitle()
    for axes, temperature in zip(figure.axes, ("0.5", "1.3"), strict=True):
        assert axes.get_title().startswith(f"temperature {temperature}\n")
        assert "3 of " in axes.get_title()
        colours = [bar.get_facecolor() for bar in axes.patches]
        assert len(set(colours)) == 2
        assert colours[:3] == [colours[0]] * 3


def test_a_token_that_cannot_be_seen_gets_a_mark() -> None:
    assert [visible(piece) for piece in (" the", "\n", "", "a", "語")] == [
        *("␣the", "↵", "∅", "a", "U+8A9E")
    ]


def test_the_command_writes_a_png(tmp_path: Path) -> None:
    out = tmp_path / "plot.png"
    main([str(SHIPPED / "shakespeare"), "$x and $y", "--out", str(out), "--temperatures", "0", "1"])
    assert out.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--top-p", "2"], "top_p must be"),
        (["--temperatures", "9"], "temperature must be"),
        (["--bars", "0"], "--bars must be at least 1, not 0"),
        (["--repetition-penalty", "1.2"], "every letter has already appeared"),
        (["--out", "/no/such/folder/plot.png"], "No such file"),
    ],
)
def test_a_wrong_option_is_one_clear_line(more: list[str], message: str, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "plot.png")]
    with pytest.raises(SystemExit, match=message):
        main([str(SHIPPED / "shakespeare"), "To be", *out, *more])


def test_a_character_the_model_never_saw_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="ж"):
        main([str(SHIPPED / "shakespeare"), "ж", "--out", str(tmp_path / "plot.png")])
