"""The search for settings: what it tries, what it keeps, how it goes on, what it leaves behind."""

import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from tests.support.forks import ROOT, Forked
from tests.support.postgres import SPELT
from train import pretrain, search
from train.data.folder import load_data
from train.data.folds import cut_folds, fold_bounds
from train.data.prepare import prepare
from train.data.texts import Text
from train.loop import train as loop
from train.loop.config import PRESETS, TrainConfig
from train.loop.options import read_config
from train.studies.search_report import importances, outcome
from train.studies.search_space import Categorical, Range, apply, known_fields, parse_space
from train.studies.search_study import ENDED, OUT_OF_REACH, SurplusError, Worker, open_study, said

pytestmark = pytest.mark.heavy

STORY = "The cat sat on the mat.\nThe dog ran in the fog.\n"
TEXT = "".join(f"{STORY * 3}<|endoftext|>\n" for _ in range(12))
TINY = "--block-size 16 --n-layer 1 --n-head 1 --n-embd 8 --batch-size 4 --max-steps 6 --threads 1"
TINY += " --precision float32 --device cpu --evaluations 2 --warmup-steps 1"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT)
    prepare([Text(path=tmp_path / "text.txt")], tmp_path / "cats", kind="char")
    return tmp_path / "cats"


def run(data: Path, out: Path, more: str) -> optuna.Study:
    search.main([*f"--data {data} --out {out} {TINY} {more}".split()])
    return optuna.load_study(study_name="cats-story", storage=f"sqlite:///{out}/study.sqlite")


def settings(study: optuna.Study) -> list[dict[str, object]]:
    return [trial.params for trial in study.trials if trial.state in ENDED]


def test_a_search_leaves_a_table_two_charts_and_a_winner_to_train(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "search"
    study = run(data, out, "--trials 5 --pruner none")
    base = apply(PRESETS["story"](), {})
    assert study.trials[0].params["dropout"] == base.dropout  # the preset as it stands comes first
    said = capsys.readouterr().out
    assert said.startswith("1/5  trial 0: ")
    table = (out / "search.md").read_text()
    assert f"| {study.best_trial.number} | {study.best_value:.4f} |" in table
    assert table.count("trained to its end") == 5
    for name in ("importance.png", "history.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
        assert f"]({name})" in table
    assert not list(out.rglob("*.safetensors"))
    best = read_config(out / "best.json")
    assert best.learning_rate == study.best_params["learning_rate"]
    assert best.sample_tokens == base.sample_tokens
    pretrain.main(
        f"--config {out / 'best.json'} --data {data} --out {tmp_path / 'run'} "
        "--sample-tokens 0".split()
    )
    trained = json.loads((tmp_path / "run" / "best" / "training.json").read_text())
    assert trained["config"]["learning_rate"] == best.learning_rate
    # The trial was the same training, save for when it looked.
    assert trained["val_loss"] == pytest.approx(study.best_value, abs=1e-6)


@pytest.mark.slow
def test_the_same_command_goes_on_where_it_was_stopped(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run(data, tmp_path / "whole", "--trials 4 --fields learning_rate dropout")

    class StopInTheThirdTrial:
        looks = 0

        @property
        def asked(self) -> bool:
            StopInTheThirdTrial.looks += 1
            return StopInTheThirdTrial.looks > 2 * 7 + 3  # a trial of 6 steps looks 7 times

    with monkeypatch.context() as patch:
        patch.setattr(loop, "StopSignal", StopInTheThirdTrial)
        study = run(data, tmp_path / "parts", "--trials 4 --fields learning_rate dropout")
    assert "stopped; every trial that ended is kept" in capsys.readouterr().out
    assert len(settings(study)) == 2
    study = run(data, tmp_path / "parts", "--trials 4 --fields learning_rate dropout")
    assert settings(study) == settings(whole)
    assert study.best_value == whole.best_value
    capsys.readouterr()
    run(data, tmp_path / "parts", "--trials 4 --fields learning_rate dropout")
    assert "trial 0:" not in capsys.readouterr().out.split("\n\n")[0]  # nothing is left to do


@pytest.mark.slow
def test_ctrl_c_ends_a_search_at_once_with_all_kept(data: Path, tmp_path: Path) -> None:
    command = f"--data {data} --out {tmp_path / 'search'} {TINY}"
    command += " --max-steps 100000 --evaluations 20000 --trials 1000 --pruner none"
    said, errors = tmp_path / "out", tmp_path / "err"
    process = Forked(
        "train.search",
        command.split(),
        cwd=ROOT,
        environment=os.environ,
        out=said,
        err=errors,
    )
    metrics = tmp_path / "search" / "trials" / "0000" / "fold-0" / "metrics.jsonl"
    deadline = time.monotonic() + 300
    while not (metrics.exists() and '"val_loss"' in metrics.read_text()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(300) == 0, errors.read_text()
    assert "stopped; every trial that ended is kept" in said.read_text()
    assert "Traceback" not in errors.read_text()
    storage = f"sqlite:///{tmp_path / 'search' / 'study.sqlite'}"
    states = [t.state for t in optuna.load_study(study_name="cats-story", storage=storage).trials]
    assert states == [TrialState.FAIL, TrialState.WAITING]  # it waits to be tried again


@pytest.mark.parametrize("pruner", ["hyperband", "none"])
def test_every_pruner_lets_the_first_trial_end(pruner: str, data: Path, tmp_path: Path) -> None:
    study = run(data, tmp_path / "search", f"--trials 1 --fields dropout --pruner {pruner}")
    assert study.trials[0].state == TrialState.COMPLETE


def worker(folder: Path, arguments: str, module: str = "train.search") -> Forked:
    """A process that searches, with what it says in `folder`."""
    folder.mkdir()
    said = {"out": folder / "said", "err": folder / "wrong"}
    command = f"{arguments} --out {folder}".split()
    return Forked(module, command, cwd=ROOT, environment=os.environ, **said)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "living", "count"),
    [
        ("postgresql", ("one",), 3),
        pytest.param("postgresql", ("one", "two", "three"), 10, marks=pytest.mark.torture),
        pytest.param("sqlite", ("one", "two"), 10, marks=pytest.mark.torture),
    ],
)
def test_workers_share_a_study_and_one_that_is_killed_loses_no_trial_and_adds_none(
    data: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    kind: str,
    living: Sequence[str],
    count: int,
) -> None:
    storage = f"sqlite:///{tmp_path}/shared.sqlite"
    if kind == "postgresql":
        storage = request.getfixturevalue("cluster").database()
    shared = f"--data {data} {TINY} --fields dropout --pruner none --trials {count} --lost-after 2"
    shared += f" --storage {storage} --name cats"
    doomed = worker(tmp_path / "doomed", shared, "tests.support.doomed_worker")
    others = [worker(tmp_path / name, shared) for name in living]
    assert doomed.wait(300) == -signal.SIGKILL
    for name, other in zip(living, others, strict=True):
        assert other.wait(300) == 0, (tmp_path / name / "wrong").read_text()
    kept = optuna.storages.RDBStorage(storage)
    trials = optuna.load_study(study_name="cats", storage=kept).trials
    kept.remove_session()
    kept.engine.dispose()
    ended = [trial for trial in trials if trial.state in ENDED]
    assert len(ended) == count
    assert [trial for trial in trials if trial.state == TrialState.RUNNING] == []
    (lost,) = begun_in(tmp_path / "doomed")
    assert trials[lost].state == TrialState.FAIL
    assert trials[lost].params in [trial.params for trial in ended]  # another trained it
    begun = [number for name in living for number in begun_in(tmp_path / name)]
    assert len(begun) == len(set(begun))
    assert {trial.number for trial in ended} <= set(begun)
    for name in living:
        report = (tmp_path / name / "search.md").read_text()
        assert report.count("trained to its end") == count
        assert SPELT not in report


def begun_in(folder: Path) -> list[int]:
    """The trials that a worker began."""
    return [int(trial.name) for trial in (folder / "trials").iterdir()]


def worker_on(where: Path | str, objective: Callable[[optuna.Trial], float], trials: int) -> Worker:
    """One that shares the study of a file or an address, as if it were another process."""
    pruner = optuna.pruners.NopPruner()
    url = where if isinstance(where, str) else f"sqlite:///{where}"
    study, storage = open_study(url, "cats", pruner, about={}, first=None, patience_s=60)
    return Worker(study, storage, objective, trials=trials, seed=1, say=lambda trial, ended: None)


def test_of_two_workers_that_begin_the_last_trial_at_once_one_withdraws(tmp_path: Path) -> None:
    def objective(trial: optuna.Trial) -> float:
        if trial.number == 0:
            # Another began when this one was not there yet, and looks only now.
            other = worker_on(tmp_path / "study", objective, 1)
            with pytest.raises(SurplusError):
                other.counted(other.study.ask())
        return trial.suggest_float("dropout", 0, 1)

    one = worker_on(tmp_path / "study", objective, 1)
    with pytest.warns(UserWarning, match="Heartbeat of storage"):
        one.run()
    assert one.study.trials[0].state == TrialState.COMPLETE
    assert sum(trial.state in ENDED for trial in one.study.trials) == 1


def test_a_worker_that_was_taken_for_lost_leaves_its_trial_to_who_has_it_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stops = KeyboardInterrupt

    def objective(trial: optuna.Trial) -> float:
        if trial.number < 2:
            optuna.load_study(study_name="cats", storage=f"sqlite:///{tmp_path}/study").tell(
                trial.number, state=TrialState.FAIL
            )
        if trial.number == 1:
            raise stops
        return trial.suggest_float("dropout", 0, 1) if trial.number else 0.5

    one = worker_on(tmp_path / "study", objective, 2)
    with pytest.raises(KeyboardInterrupt):
        one.run()
    assert "another tries it again (--lost-after)" in capsys.readouterr().out
    one.run()
    states = [TrialState.FAIL] * 2 + [TrialState.COMPLETE] * 2
    assert [trial.state for trial in one.study.trials] == states


@pytest.mark.parametrize("at", ["an evaluation", "the end"])
def test_a_worker_whose_database_goes_away_ends_with_an_error_that_says_so(
    cluster: Any, at: str
) -> None:
    def objective(trial: optuna.Trial) -> float:
        cluster.stop()
        if at == "an evaluation":
            trial.report(0.5, 1)
        return 0.5

    one = worker_on(cluster.database(), objective, 1)
    try:
        with pytest.raises(OUT_OF_REACH) as end:
            one.run()
    finally:
        cluster.start()
    assert "connection" in said(end.value)
    one.storage.remove_session()
    one.storage.engine.dispose()


def test_a_trial_that_diverges_is_given_up_and_the_search_goes_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = "--optimizer adamw --grad-clip 0 --fields learning_rate=1e18:1e20 --trials 2"
    study = run(data, tmp_path / "search", wild)
    assert [trial.state for trial in study.trials] == [TrialState.PRUNED] * 2
    assert outcome(study.trials[0]).startswith("diverged")
    assert "no trial was trained to its end" in capsys.readouterr().out


class PruneAll(optuna.pruners.BasePruner):
    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return True


def test_a_trial_that_falls_behind_ends_at_its_next_evaluation(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "make_pruner", lambda name, evaluations: PruneAll())
    trial = run(data, tmp_path / "search", "--trials 1 --fields batch_size").trials[0]
    assert trial.state == TrialState.PRUNED
    assert list(trial.intermediate_values) == [1]  # the first of two evaluations
    assert outcome(trial).startswith("fell behind at ")


def test_another_text_or_preset_needs_another_study(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(data, tmp_path / "search", "--trials 1")
    with pytest.raises(SystemExit):
        run(data, tmp_path / "search", "--trials 2 --n-layer 2")
    assert "is of another base: give the options it was begun with" in capsys.readouterr().err
    (tmp_path / "text.txt").write_text(TEXT.replace("cat", "cow"))
    prepare([Text(path=tmp_path / "text.txt")], data, kind="char")
    with pytest.raises(SystemExit):
        run(data, tmp_path / "search", "--trials 2")
    assert "is of another texts" in capsys.readouterr().err


def test_the_report_of_a_study_is_not_replaced_by_anothers(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(data, tmp_path / "search", "--trials 1")
    best = (tmp_path / "search" / "best.json").read_text()
    for more in ("", f" --storage sqlite:///{tmp_path}/study"):
        with pytest.raises(SystemExit):
            run(data, tmp_path / "search", f"--trials 1 --name two --n-layer 2{more}")
        assert "best.json of the study `cats-story`, which" in capsys.readouterr().err
    assert (tmp_path / "search" / "best.json").read_text() == best
    study = f"sqlite:///{tmp_path}/search/study.sqlite"
    assert optuna.get_all_study_names(study) == ["cats-story"]
    # Two that an older version began there both go on.
    (tmp_path / "search" / "best.json").unlink()
    run(data, tmp_path / "search", "--trials 1 --name two --n-layer 2")
    assert len(settings(run(data, tmp_path / "search", "--trials 2"))) == 2


def test_folds_are_each_trained_and_their_mean_counts(data: Path, tmp_path: Path) -> None:
    trial = run(data, tmp_path / "search", "--trials 1 --folds 3 --pruner none").trials[0]
    losses = []
    for fold in sorted((tmp_path / "search" / "trials" / "0000").iterdir()):
        records = [json.loads(line) for line in (fold / "metrics.jsonl").read_text().splitlines()]
        losses.append(min(record["val_loss"] for record in records if "val_loss" in record))
    assert len(set(losses)) == 3
    assert trial.value == pytest.approx(sum(losses) / 3)
    assert list(trial.intermediate_values) == [1, 2]  # the first fold's


def test_every_token_is_held_out_once_and_no_story_is_cut(data: Path) -> None:
    whole = load_data(data)
    folds = cut_folds(whole, 3)
    assert np.concatenate([fold.valid for fold in folds]).tolist() == whole.train.tolist()
    for fold in folds:
        assert len(fold.train) + len(fold.valid) == len(whole.train)
        assert fold.valid[0] == whole.tokenizer.eos_id
        text = whole.tokenizer.decode(fold.valid.tolist())
        assert text.startswith("The cat")
        assert fold.facts["valid"] == {"tokens": len(fold.valid), "bytes": len(text)}
    assert sum(fold.facts["valid"]["bytes"] for fold in folds) == whole.facts["train"]["bytes"]


def test_a_text_of_one_story_is_cut_where_it_must_be() -> None:
    assert fold_bounds(np.zeros(100, np.uint16), eos_id=9, k=4) == [0, 25, 50, 75, 100]
    tokens = np.zeros(100, np.uint16)
    tokens[[28, 90]] = 9
    assert fold_bounds(tokens, eos_id=9, k=4) == [0, 28, 50, 75, 100]
    for k in (1, 51):
        with pytest.raises(ValueError, match=f"between 2 and half the 100 tokens, not {k}"):
            fold_bounds(tokens, eos_id=9, k=k)


def test_another_batch_size_reads_as_much_text() -> None:
    base = TrainConfig(max_steps=100, batch_size=8, warmup_steps=10, eval_every=20)
    for size, steps in ((4, 200), (16, 50), (8, 100)):
        config = apply(base, {"batch_size": size, "dropout": 0.1})
        assert (config.max_steps, config.dropout) == (steps, 0.1)
        assert config.max_steps * config.tokens_per_step == 100 * base.tokens_per_step
        assert config.warmup_steps / config.max_steps == 0.1
        assert config.eval_every / config.max_steps == 0.2


def test_fields_take_ranges_of_their_own() -> None:
    base = TrainConfig(batch_size=16)
    space = parse_space(["dropout", "learning-rate=0.001:0.01", "batch_size=4,8"], base)
    assert space == {
        "dropout": known_fields(base)["dropout"],
        "learning_rate": Range(low=0.001, high=0.01, log=True),
        "batch_size": Categorical((4, 8)),
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--fields charm", "cannot search 'charm': known are learning_rate, weight_decay"),
        ("--fields dropout=high", "expected a range like dropout=0.001:0.01, not dropout=high"),
        ("--fields batch_size=big", "expected a range like batch_size=8,16,32"),
        ("--fields learning_rate=0:1", "with LOW above 0 below HIGH, not 0:1"),
        ("--trials 0", "--trials must be at least 1, not 0"),
        ("--folds 1", "between 2 and half the"),
        ("--storage nonsense", "cannot open the study database nonsense"),
        ("--storage sqlite:////no/such/folder/x", "cannot open the study database sqlite"),
        ("--storage postgresql://ada:word@127.0.0.1:1/x", "database postgresql://ada:***@127.0.0"),
        ("--config gone.json", "expected a training config in gone.json"),
    ],
)
def test_a_wrong_option_is_one_clear_line(
    options: str, message: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        search.main(f"--data {data} --out {tmp_path / 'search'} {options}".split())
    assert end.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_importance_finds_the_field_that_decides() -> None:
    study = optuna.create_study()
    space = {name: optuna.distributions.FloatDistribution(0, 1) for name in ("idle", "deciding")}
    rng = np.random.default_rng(1)
    for _ in range(30):
        params = {name: float(rng.random()) for name in space}
        study.add_trial(
            create_trial(params=params, distributions=dict(space), value=params["deciding"] ** 2)
        )
        if len(study.trials) == 3:
            assert importances(study) == {}  # too few to say
    shares = importances(study)
    assert list(shares) == ["deciding", "idle"]
    assert shares["deciding"] > 0.9


def test_a_config_is_read_from_a_search_or_a_run(tmp_path: Path) -> None:
    config = replace(PRESETS["small"](), learning_rate=0.5)
    for name, values in (
        ("best.json", config.to_dict()),
        ("config.json", {"command": "x", "config": config.to_dict()}),
    ):
        (tmp_path / name).write_text(json.dumps(values))
        assert read_config(tmp_path / name) == config
    for text in ("[]", "{", '{"width": 3}', '{"n_layer": "many"}'):
        (tmp_path / "wrong.json").write_text(text)
        with pytest.raises(ValueError, match="expected a training config in"):
            read_config(tmp_path / "wrong.json")


def test_a_folder_that_cannot_be_made_is_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as end:
        run(data, tmp_path / "file" / "out", "--trials 1")
    assert end.value.code == 2
    assert "file" in capsys.readouterr().err.splitlines()[-1]
