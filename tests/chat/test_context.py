"""Memory and author's note: where they stand, what they cost, and that they are kept."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.generate.placing import halves, note_place, placed
from chat.generate.prompt import prompt_of
from chat.panels.dispatch import answer_query
from chat.panels.settings import act_on_settings
from chat.session import Session
from chat.story import Context, ContextError, Passage, Story
from chat.story.context import LONGEST_MEMORY
from chat.story.export import FileError, opened, to_json, to_markdown, to_text
from chat.story.kept import Kept
from chat.story.library import Library
from gpt.text.prompt import window_of
from gpt.tokenizers import BPETokenizer, CharTokenizer
from tests.chat.test_remote_session import with_server
from tests.chat.test_session import in_a_session
from tests.support.fake_engine import fake_engine
from tests.support.tiny_checkpoint import LETTERS, save_bytes, save_characters

FOX = Context("Tom is a red fox.", "[Sad and slow.]", 1)
TALE = "Once upon a time.\n\nTom ran.\n\nHe was"
CHARACTERS = CharTokenizer.train([LETTERS + "[]"])
PAIRS = BPETokenizer.train(["the story of the lion\n\nand the mouse\n\n"], 270)
LINES = st.lists(st.sampled_from(["One two.", "", " ", "A fox ran on and on."]), max_size=8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    letters = LETTERS + "[]"
    save_characters(root / "checkpoints" / "letters", letters=letters, block_size=128)
    save_characters(root / "checkpoints" / "small", letters=letters, block_size=40)
    save_characters(root / "checkpoints" / "lower", letters="abcdefghijklmnopqrstuvwxyz .\n")
    save_bytes(root / "checkpoints" / "bytes", noise="abc \n")
    return root


async def put(session: Session, context: Context) -> None:
    await act_on_settings(session, {"act": "context", **context.to_dict()})


def test_a_note_stands_before_so_many_paragraphs_and_one_too_deep_before_all():
    places = [note_place(TALE, depth) for depth in range(1, 5)]
    assert [TALE[place:] for place in places] == [
        "He was",
        "Tom ran.\n\nHe was",
        TALE,
        TALE,
    ]
    assert note_place("", 1) == 0
    assert note_place("One.\nTwo.\n\n \n", 1) == 5


@given(LINES, st.integers(1, 20))
def test_as_many_paragraphs_follow_a_note_as_are_asked_for(lines, depth):
    text = "\n".join(lines)
    place = note_place(text, depth)
    follow = [line for line in text[place:].split("\n") if line.strip()]
    before = [line for line in text[:place].split("\n") if line.strip()]
    assert len(follow) == depth or (not before and len(follow) < depth)
    assert place == 0 or text[place - 1] == "\n"


@given(LINES, LINES, st.integers(1, 4), st.integers(16, 60), st.sampled_from([CHARACTERS, PAIRS]))
def test_a_model_reads_memory_story_and_note_and_a_window_has_all_but_the_story_s_beginning(
    first, second, depth, window, tokenizer
):
    story = Story()
    for text in ("\n".join(first), "\n".join(second)):
        if text:
            ids = tuple(tokenizer.encode(text))
            story = story.append(Passage(author="model", text=text, ids=ids, model="m"))
    context = Context("Fox", "Sad", depth)
    prompt = placed(story, context, "m", tokenizer)
    place = note_place(story.text, depth)
    whole = f"Fox\n{story.text[:place]}Sad\n{story.text[place:]}"
    assert prompt.ids[0] == tokenizer.bos_id
    assert tokenizer.decode(prompt.ids[1:]) == whole
    assert tokenizer.decode(prompt.of_story) == story.text
    assert prompt.memory == len(tokenizer.encode("Fox\n"))
    assert prompt.note == len(tokenizer.encode("Sad\n"))
    seen = window_of(prompt.ids, window, prompt.keep)
    text = tokenizer.decode(seen)
    assert len(seen) <= window
    assert seen[0] == tokenizer.bos_id
    assert text.startswith("Fox\n")
    assert "Sad\n" in text
    assert text.endswith(whole[-3:])


def test_words_that_a_model_wrote_are_parted_at_its_own_tokens_or_encoded_anew():
    ids = tuple(PAIRS.encode("the story\n\nand the mouse"))
    wrote = Passage(author="model", text="the story\n\nand the mouse", ids=ids, model="m")
    before, after = halves([wrote], len("the story\n\n"), PAIRS)
    assert [*before[0].ids, *after[0].ids] == [*ids]
    assert (before[0].text, after[0].text) == ("the story\n\n", "and the mouse")
    before, after = halves([wrote], 1, PAIRS)  # in the middle of a token
    assert len(PAIRS.decode(ids[:1])) > 1
    assert (before[0].ids, after[0].ids) == ((), ())
    assert halves([wrote], 0, PAIRS) == ([], [wrote])


def test_what_stands_beside_a_story_is_read_noted_and_written_with_once_more(root):
    async def act(session, page):
        session.model = "letters"
        await put(session, FOX)
        assert page.state["context"] == FOX.to_dict()
        await session.write("Once.\nTom ran")
        wrote = session.story.path[-1]
        assert wrote.context == FOX
        assert session.story.path[0].context is None
        told = page.state["passages"][-1]["facts"]["settings"][-1]
        assert told["value"] == "memory, author’s note"
        meter, story = page.state["meter"], len(session.story.text)
        costs = {"memory": len(FOX.memory) + 1, "note": len(FOX.note) + 1, "story": story}
        assert {key: meter[key] for key in costs} == costs
        assert (meter["used"], meter["unseen"]) == (sum(costs.values()) + 1, 0)
        for other in (Context(), Context("Tom is a cat.")):
            await put(session, other)
            await session.ask_for({"ask": "again", "passage": wrote.id})
            assert page.said[-1] == "The same again, to the letter."
        await session.ask_for({"ask": "retry", "passage": wrote.id, "settings": {"seed": 1}})
        assert session.story.path[-1].context == Context("Tom is a cat.")
        assert session.story.path[-1].text != wrote.text
        dice = {"query": "dice", "model": "letters", "words": ""}
        with_cat = await answer_query(session, dice)
        await put(session, FOX)
        assert (await answer_query(session, dice))["top"] != with_cat["top"]
        await session.ask_for({"ask": "ladder"})
        assert session.story.path[-1].context == FOX

    in_a_session(root, act)


def test_the_story_slides_on_below_its_memory(root):
    async def act(session, page):
        session.model = "letters"
        await put(session, FOX)
        await session.change_settings({"max_new_tokens": "200", "seed": "1"})
        await session.write("Tom ran.\n" * 9)
        meter = page.state["meter"]
        assert meter["used"] <= meter["window"] == 128
        beside = meter["memory"] + meter["note"] + 1
        seen = meter["used"] - beside
        assert meter["unseen"] == len(session.story.text) - seen > 150
        assert seen >= (128 - beside) // 2
        # The last token came from just that: the probabilities are of what was really read.
        loaded, last = await session.engines.get(session.models["letters"]), session.story.path[-1]
        prompt = prompt_of(session.story.at(last.parent), loaded, FOX)
        read = window_of([*prompt.ids, *last.ids[:-1]], 128, prompt.keep)
        logits = await loaded.engine.logits(read)
        token = last.tokens[-1]
        assert float(logits.softmax(-1)[token.id]) == pytest.approx(token.raw_probability, rel=1e-3)

    in_a_session(root, act)


def test_what_leaves_less_than_half_of_the_window_or_is_not_known_is_refused_with_why(root):
    async def act(session, page):
        session.model = "small"
        await put(session, FOX)
        await session.write("Once")
        assert page.refused == ["Once"]
        assert page.said[-1] == (
            "Memory and author’s note have 34 tokens, and “small” reads 40 at once: 19 of them at "
            "most, so that half is left for the story. Shorten them, or pick a model that reads "
            "more."
        )
        assert session.story.passages == ()
        asked = {"query": "context", **FOX.to_dict()}
        assert (await answer_query(session, asked))["error"] == page.said[-1]
        told = await answer_query(session, {**asked, "model": "letters"})
        numbers = [told[key] for key in ("memory", "note", "story", "window", "most", "about")]
        assert numbers == [18, 16, 0, 128, 63, False]
        assert told["said"].startswith(
            "They take 34 of the 128 tokens that “letters” reads at once: 94 are left for the "
            "story. A small window"
        )
        told = await answer_query(session, {**asked, "memory": "", "note": "", "model": "letters"})
        assert "63 of them may be memory and note" in told["said"]
        session.model = "lower"
        await put(session, Context("", "Sad É", 1))
        await session.write("once")
        assert page.said[-1] == (
            "“lower” never saw S É: write it without, or pick another model. It stands in the note."
        )
        told = await answer_query(session, {**asked, "memory": "x" * (LONGEST_MEMORY + 1)})
        assert "the memory has 10,001 characters, and 10,000 are the most" in told["error"]
        await act_on_settings(session, {"act": "context", "memory": "a", "note": "", "depth": 21})
        assert "1 to 20" in page.said[-1]
        assert session.context == Context("", "Sad É", 1)

    in_a_session(root, act)


def test_undo_leaves_memory_and_note_as_they_are(root):
    async def act(session, page):
        session.model = "letters"
        await session.write("Once")
        before = page.state["undo"]
        await put(session, FOX)
        assert page.state["undo"] == before
        await session.act({"act": "undo"})
        assert (session.context, session.story.text) == (FOX, "")

    in_a_session(root, act)


def test_they_are_kept_with_the_story_and_its_json_and_stand_in_no_text(root, tmp_path):
    path, kept = tmp_path / "stories.sqlite", []

    async def act(session, page):
        session.model, session.keep = "letters", kept.append
        await put(session, FOX)
        await session.write("Once")

    in_a_session(root, act)
    library = Library(path)
    library.save("one", "ada", kept[-1], new=True)
    back = library.load("one", "ada")
    assert (back.context, back.story) == (FOX, kept[-1].story)
    story = back.story
    assert opened("s.json", to_json(story, FOX)) == (story, FOX)
    assert opened("s.json", to_json(story)) == (story, Context())
    assert all(FOX.memory not in write(story) for write in (to_text, to_markdown))

    async def reopened(session, page):
        await session.take(back)
        assert page.state["context"] == FOX.to_dict()
        await session.take(Kept(story=Story(), settings={}, model=None))
        assert page.state["context"] == Context().to_dict()

    in_a_session(root, reopened)


def test_a_story_without_them_is_kept_as_older_versions_keep_it():
    story = Story().append(Passage(author="writer", text="Once"))
    assert '"context"' not in to_json(story)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"memory": 1, "note": "", "depth": 3},
        {"memory": "", "note": "", "depth": 0},
        {"memory": "", "note": "", "depth": True},
        {"memory": "", "note": "x" * 2001, "depth": 3},
        {"memory": ""},
    ],
)
def test_a_file_with_a_spoilt_memory_is_refused_with_the_reason(spoilt):
    story = Story().append(Passage(author="model", text="Once", context=FOX))
    with pytest.raises(ContextError):
        Context.of(spoilt)
    data = json.loads(to_json(story, FOX))
    with pytest.raises(FileError, match=r"memory|note"):
        opened("s.json", json.dumps({**data, "context": spoilt}))
    data["passages"][0]["context"] = spoilt
    with pytest.raises(FileError):
        opened("s.json", json.dumps(data))


def test_a_server_is_sent_the_memory_however_long_the_story_is(root):
    with fake_engine() as fake:

        async def act(session, page):
            await put(session, FOX)
            await session.write("Tom ran.\n" * 2000)
            sent = fake.asked[-1]["prompt"]
            assert sent.startswith("Tom is a red fox.\n")
            assert sent.endswith("Tom ran.\n[Sad and slow.]\nTom ran.\n")
            assert len(sent) < 9 * 2000
            meter = page.state["meter"]
            assert meter["about"]
            assert (meter["memory"] > 0, meter["note"] > 0) == (True, True)
            told = await answer_query(session, {"query": "context", **FOX.to_dict()})
            assert told["about"]
            assert "They take about" in told["said"]
            assert "estimated" in told["said"]

        with_server(root, fake.url, act)
