"""`python -m gpt.generate`: the continuation on stdout, everything else on stderr."""

import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gpt import generate
from gpt.checkpoint import load, save
from gpt.checkpoint.generation_config import KEYS
from gpt.generator import Generator
from gpt.sampling import LIMITS, SamplingParams
from tests.support.tiny import SHAPES, tiny_model
from tests.support.tiny_checkpoint import save_characters
from tests.support.trained_tokenizers import TOKENIZERS

ROOT = Path(__file__).parents[2]
SHORT = ["--max-new-tokens", "20"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_characters(tmp_path_factory.mktemp("models") / "noise")


def expected(folder: Path, prompt: str, **settings: object) -> str:
    checkpoint = load(folder)
    params = SamplingParams(max_new_tokens=20, **settings)  # type: ignore[arg-type]
    tokens = Generator(checkpoint.model, checkpoint.tokenizer).stream(prompt, params)
    return "".join(token.text for token in tokens)


def test_the_continuation_alone_is_printed_and_the_seed_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main([str(folder), "Once upon", "--seed", "7", *SHORT]) == 0
    said = capsys.readouterr()
    assert said.out == expected(folder, "Once upon", seed=7)
    assert said.err == "seed 7\n"


def test_a_seed_that_nobody_chose_is_said_and_writes_the_same_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main([str(folder), "Once", *SHORT]) == 0
    said = capsys.readouterr()
    assert said.out == expected(folder, "Once", seed=int(said.err.removeprefix("seed ")))


def test_what_no_option_says_the_folder_does_and_what_it_says_wrongly_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_characters(tmp_path / "noise")
    own = {"temperature": 0.3, "top_k": 7, "min_p": 5, "max_new_tokens": 9}
    (folder / "generation_config.json").write_text(json.dumps(own))
    assert generate.main([str(folder), "Once", "--seed", "7", "--top-k", "3", "--json"]) == 0
    said = capsys.readouterr()
    settings = json.loads(said.out)["settings"]
    used = {name: settings[name] for name in (*own, "top_p")}
    assert used == {**own, "top_k": 3, "min_p": 0, "top_p": 0.95}
    assert "min_p must be a number, 0 to 1, not 5: it is left out" in said.err


def test_every_option_reaches_the_sampler(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--temperature", "1.7", "--top-k", "9", "--top-p", "0.9", "--min-p", "0.01"]
    options += ["--repetition-penalty", "1", "--seed", "3", "--stop", "e", "--stop", "qu"]
    options += ["--finish-chars", "30", "--dry-multiplier", "0.8", "--dry-base", "2"]
    options += ["--dry-allowed-length", "20", "--dry-range", "99", "--dry-breakers", r"\n"]
    options += ["--no-end", "--min-new-tokens", "4", "--banned", "fox", "--banned", "a b", "--heal"]
    assert generate.main([str(folder), "Once", *options, *SHORT, "--json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings == {
        "temperature": 1.7,
        "top_k": 9,
        "top_p": 0.9,
        "min_p": 0.01,
        "repetition_penalty": 1.0,
        "max_new_tokens": 20,
        "finish_chars": 30,
        "dry_multiplier": 0.8,
        "dry_base": 2.0,
        "dry_allowed_length": 20,
        "dry_range": 99,
        "dry_breakers": ["\n"],
        "no_end": True,
        "min_new_tokens": 4,
        "banned": ["fox", "a b"],
        "heal": True,
        "seed": 3,
        "n": 1,
        "stop": ["e", "qu"],
    }


def test_spaces_at_the_end_are_left_out_and_newlines_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--seed", "7", "--json", *SHORT]
    for given, read in (("Once  ", "Once"), ("Once\n", "Once\n"), ("a \n ", "a \n"), ("  ", "")):
        assert generate.main([str(folder), given, *arguments]) == 0
        said = capsys.readouterr()
        result = json.loads(said.out)
        assert result["prompt"] == read
        assert result["takes"][0]["text"] == expected(folder, read, seed=7)
        assert ("left out" in said.err) == (given != read)


@pytest.mark.parametrize(
    ("arguments", "stdin", "prompt"),
    [
        (["-"], "Once\n", "Once\n"),
        ([], "Once", "Once"),
        ([], "", ""),
        ([""], "unread", ""),
        (["-"], "\ufeffOnce\r\nupon\r\n", "Once\nupon\n"),
        (["\ufeffOnce\r\n"], "", "Once\n"),
    ],
)
def test_the_prompt_comes_from_stdin_where_none_is_given(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    stdin: str,
    prompt: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
    assert generate.main([str(folder), *arguments, "--seed", "7", *SHORT]) == 0
    assert capsys.readouterr().out == expected(folder, prompt, seed=7)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("Once".encode("utf-16-le") + b"\n\0", "UTF-16 without a byte order mark"),
        ("Märchen".encode("latin-1"), "is not UTF-8 text"),
    ],
)
def test_a_prompt_that_is_no_text_in_utf8_is_refused(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    data: bytes,
    said: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert generate.main([str(folder), "-"]) == 2
    assert said in capsys.readouterr().err


def test_a_stop_string_may_be_a_line_end(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--stop", r"\n", "--stop", r"\\n", "--stop", r"\d", *SHORT, "--json"]
    assert generate.main([str(folder), "Once", *options]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["stop"] == ["\n", r"\n", r"\d"]


def test_no_prompt_in_a_terminal_begins_a_fresh_story(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("nobody asks"))
    assert generate.main([str(folder), "--seed", "7", *SHORT]) == 0
    assert capsys.readouterr().out == expected(folder, "", seed=7)


def test_a_prompt_longer_than_the_window_is_said_and_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt = "a" * 99  # and the end of the story before it; the window is 64, half of it 32
    assert generate.main([str(folder), prompt, "--seed", "7", *SHORT]) == 0
    said = capsys.readouterr()
    assert said.out == expected(folder, prompt, seed=7)
    assert "the prompt has 100 tokens, more than the 64" in said.err
    assert "from the last 36" in said.err


def test_takes_are_printed_one_after_the_other_each_with_its_seed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(folder), "Once", "--seed", "7", "--n", "3", "--temperature", "1.5", *SHORT]
    assert generate.main(arguments) == 0
    texts = [expected(folder, "Once", seed=seed, temperature=1.5) for seed in (7, 8, 9)]
    titles = [f"── take {i + 1} of 3, seed {7 + i} ──\n" for i in range(3)]
    blocks = [title + text for title, text in zip(titles, texts, strict=True)]
    said = capsys.readouterr()
    assert said.out == "\n\n".join(blocks)
    assert said.err == "seed 7, 8, 9\n"


def test_greedy_makes_one_take_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main([str(folder), "Once", "--temperature", "0", "--n", "3", *SHORT]) == 0
    said = capsys.readouterr()
    assert said.out == expected(folder, "Once", temperature=0)
    assert "temperature 0 writes the same text each time: 1 take, not 3" in said.err


def test_json_holds_prompt_settings_and_every_token(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(folder), "Once", "--seed", "7", "--n", "2", "--json", *SHORT]
    assert generate.main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"model", "prompt", "settings", "takes"}
    assert (result["model"], result["prompt"]) == ("noise", "Once")
    for seed, take in zip((7, 8), result["takes"], strict=True):
        assert set(take) == {"text", "seed", "core", "finish_reason", "tokens"}
        assert take["core"] == "torch float32"
        assert (take["seed"], take["finish_reason"]) == (seed, "length")
        assert take["text"] == expected(folder, "Once", seed=seed)
        assert take["text"] == "".join(token["text"] for token in take["tokens"])
        for token in take["tokens"]:
            assert set(token) == {
                *("id", "text", "piece", "raw_probability", "probability", "entropy", "top")
            }
            assert len(token["top"]) == 10
            assert set(token["top"][0]) == {"id", "text", "raw_probability", "probability"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--temperature", "2.5"], "temperature must be a number, 0 to 2, not 2.5"),
        (["--temperature", "nan"], "temperature must be a number, 0 to 2, not nan"),
        (["--top-p", "0"], "top_p must be a number, above 0, up to 1, not 0.0"),
        (["--top-k", "1.5"], "top_k must be a whole number, 0 to the vocabulary's size, not '1.5'"),
        (["--n", "9"], "n must be a whole number, 1 to 8, not 9"),
        (["--min-p", "much"], "min_p must be a number, 0 to 1, not 'much'"),
        (["--topk", "3"], "unrecognized arguments: --topk"),
    ],
)
def test_an_option_out_of_range_is_refused_with_its_range(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        generate.main([str(folder), "Once", *arguments])
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Once é"], "never seen: 'é'"),
        (["Once", "--repetition-penalty", "1.2"], "every letter has already appeared"),
        (["Once", *["--stop", "a"] * 5], "stop must be a tuple of up to 4 strings"),
        (["Once", "--stop", ""], "none of them empty"),
    ],
)
def test_what_does_not_suit_the_model_is_one_line_and_no_text(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert generate.main([str(folder), *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("python -m gpt.generate: error: ")
    assert said in told.err
    assert told.err.count("\n") == 1


def test_a_folder_without_a_checkpoint_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main([str(tmp_path), "Once"]) == 2
    told = capsys.readouterr()
    assert "no checkpoint in" in told.err
    assert told.err.count("\n") == 1


def test_the_help_says_every_range_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        generate.main(["--help"])
    help_text = " ".join(capsys.readouterr().out.split())
    for limit in LIMITS.values():
        assert limit.explanation in help_text
        if limit.kind in ("number", "whole number"):
            default = "random" if limit.default is None else limit.default
            if limit.name in KEYS:
                default = f"the model's own, else {default}"
            assert f"Range: {limit.range}; default: {default}." in help_text


def test_a_word_that_was_broken_off_is_completed_unless_a_space_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = TOKENIZERS["bpe"]
    config = replace(SHAPES["llama"], vocab_size=tokenizer.vocab_size)
    save(tmp_path / "pairs", tiny_model(config), tokenizer, card="", training={})
    texts: dict[tuple[str, bool], str] = {}
    for prompt in ("the mo", "the mo "):
        for heal in (False, True):
            options = ["--seed", "7", *SHORT, *(["--heal"] if heal else [])]
            assert generate.main([str(tmp_path / "pairs"), prompt, *options]) == 0
            texts[prompt, heal] = capsys.readouterr().out
    assert texts["the mo ", True] == texts["the mo ", False] == texts["the mo", False]
    assert texts["the mo", True] != texts["the mo", False]


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """The command as a person runs it, with text enough to be interrupted."""
    command = [sys.executable, "-m", "gpt.generate", str(folder), "Once", "--seed", "7", *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.heavy
@pytest.mark.parametrize("form", ["text", "json"])
def test_ctrl_c_ends_it_with_what_was_written(folder: Path, form: str) -> None:
    arguments = ["--max-new-tokens", "2048", "--n", "8", "--temperature", "2", "--top-p", "1"]
    with start(folder, *arguments, *(["--json"] if form == "json" else [])) as process:
        assert process.stdout
        assert process.stderr
        assert process.stderr.readline().startswith(b"seed 7, 8")
        first = process.stdout.read(1) if form == "text" else b""
        process.send_signal(signal.SIGINT)
        out = first + process.stdout.read()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait() == 130
    if form == "json":
        takes = json.loads(out)["takes"]
        assert len(takes) == 8
        assert not any(len(take["tokens"]) == 2048 for take in takes)
    else:
        assert out.startswith("── take 1 of 8".encode())


@pytest.mark.heavy
def test_a_reader_that_has_had_enough_hears_no_complaint(folder: Path) -> None:
    with start(folder, "--max-new-tokens", "300") as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b"seed 7\n"
        assert process.wait() == 0
