"""The study of tokenizers: the same bytes for all, bits per byte, and nothing trained twice."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gpt.model import GPT
from gpt.tokenizers import FastTokenizer, TokenizerError, load_tokenizer
from train.compare_tokenizers import main
from train.data.texts import Text, split_texts
from train.loop.config import PRESETS
from train.loop.run import Run
from train.studies.tokenizer_study import Study, bytes_per_second, with_window
from train.studies.tokenizer_table import (
    Result,
    add_result,
    by_variant,
    markdown,
    plot,
    read_results,
)
from train.studies.tokenizer_variants import (
    TokenizerVariant,
    cut,
    dropped,
    learn_unsplit,
    parse_variants,
    with_dropout,
)

pytestmark = pytest.mark.heavy

STORY = "Once upon a time a cat sat on the mat.\nThe dög ran in the fog, all day long.\n"
TEXT = "".join(f"{STORY}It saw {n} birds.\n<|endoftext|>\n" for n in range(60))
TINY = ["--n-layer", "1", "--n-head", "2", "--n-embd", "16", "--threads", "1", "--batch-size", "4"]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "cats.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def study(text: Path, **other: int) -> Study:
    base = replace(PRESETS["small"](), n_layer=1, n_head=2, n_embd=16, batch_size=4)
    values = {"context_bytes": 48, "train_bytes": 20_000, "sample_bytes": 40, **other}
    return Study(
        texts=[Text(path=text)],
        base=base,
        valid_fraction=0.2,
        dropout=0.3,
        out=text.parent / "study",
        **values,
    )


def result(variant: str, seed: int, bpb: float) -> Result:
    return Result(
        variant=variant,
        seed=seed,
        bpb=bpb,
        vocab_size=300,
        tokens_per_byte=0.5,
        window=24,
        steps=100,
        parameters=5000,
        embedding_parameters=4800,
        bytes_per_second=1000.0 * seed,
        seconds=3.0,
        sample="A cat.\nA mat.",
    )


def test_a_variant_takes_its_own_sizes_or_those_of_all() -> None:
    found = parse_variants(["char", "bpe", "sp-unigram:300", "bpe:512"], [512, 1024])
    assert list(map(str, found)) == ["char", "bpe-512", "bpe-1024", "sp-unigram-300"]


@pytest.mark.parametrize("word", ["words", "char:300", "bpe:many", "bpe:100", "bpe:"])
def test_a_variant_that_means_nothing_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"expected|must hold"):
        parse_variants([word], [512])


def test_without_a_split_pieces_hold_several_words_but_no_next_line(tmp_path: Path) -> None:
    tokenizer = learn_unsplit([TEXT], 330)
    several = [piece for piece in tokenizer.pieces if b" " in piece.strip()]
    assert several
    assert not [piece for piece in tokenizer.pieces if b"\n" in piece.rstrip(b"\n")]
    assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT
    with pytest.raises(TokenizerError):
        learn_unsplit([TEXT], 5000)


def test_a_tokenizer_without_a_split_opens_here_and_in_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = learn_unsplit([TEXT], 330)
    tokenizer.save(tmp_path)
    ours = load_tokenizer(tmp_path)
    assert isinstance(ours, FastTokenizer)
    assert (ours.vocab_size, ours.eos_id) == (330, 329)
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    for line in [*TEXT.splitlines()[:4], "naïve ÿ\n\n x"]:
        assert ours.encode(line) == tokenizer.encode(line)
        assert theirs.encode(line) == [ours.bos_id, *ours.encode(line)]


def test_dropout_cuts_the_training_text_anew_and_leaves_the_validation_text(text: Path) -> None:
    data = cut(TokenizerVariant("bpe", 300), [Text(path=text)], text.parent / "data", 0.2)
    parts, _ = split_texts([Text(path=text)], (), 0.2)
    read = with_dropout(data, parts, 0.3, passes=2)
    once = data.tokenizer.decode(data.train.tolist())
    assert data.tokenizer.decode(read.train.tolist()) == 2 * once
    assert len(read.train) > 2.2 * len(data.train)
    ends = np.flatnonzero(read.train == data.tokenizer.eos_id)
    second = ends[len(ends) // 2]  # what the first pass leaves open is ended before the second
    assert len(ends) == 2 * np.count_nonzero(data.train == data.tokenizer.eos_id)
    assert data.tokenizer.decode(read.train[:second].tolist()) == once
    assert read.train[:second].tolist() != read.train[second:].tolist()
    assert read.valid is data.valid
    assert read.facts["train"]["tokens"] == len(read.train)


def test_without_dropout_the_encoder_is_the_tokenizer_itself(text: Path) -> None:
    data = cut(TokenizerVariant("bpe", 300), [Text(path=text)], text.parent / "data", 0.2)
    typed = STORY + "a typed <|endoftext|> is text"
    assert dropped(data.folder, 0.0)(typed) == data.tokenizer.encode(typed)


@pytest.mark.parametrize("variant", ["char", "bpe:300", "bpe-nosplit:330", "sp-unigram:300"])
def test_every_variant_reads_the_same_bytes_in_the_same_context(text: Path, variant: str) -> None:
    same = study(text)
    data = cut(parse_variants([variant], [])[0], same.texts, text.parent / "data", 0.2)
    config = same.config(data, seed=7)
    bytes_per_token = data.facts["train"]["bytes"] / len(data.train)
    assert config.block_size * bytes_per_token == pytest.approx(48, abs=bytes_per_token / 2)
    read = config.max_steps * config.tokens_per_step * bytes_per_token
    assert read == pytest.approx(20_000, abs=config.tokens_per_step * bytes_per_token / 2)
    assert config.seed == 7


def test_bits_per_byte_count_all_text_tokens_and_the_bytes_of_the_text(text: Path) -> None:
    same = study(text)
    variant = TokenizerVariant("bpe", 300)
    data = cut(variant, same.texts, text.parent / "data", 0.2)
    config = same.config(data, seed=1)
    model = GPT(config.model_config(300))
    torch.nn.init.zeros_(model.tokens.weight)  # so that every token is as likely as another
    run = Run(text.parent / "run")
    run.folder.mkdir()
    run.log(step=0, elapsed_s=1.0, val_loss=1.0)
    found = same.score_model(model, variant, config, data, run)
    tokens = np.count_nonzero(data.valid != data.tokenizer.eos_id)
    _, valid = split_texts(same.texts, (), 0.2)
    documents = TEXT[valid[0].start :].split("<|endoftext|>\n")
    n_bytes = sum(len(document.encode()) for document in documents)
    assert found.bpb == pytest.approx(tokens * math.log2(300) / n_bytes, rel=1e-6)
    assert found.embedding_parameters == 300 * 16
    assert found.bytes_per_second is None


def test_a_model_of_another_window_says_the_same() -> None:
    config = replace(PRESETS["small"](), n_layer=1, n_head=2, n_embd=16)
    model = GPT(replace(config, block_size=20).model_config(50)).eval()
    tokens = torch.arange(12)[None]
    with torch.inference_mode():
        assert torch.equal(with_window(model, 12).eval()(tokens), model(tokens))


def test_speed_is_measured_between_lines_of_training() -> None:
    records = [
        {"step": 0, "elapsed_s": 1.0, "val_loss": 4.0},
        {"step": 10, "elapsed_s": 3.0, "train_loss": 3.5},
        {"step": 20, "elapsed_s": 4.0, "train_loss": 3.0},
        {"step": 20, "elapsed_s": 9.0, "val_loss": 3.0},
    ]
    assert bytes_per_second(records, 100.0) == 1000.0
    assert bytes_per_second(records[:2], 100.0) is None


def test_a_study_is_run_written_up_and_not_run_again(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["--text", str(text), "--out", str(out), "--vocab-sizes", "300", *TINY]
    command += ["--context-bytes", "48", "--train-bytes", "4000", "--seeds", "1"]
    main([*command, "--variants", "char", "bpe-dropout"])
    first = read_results(out / "results.jsonl")
    assert [(r.variant, r.seed) for r in first] == [("char", 1), ("bpe-dropout-300", 1)]
    assert len({r.parameters - r.embedding_parameters for r in first}) == 1
    assert all(0 < r.bpb < 9 for r in first)
    written = (out / "tokenizers.md").read_text(encoding="utf-8")
    assert "upper bound" in written
    assert "byte-pair with dropout | 300 |" in written
    assert (out / "tokenizers.png").stat().st_size > 5000
    assert not list(out.rglob("*.safetensors"))

    said = (out / "char" / "seed-1" / "output.txt").stat().st_mtime_ns
    with (out / "results.jsonl").open("a") as file:
        file.write('{"variant": "bpe-300", "se')  # as a crash leaves it
    capsys.readouterr()
    main([*command, "--variants", "char", "bpe-dropout", "bpe"])
    assert capsys.readouterr().out.count(" bits per byte, ") == 1
    again = read_results(out / "results.jsonl")
    assert again[:2] == first
    assert [r.variant for r in again[2:]] == ["bpe-300"]
    assert (out / "char" / "seed-1" / "output.txt").stat().st_mtime_ns == said


def test_a_training_that_was_cut_short_begins_again(text: Path) -> None:
    same = study(text, train_bytes=3000)
    left = same.folder(TokenizerVariant("char", 0)) / "seed-1"
    left.mkdir(parents=True)
    (left / "metrics.jsonl").write_text('{"step": 999, "elapsed_s": 1, "train_loss": 9}\n')
    found = same.run(TokenizerVariant("char", 0), 1)
    assert found.steps < 99
    assert all(record["step"] < 99 for record in Run(left).records())


def test_another_study_in_the_same_folder_is_refused(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--text", str(text), "--out", str(tmp_path / "out"), *TINY, "--seeds", "1"]
    command += ["--variants", "char", "--train-bytes", "2000", "--context-bytes", "48"]
    main(command)
    for change, said in (
        (["--train-bytes", "2500"], "another training length"),
        (["--learning-rate", "0.1"], "another model and recipe"),
    ):
        with pytest.raises(SystemExit) as error:
            main([*command, *change])
        assert error.value.code == 2
        assert said in capsys.readouterr().err
    main([*command, "--threads", "2"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--variants", "words"], "expected char, bpe"),
        (["--context-bytes", "0"], "--context-bytes must be at least 1"),
        (["--bpe-dropout", "1"], "--bpe-dropout must be between 0 and 1"),
        (["--text", "no-such.txt"], "no-such.txt"),
    ],
)
def test_what_cannot_be_compared_is_told_in_a_line(
    text: Path, capsys: pytest.CaptureFixture[str], change: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as error:
        main(["--text", str(text), "--out", str(text.parent / "out"), *change])
    assert error.value.code == 2
    assert said in capsys.readouterr().err


def test_a_vocabulary_too_large_is_told_before_anything_is_trained(text: Path) -> None:
    out = text.parent / "out"
    with pytest.raises(SystemExit, match=r"train.compare_tokenizers: .*5,?000"):
        main(["--text", str(text), "--out", str(out), "--variants", "char", "bpe:5000"])
    assert not (out / "results.jsonl").exists()


def test_the_table_has_mean_and_spread_of_each_variant_in_the_order_asked(tmp_path: Path) -> None:
    results = [result("bpe-300", 1, 2.0), result("char", 1, 3.0), result("bpe-300", 2, 2.2)]
    path = tmp_path / "results.jsonl"
    for each in results:
        add_result(path, each)
    assert read_results(path) == results
    groups = by_variant([TokenizerVariant("char", 0), TokenizerVariant("bpe", 300)], results)
    table = markdown(groups, 0.1).splitlines()
    assert table[2].startswith("| characters | 300 | 3.000 | 0.500 | 24 | 100 | 5,000 | 1.0 |")
    assert "| 2.100 ± 0.141 | 0.500 |" in table[3]
    assert "1.5 ± 0.7" in table[3]
    assert "    A cat.\n    A mat." in markdown(groups, 0.1)
    silent = [[replace(each, sample="") for each in group] for group in groups]
    assert markdown(silent, 0.1).count("(It ended each story at once.)") == 2
    plot(groups, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_results_are_one_json_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    add_result(path, result("char", 1, 3.0))
    path.write_text(path.read_text() + '{"half')
    add_result(path, result("char", 2, 3.1))
    assert [r.seed for r in read_results(path)] == [1, 2]
    assert json.loads(path.read_text().splitlines()[0])["bpb"] == 3.0
