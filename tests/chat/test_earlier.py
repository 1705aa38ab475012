"""What earlier versions kept and exported is the same here: a library, the files of a story, seeds.

The files in earlier/ were made at commit b2237c7 with the shipped `shakespeare`; to the table in
story.md was added since which characters are whose.
"""

import shutil
from pathlib import Path

import pytest

import gpt
from chat.story.export import WRITERS, from_file
from chat.story.library import Kept, Library
from chat.story.tree import Story
from gpt.generator import Generator
from gpt.sampling import SamplingParams

EARLIER = Path(__file__).parent / "earlier"
SHIPPED = Path(__file__).parents[2] / "checkpoints" / "shakespeare"
STORY_ID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    shutil.copy(EARLIER / "library.db", tmp_path / "stories.sqlite")
    library = Library(tmp_path / "stories.sqlite")
    kept = library.load(STORY_ID, "local")
    library.close()
    return kept


@pytest.mark.parametrize("ending", ["txt", "md", "json"])
def test_a_story_of_an_earlier_library_is_written_to_the_same_file(kept: Kept, ending: str) -> None:
    earlier = (EARLIER / f"story.{ending}").read_bytes().decode()
    assert WRITERS[ending][0](kept.story) == earlier


def test_a_story_that_an_earlier_version_exported_is_opened_and_written_alike() -> None:
    earlier = (EARLIER / "story.json").read_bytes().decode()
    assert WRITERS["json"][0](from_file("story.json", earlier)) == earlier


def test_an_earlier_passage_s_settings_and_seed_give_its_text_again(kept: Kept) -> None:
    checkpoint = gpt.load(SHIPPED)
    generator = Generator(checkpoint.model, checkpoint.tokenizer)
    story, written = kept.story, 0
    for passage in story.passages:
        if passage.author != "model":
            continue
        settings = {**passage.settings, "seed": passage.seed}
        before = [checkpoint.tokenizer.bos_id, *ids_before(story, passage.id)]
        tokens = list(generator.stream(before, SamplingParams(**settings)))
        assert "".join(token.text for token in tokens) == passage.text
        assert tuple(token.id for token in tokens) == tuple(passage.ids)
        written += 1
    assert written == 5


def ids_before(story: Story, passage_id: str) -> list[int]:
    """The ids that a model had read when it wrote a passage: those of the path that leads there."""
    path = story.at(passage_id).path[:-1]
    return [id for passage in path for id in passage.ids]
