"""The generator: a story's tokens are its own, whatever its company, and its text is whole."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt.cache import KVCache
from gpt.config import GPTConfig
from gpt.generator import Generator, Row
from gpt.model import GPT
from gpt.sampling import SamplingParams
from gpt.text.prompt import check_for, check_keep, prompt_ids, window_of, window_start
from gpt.text.stop_strings import StopStrings
from gpt.text.token import Token
from gpt.tokenizers import BPETokenizer, CharTokenizer, SentencePieceTokenizer, Tokenizer
from tests.gpt.test_model import in_transformers
from tests.support.tiny import SHAPES, tiny_model

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,!?'-\n"
CHARACTERS = CharTokenizer.train([LETTERS])
LONG = 70
"""Several times the 24 tokens that a tiny model sees."""


@pytest.fixture(params=["gpt2", "llama-untied-grouped"])
def model(request: pytest.FixtureRequest) -> GPT:
    return tiny_model(replace(SHAPES[request.param], vocab_size=CHARACTERS.vocab_size))


@pytest.fixture(scope="module")
def byte_pairs() -> BPETokenizer:
    return BPETokenizer.train(["é 한 🏳️‍🌈 the story of the lion and the mouse"], 270)


def never_ends(model: GPT, tokenizer: Tokenizer) -> GPT:
    """The same model, but the end-of-story token is never the likeliest, nor drawn."""

    def forbid(_: object, __: object, logits: torch.Tensor) -> torch.Tensor:
        return logits.index_fill(-1, torch.tensor([tokenizer.eos_id]), -torch.inf)

    model.register_forward_hook(forbid)
    return model


def says(ids: Iterable[int], tokenizer: Tokenizer) -> GPT:
    """A model that says `ids`, one after the other, whatever it is asked."""
    script = list(ids)
    model = tiny_model(
        GPTConfig(vocab_size=tokenizer.vocab_size, block_size=64, n_head=1, n_embd=2)
    )

    def speak(
        _: object, inputs: tuple[torch.Tensor, KVCache], logits: torch.Tensor
    ) -> torch.Tensor:
        said = inputs[1].lengths[0] - 1
        return torch.nn.functional.one_hot(
            torch.full(logits.shape[:2], script[said]), tokenizer.vocab_size
        ).float()

    model.register_forward_hook(speak)
    return model


def write(generator: Generator, prompt: str | list[int], **settings: object) -> list[Token]:
    return list(generator.stream(prompt, SamplingParams(**settings)))  # type: ignore[arg-type]


def text(tokens: Iterable[Token]) -> str:
    return "".join(token.text for token in tokens)


def test_the_window_begins_at_a_multiple_of_half_a_block_and_never_overflows() -> None:
    for block_size in (1, 2, 3, 8, 9, 24):
        stride = block_size - block_size // 2
        for n in range(6 * block_size):
            start = window_start(n, block_size)
            assert start % stride == 0
            assert n - start <= block_size
            assert start == 0 or n - (start - stride) > block_size  # the smallest such
            assert (start == 0) == (n <= block_size)


@given(st.integers(0, 150), st.integers(4, 40), st.data())
def test_what_is_kept_stays_in_the_window_which_never_overflows_and_ends_with_the_story(
    n_tokens: int, block_size: int, data: st.DataObject
) -> None:
    room = min(block_size // 2, n_tokens)
    one, other = (data.draw(st.integers(0, room // 2)) for _ in range(2))
    at = data.draw(st.integers(one, n_tokens - other))
    keep = (range(one), range(at, at + other))
    check_keep(keep, n_tokens, block_size)
    seen = window_of(range(n_tokens), block_size, keep)
    assert seen == sorted(set(seen))
    assert len(seen) <= block_size
    assert {*keep[0], *keep[1]} <= {*seen}
    rest = [id for id in seen if id not in keep[0] and id not in keep[1]]
    told = [id for id in range(n_tokens) if id not in keep[0] and id not in keep[1]]
    assert rest == told[len(told) - len(rest) :]
    assert len(rest) >= min(len(told), (block_size - one - other) // 2)


def test_a_story_goes_on_below_what_is_kept_as_the_model_alone_would_say(model: GPT) -> None:
    generator, prompt = Generator(model, CHARACTERS, max_batch=3), list(range(30))
    params = SamplingParams(temperature=0, max_new_tokens=LONG)
    kept = generator.add(prompt, params, keep=(range(3), range(20, 24)))
    twin = generator.add(prompt, params, keep=(range(3), range(20, 24)))
    alone = generator.add(prompt, params)
    for _ in range(3 * LONG):
        generator.step()
    assert kept.ids == twin.ids != alone.ids
    block_size = model.config.block_size
    assert block_size < len(kept.ids) < len(prompt) + LONG + 1
    for count in range(len(prompt), len(kept.ids)):
        seen = window_of(kept.ids[:count], block_size, kept.keep)
        assert seen[:3] == [0, 1, 2]
        assert {20, 21, 22, 23} <= {*seen}
        logits = model(torch.tensor([seen]), last=True)[0, -1, : CHARACTERS.vocab_size]
        assert int(logits.argmax()) == kept.ids[count]
    with pytest.raises(ValueError, match="half of a window of 24"):
        generator.add(prompt, params, keep=(range(13),))


def test_greedy_text_is_the_argmax_of_the_full_forward_even_past_the_window(model: GPT) -> None:
    model = never_ends(model, CHARACTERS)
    tokens = write(Generator(model, CHARACTERS), "Once", temperature=0, max_new_tokens=LONG)
    assert len(tokens) == LONG
    ids = prompt_ids(CHARACTERS, "Once")
    for token in tokens:
        seen = ids[window_start(len(ids), model.config.block_size) :]
        logits = model(torch.tensor([seen]))[0, -1]
        assert token.id == int(logits.argmax())
        assert token.raw_probability == pytest.approx(float(logits.softmax(-1).max()), abs=1e-4)
        ids.append(token.id)


@pytest.mark.parametrize("shape", ["gpt2", "llama", "llama-untied-grouped"])
def test_200_greedy_tokens_are_those_of_transformers(shape: str) -> None:
    config = replace(SHAPES[shape], vocab_size=CHARACTERS.vocab_size, block_size=256)
    model = tiny_model(config)
    theirs = in_transformers(model)
    ids = prompt_ids(CHARACTERS, "Once upon a time")
    tokens = write(Generator(never_ends(model, CHARACTERS), CHARACTERS), ids, temperature=0)
    expected = theirs.generate(  # type: ignore[operator]
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids)),
        do_sample=False,
        max_new_tokens=200,
        pad_token_id=CHARACTERS.eos_id,
        eos_token_id=CHARACTERS.eos_id,
        suppress_tokens=[CHARACTERS.eos_id],
    )
    assert [token.id for token in tokens] == expected[0, len(ids) :].tolist()


@pytest.mark.parametrize("n_prompt", [1, 2, 23, 24, 25, 60])
def test_a_story_cut_anywhere_and_continued_is_the_same_story(model: GPT, n_prompt: int) -> None:
    generator = Generator(never_ends(model, CHARACTERS), CHARACTERS)
    whole = write(generator, "", temperature=0, max_new_tokens=LONG)
    ids = [CHARACTERS.eos_id, *(token.id for token in whole)]
    rest = write(generator, ids[:n_prompt], temperature=0, max_new_tokens=LONG + 1 - n_prompt)
    assert [token.id for token in rest] == ids[n_prompt:]


EIGHT = [
    ("", SamplingParams(seed=1, max_new_tokens=LONG)),
    ("Once upon a time", SamplingParams(seed=2, temperature=0, max_new_tokens=50)),
    ("x" * 40, SamplingParams(seed=3, temperature=1.5, top_k=9, top_p=1.0, max_new_tokens=60)),
    ("The", SamplingParams(seed=4, temperature=2.0, min_p=0.02, max_new_tokens=5)),
    ("b" * 24, SamplingParams(seed=5, top_p=0.3, max_new_tokens=33)),
    ("a", SamplingParams(seed=6, temperature=1.9, top_p=1.0, stop=("e", "!"), max_new_tokens=50)),
    ("Z\n", SamplingParams(seed=2**63 - 1, temperature=1.0, max_new_tokens=LONG)),
    ("", SamplingParams(seed=8, temperature=1.3, top_k=40, max_new_tokens=45)),
]
"""Stories that differ in all that can differ; two of them fill the window with their prompt."""


def test_a_story_alone_and_in_company_is_the_same_token_for_token(model: GPT) -> None:
    alone = [list(Generator(model, CHARACTERS).stream(*story)) for story in EIGHT]
    crowd = Generator(model, CHARACTERS, max_batch=8)
    written: dict[Row, list[Token]] = {}
    story_of: dict[Row, int] = {}
    to_join = {0: 0, 1: 3, 2: 3, 3: 5, 4: 30, 5: 31, 6: 47, 7: 47}  # story: step
    strangers = [crowd.add("never", SamplingParams(temperature=2, seed=9)) for _ in range(2)]
    for step in range(300):
        for story in [story for story, at in to_join.items() if at == step]:
            if not crowd.free:
                crowd.remove(strangers.pop())
            row = crowd.add(*EIGHT[story])
            story_of[row], written[row] = story, []
        if step == 20:
            crowd.remove(strangers.pop(0))
        for row, token in crowd.step():
            assert isinstance(token, Token)
            if row in written:
                written[row].append(token)
    assert crowd.free == 8
    assert [written[row] for row in sorted(written, key=lambda row: story_of[row])] == alone


def test_takes_are_what_their_seeds_write_alone(model: GPT) -> None:
    params = SamplingParams(temperature=1.5, seed=2**63 - 2, n=3, max_new_tokens=30)
    for max_batch in (1, 2, 8):
        tokens = list(Generator(model, CHARACTERS, max_batch=max_batch).stream("I", params))
        for take, seed in enumerate((2**63 - 2, 2**63 - 1, 0)):
            alone = Generator(model, CHARACTERS).stream("I", replace(params, n=1, seed=seed))
            mine = [replace(token, take=0) for token in tokens if token.take == take]
            assert mine == list(alone)


def test_a_seed_that_nobody_chose_is_reported_and_writes_the_same_again(model: GPT) -> None:
    generator = Generator(model, CHARACTERS)
    first = write(generator, "O", temperature=2, max_new_tokens=20)
    assert len({token.seed for token in first}) == 1
    assert write(generator, "O", temperature=2, max_new_tokens=20, seed=first[0].seed) == first
    assert write(generator, "O", temperature=2, max_new_tokens=20)[0].seed != first[0].seed


def test_one_prompt_is_read_in_a_step_and_the_others_go_on(model: GPT) -> None:
    generator = Generator(never_ends(model, CHARACTERS), CHARACTERS, max_batch=3)
    first = generator.add("aaaa", SamplingParams())
    assert [row for row, _ in generator.step()] == [first]
    second, third = (generator.add(prompt, SamplingParams()) for prompt in ("bb", "cc"))
    assert {row for row, _ in generator.step()} == {first, second}
    assert {row for row, _ in generator.step()} == {first, second, third}


def test_stories_that_must_be_read_again_take_turns() -> None:
    # With a window of two tokens, every story is to be read again for every token.
    config = replace(SHAPES["llama"], vocab_size=CHARACTERS.vocab_size, block_size=2)
    generator = Generator(never_ends(tiny_model(config), CHARACTERS), CHARACTERS, max_batch=3)
    rows = [generator.add(prompt, SamplingParams()) for prompt in ("abc", "abd", "abe")]
    read = [row for _ in range(9) for row, _ in generator.step()]
    assert read == rows * 3


def test_the_repetition_penalty_sees_what_the_model_sees(byte_pairs: BPETokenizer) -> None:
    config = replace(SHAPES["llama"], vocab_size=byte_pairs.vocab_size)
    model = never_ends(tiny_model(config), byte_pairs)
    params = {"temperature": 1e-9, "top_p": 1.0, "repetition_penalty": 1.7, "max_new_tokens": LONG}
    tokens = write(Generator(model, byte_pairs), "the lion", **params)
    ids = prompt_ids(byte_pairs, "the lion")
    for token in tokens:
        seen = torch.tensor(ids[window_start(len(ids), 24) :])
        logits = model(seen[None])[0, -1]
        for id in seen.unique():
            logits[id] = logits[id] / 1.7 if logits[id] > 0 else logits[id] * 1.7
        assert token.id == int(logits.argmax())
        ids.append(token.id)


def test_the_end_of_story_token_ends_the_story_and_has_no_text() -> None:
    ids = [*CHARACTERS.encode("The end"), CHARACTERS.eos_id, *CHARACTERS.encode("more")]
    tokens = write(Generator(says(ids, CHARACTERS), CHARACTERS), "", temperature=0)
    assert text(tokens) == "The end"
    last = tokens[-1]
    assert (last.id, last.text, last.piece) == (CHARACTERS.eos_id, "", "<|endoftext|>")
    assert [token.finish_reason for token in tokens] == [None] * 7 + ["end"]


@pytest.mark.parametrize(
    ("said", "stop", "released", "reason"),
    [
        ("one two three", ("two",), "one ", "stop"),
        ("one two three", ("twin", "tub"), "one two three", "end"),
        ("aab", ("aab", "b"), "", "stop"),
        ("one tw", ("two",), "one tw", "end"),
        ("a\n\nb", ("\n\n",), "a", "stop"),
    ],
)
def test_a_stop_string_is_left_out_and_nothing_else_is(
    said: str, stop: tuple[str, ...], released: str, reason: str
) -> None:
    model = says([*CHARACTERS.encode(said), CHARACTERS.eos_id], CHARACTERS)
    tokens = write(Generator(model, CHARACTERS), "", temperature=0, stop=stop)
    assert text(tokens) == released
    assert tokens[-1].finish_reason == reason
    assert all(token.finish_reason is None for token in tokens[:-1])


def test_text_held_for_a_stop_string_is_released_at_the_length() -> None:
    model = says(CHARACTERS.encode("one two"), CHARACTERS)
    tokens = write(Generator(model, CHARACTERS), "", temperature=0, stop=("two",), max_new_tokens=6)
    assert [token.text for token in tokens] == ["o", "n", "e", " ", "", "tw"]
    assert tokens[-1].finish_reason == "length"


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), max_size=12),
    st.lists(st.text("ab", min_size=1, max_size=4), max_size=4),
)
def test_stop_strings_work_the_same_however_the_text_is_cut(
    pieces: list[str], stops: list[str]
) -> None:
    whole = "".join(pieces)
    ends = [whole.find(stop) + len(stop) for stop in stops if stop in whole]
    longest = max(
        (stop for stop in stops if ends and whole[: min(ends)].endswith(stop)), key=len, default=""
    )
    expected = whole[: min(ends) - len(longest)] if ends else whole

    for chunks in (pieces, list(whole), [whole]):
        filtered, released, stopped = StopStrings(stops), "", False
        for chunk in chunks:
            free, stopped = filtered.push(chunk)
            released += free
            assert expected.startswith(released)  # nothing of a stop string was ever sent
            if stopped:
                break
        assert stopped == bool(ends)
        assert released + filtered.flush() == expected


@pytest.mark.parametrize("kind", ["char", "bpe", "sentencepiece"])
def test_streamed_text_is_the_text_of_the_whole(kind: str, byte_pairs: BPETokenizer) -> None:
    tokenizer: Tokenizer = {
        "char": lambda: CHARACTERS,
        "bpe": lambda: byte_pairs,
        "sentencepiece": lambda: SentencePieceTokenizer.train(["the lion and the mouse 🏳️‍🌈"], 290),
    }[kind]()
    model = tiny_model(replace(SHAPES["llama"], vocab_size=tokenizer.vocab_size), scale=1.0)
    for seed in range(10):
        tokens = write(
            Generator(model, tokenizer),
            "the ",
            temperature=2,
            top_p=1.0,
            seed=seed,
            max_new_tokens=60,
        )
        assert text(tokens) == tokenizer.decode([token.id for token in tokens])


def test_a_character_of_many_tokens_is_sent_whole(byte_pairs: BPETokenizer) -> None:
    said = "한🏳️‍🌈é"
    ids = [byte_pairs.encode(c) for c in said]
    flat = [id for part in ids for id in part]
    assert len(flat) > len(said)
    model = says([*flat, byte_pairs.eos_id], byte_pairs)
    tokens = write(Generator(model, byte_pairs), "", temperature=0)
    assert text(tokens) == said
    assert "�" not in text(tokens)
    assert [token.piece for token in tokens[:-1]] == [byte_pairs.piece(id) for id in flat]


def test_each_token_tells_its_dice(model: GPT) -> None:
    tokens = write(
        Generator(model, CHARACTERS),
        "Once",
        temperature=0.5,
        top_k=3,
        top_p=1.0,
        seed=1,
        max_new_tokens=9,
    )
    ids = prompt_ids(CHARACTERS, "Once")
    for token in tokens:
        raw = model(torch.tensor([ids]))[0, -1].softmax(-1)
        assert token.raw_probability == pytest.approx(float(raw[token.id]), abs=1e-5)
        assert [each.id for each in token.top] == raw.topk(10).indices.tolist()
        assert [each.raw_probability for each in token.top] == pytest.approx(
            raw.topk(10).values.tolist(), abs=1e-5
        )
        squared = raw.topk(3).values ** 2  # temperature 1/2
        assert [each.probability for each in token.top] == pytest.approx(
            [*(squared / squared.sum()).tolist(), *[0] * 7], abs=1e-5
        )
        assert token.probability == {each.id: each.probability for each in token.top}[token.id]
        assert [each.text for each in token.top] == [
            CHARACTERS.piece(each.id) for each in token.top
        ]
        assert token.entropy == pytest.approx(float(torch.special.entr(raw).sum()), abs=1e-4)
        ids.append(token.id)


def test_ids_that_only_pad_the_vocabulary_are_never_drawn() -> None:
    model = tiny_model(replace(SHAPES["llama"], vocab_size=4 * CHARACTERS.vocab_size))
    tokens = write(Generator(model, CHARACTERS), "", temperature=2, top_p=1.0, seed=1)
    assert max(token.id for token in tokens) < CHARACTERS.vocab_size


def test_a_row_with_broken_logits_gets_the_error_and_the_others_go_on(model: GPT) -> None:
    def spoil(
        _: object, inputs: tuple[torch.Tensor, KVCache, list[int]], logits: torch.Tensor
    ) -> torch.Tensor:
        logits[[slot == broken.slot for slot in inputs[2]]] = torch.nan
        return logits

    generator = Generator(never_ends(model, CHARACTERS), CHARACTERS, max_batch=3)
    rows = [generator.add("a", SamplingParams(seed=1)) for _ in range(3)]
    for _ in range(5):
        generator.step()
    broken = rows[1]
    model.register_forward_hook(spoil)
    outcomes = dict(generator.step())
    assert isinstance(outcomes[broken], ValueError)
    assert isinstance(outcomes[rows[0]], Token)
    assert isinstance(outcomes[rows[2]], Token)
    assert {row for row, _ in generator.step()} == {rows[0], rows[2]}
    assert generator.free == 1


def test_a_model_that_fails_ends_only_the_stories_it_was_asked_for(model: GPT) -> None:
    def fail_on_long(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].shape[1] == 6:
            raise RuntimeError("out of memory")

    generator = Generator(never_ends(model, CHARACTERS), CHARACTERS, max_batch=2)
    first = generator.add("a", SamplingParams())
    generator.step()
    model.register_forward_pre_hook(fail_on_long)
    second = generator.add("fffff", SamplingParams())
    outcomes = dict(generator.step())
    assert isinstance(outcomes[first], Token)
    assert isinstance(outcomes[second], RuntimeError)
    assert [row for row, _ in generator.step()] == [first]


def test_a_prompt_is_read_after_the_end_of_the_story_before_it() -> None:
    assert prompt_ids(CHARACTERS, "ab") == [CHARACTERS.eos_id, *CHARACTERS.encode("ab")]
    assert prompt_ids(CHARACTERS, "") == prompt_ids(CHARACTERS, []) == [CHARACTERS.eos_id]
    assert prompt_ids(CHARACTERS, (3, 4)) == [3, 4]


@pytest.mark.parametrize("id", [-1, CHARACTERS.vocab_size])
def test_an_id_outside_the_vocabulary_is_refused(id: int) -> None:
    with pytest.raises(ValueError, match=f"id {id} is not in the vocabulary: expected 0 to"):
        prompt_ids(CHARACTERS, [1, id])


def test_a_repetition_penalty_is_refused_with_characters_and_the_reason_given(
    model: GPT, byte_pairs: BPETokenizer
) -> None:
    params = SamplingParams(repetition_penalty=1.1)
    check_for(params, byte_pairs)
    with pytest.raises(ValueError, match=r"must be 1 \(off\).* not 1.1: every letter has already"):
        Generator(model, CHARACTERS).add("a", params)


def test_what_add_and_stream_cannot_do_is_said(model: GPT) -> None:
    generator = Generator(model, CHARACTERS)
    with pytest.raises(ValueError, match="a row is one story, but n=2"):
        generator.add("a", SamplingParams(n=2))
    generator.add("a", SamplingParams())
    with pytest.raises(ValueError, match="all 1 rows are taken"):
        generator.add("a", SamplingParams())
    with pytest.raises(ValueError, match="for itself"):
        next(generator.stream("a", SamplingParams()))
    with pytest.raises(ValueError, match="max_batch must be at least 1"):
        Generator(model, CHARACTERS, max_batch=0)


def test_closing_a_stream_frees_its_rows(model: GPT) -> None:
    generator = Generator(never_ends(model, CHARACTERS), CHARACTERS, max_batch=2)
    stream = generator.stream("a", SamplingParams(n=2))
    next(stream)
    assert generator.free == 0
    stream.close()  # type: ignore[attr-defined]
    assert generator.free == 2
