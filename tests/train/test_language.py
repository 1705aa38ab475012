"""Whether a model knows a text's language: by the model that ships and texts of one's own."""

from pathlib import Path

import pytest

import gpt
from tests.support.tiny_checkpoint import save_characters
from train.adapt.language import SAMPLE, language

ROOT = Path(__file__).parents[2]
ENGLISH = (ROOT / "data" / "story.txt").read_text(encoding="utf-8")[:3000]
GERMAN = (
    "Es war einmal ein alter Mann, der lebte allein in einem kleinen Haus am Rande des Waldes. "
    "Jeden Morgen ging er hinunter zum Fluss, um Wasser zu holen, und jeden Abend saß er vor der "
    "Tür und sah den Wolken nach. Eines Tages kam ein Fuchs des Weges, der hatte sich die Pfote "
    "verletzt. Der Mann nahm ihn mit ins Haus, wusch die Wunde und gab ihm zu essen. Da sprach der "
    "Fuchs: „Du hast mir geholfen, nun will ich dir auch helfen. Sag mir, was du dir wünschst.“ "
    "Der Alte dachte lange nach, denn er hatte alles, was er brauchte, nur keinen Freund. "
)


@pytest.fixture(scope="module")
def stories():
    return gpt.load(ROOT / "checkpoints" / "stories")


def test_the_stories_model_knows_english_and_no_other_language(stories) -> None:
    assert language(stories, ENGLISH).known
    for text in (GERMAN, "从前有一只狐狸，它住在山里，每天看月亮。" * 3):
        found = language(stories, text)
        assert found.bpb
        assert not found.known


def test_noise_knows_no_language_and_characters_it_never_saw_are_no_error(tmp_path) -> None:
    noise = gpt.load(save_characters(tmp_path / "noise"))
    found = language(noise, "The fox saw a hen in the long grass. " * 30)
    assert found.bpb
    assert not found.known
    assert language(noise, "Über").bpb is None
    with pytest.raises(ValueError, match="expected some text"):
        language(noise, "")


def test_the_middle_of_a_long_text_decides(tmp_path) -> None:
    noise = gpt.load(save_characters(tmp_path / "noise"))
    middle = "The fox saw a hen. " * (SAMPLE // 19 + 1)
    assert language(noise, "é" * 999 + middle[:SAMPLE] + "é" * 999) == language(
        noise, middle[:SAMPLE]
    )
