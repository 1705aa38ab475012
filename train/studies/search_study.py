"""A study that workers share: the database that keeps it, and which of its trials count.

A worker is a process of `train.search`; several take trials from one study, on one machine or on
many. However they begin, stop or are killed, the study ends with as many trials as were asked for:
a trial counts if fewer than that were begun before it and not given up, which every worker can see
for itself, since the database numbers trials one after another. A worker that trains says every few
seconds that it lives; the trial of one that fell silent is tried again by another.
"""

import re
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError, OptunaError
from optuna.pruners import BasePruner
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, event
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
RETRIES = 2
"""How often a trial is tried again whose worker was lost: one may be what kills them."""
POLL_S = 1.0
BEGIN_S = 5.0
"""How long a study may be without what it is about: another worker is just making it."""
OUT_OF_REACH = (OptunaError, SQLAlchemyError)
"""What a database raises that cannot be opened, or answers no more."""


class SearchError(Exception):
    """A study that cannot be gone on with, with what to do instead."""


class SurplusError(Exception):
    """A trial that another worker's made one too many."""


class Storage(RDBStorage):
    """Optuna's tables in a database that workers share.

    Args:
        patience_s: Seconds without a sign of life after which a worker counts as lost.
    """

    def __init__(self, url: str, patience_s: int) -> None:
        # A connection that was closed during a long evaluation is made anew.
        settings: dict[str, Any] = {"pool_pre_ping": True}
        if url.startswith("sqlite"):
            settings["connect_args"] = {"timeout": 60}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            super().__init__(
                url,
                settings,
                heartbeat_interval=max(1, patience_s // 4),
                grace_period=patience_s,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(RETRIES),
            )
        if self.engine.dialect.name == "sqlite":
            # Its rows have no locks: two workers could take one trial that waits.
            event.listen(self.engine, "begin", _lock)

    def record_heartbeat(self, trial_id: int) -> None:
        """Say that the worker of a trial lives; one time that does not arrive is no death."""
        with suppress(*OUT_OF_REACH):
            super().record_heartbeat(trial_id)


def _lock(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def open_study(
    url: str,
    name: str,
    pruner: BasePruner,
    *,
    about: Mapping[str, Any],
    first: Mapping[str, Any] | None,
    patience_s: int,
    begins: Callable[[], None] | None = None,
) -> tuple[optuna.Study, Storage]:
    """The study `name` in a database, made unless it is there.

    Args:
        about: What must be the same whenever it is gone on with.
        first: The fields of its first trial; None to have them drawn too.
        begins: Called before it is made, or gone on with while no trial of it came to its end; what
            it raises is passed on.

    Raises:
        SearchError: it is about something else, or the database cannot be opened.
    """
    try:
        storage = _storage(url, patience_s)
        if begins and not _has_ended(storage, name):
            begins()
        try:
            study = optuna.create_study(storage=storage, study_name=name, pruner=pruner)
        except DuplicatedStudyError:
            study = optuna.load_study(storage=storage, study_name=name, pruner=pruner)
            deadline = time.monotonic() + BEGIN_S
            while "about" not in study.user_attrs and time.monotonic() < deadline:
                time.sleep(0.1)
        if "about" not in study.user_attrs:
            if first is not None:
                study.enqueue_trial(dict(first))
            # Last: the others wait for it, so that nobody draws before the first trial is there.
            study.set_user_attr("about", dict(about))
    except (*OUT_OF_REACH, ImportError, LookupError) as error:
        raise SearchError(f"cannot open the study database {hidden(url)}: {said(error)}") from error
    theirs = study.user_attrs["about"]
    if different := [key for key in about if theirs.get(key) != about[key]]:
        raise SearchError(
            f"the study {name!r} in {hidden(url)} is of another {' and '.join(different)}: "
            "give the options it was begun with, or another --name and --out"
        )
    return study, storage


def _has_ended(storage: Storage, name: str) -> bool:
    """Whether a trial of the study `name` was trained to its end."""
    try:
        id = storage.get_study_id_from_name(name)
    except KeyError:
        return False
    return bool(storage.get_all_trials(id, deepcopy=False, states=(TrialState.COMPLETE,)))


def _storage(url: str, patience_s: int) -> Storage:
    """The database, once more where another worker made its tables at the same moment."""
    for pause_s in (0.2, 0.5, 1.0):
        try:
            return Storage(url, patience_s)
        except (IntegrityError, ProgrammingError, OperationalError) as error:
            if isinstance(error, OperationalError) and "already exists" not in str(error):
                raise
            time.sleep(pause_s)
    return Storage(url, patience_s)


def hidden(words: str) -> str:
    """Words with the password of each address in them left out.

    >>> hidden("--storage postgresql://ada:secret@db/search")
    '--storage postgresql://ada:***@db/search'
    """
    return re.sub(r"(://[^:/@\s]*):\S*@", r"\1:***@", words)


def said(error: Exception) -> str:
    """What a database said, in a line."""
    lines = str(error.__cause__ or error).splitlines() or [type(error).__name__]
    return hidden(lines[0])


def _of_the_database(error: BaseException) -> BaseException:
    """What it came from, where that was the database."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OUT_OF_REACH):
        cause = cause.__context__
    return cause or error


class Worker:
    """Takes trials from a study and trains them.

    Args:
        objective: Trains a trial: its loss.
        trials: How many the study shall hold that came to an end, whoever ran them.
        seed: The draws depend on it and on how many trials there were before.
        say: Told of each trial that ended here, and how many have by now.
    """

    def __init__(
        self,
        study: optuna.Study,
        storage: Storage,
        objective: Callable[[optuna.Trial], float],
        *,
        trials: int,
        seed: int,
        say: Callable[[FrozenTrial, int], None],
    ) -> None:
        self.study, self.storage, self.objective = study, storage, objective
        self.trials, self.seed, self.say = trials, seed, say
        self._seen: set[int] = set()
        self._number = 0
        self._wrong: BaseException | None = None
        """What the training of that trial raised."""

    def run(self) -> None:
        """Train until the study holds its trials; wait for those of other workers."""
        waits = False
        self._find_lost()
        while (ended := self._count(*ENDED)) < self.trials:
            if self._count(*ENDED, TrialState.RUNNING) < self.trials:
                waits = False
                self._train_one()
                continue
            if not waits:
                print(f"waiting for {self.trials - ended} of other workers", flush=True)
            waits = True
            time.sleep(POLL_S)
            self._find_lost()

    def _count(self, *states: TrialState) -> int:
        return len(self.study.get_trials(deepcopy=False, states=states))

    def _find_lost(self) -> None:
        """Queue again what lost workers trained."""
        id = self.storage.get_study_id_from_name(self.study.study_name)
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        for number in {trial.number for trial in running} - self._seen:
            # Once on their behalf: who was killed before the first time would live forever.
            self.storage.record_heartbeat(
                self.storage.get_trial_id_from_study_id_trial_number(id, number)
            )
            self._seen.add(number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            fail_stale_trials(self.study)

    def _train_one(self) -> None:
        try:
            self.study.optimize(
                self.counted, n_trials=1, catch=(SurplusError,), callbacks=[self._tell]
            )
        except Exception as error:
            if error is self._wrong:
                raise
            if isinstance(self._wrong, KeyboardInterrupt):
                raise self._wrong from error
            # Optuna ends in an assertion, or in a variable that it has not set, where a trial is no
            # longer one that runs, and where the database is away: ask which. Away, this raises.
            mine = self.study.get_trials(deepcopy=False)[self._number]
            if mine.state == TrialState.RUNNING:
                raise _of_the_database(error) from error
            print(
                "a trial of this worker is no longer its own: nothing was heard of it for too "
                "long, so another tries it again (--lost-after)",
                flush=True,
            )

    def counted(self, trial: optuna.Trial) -> float:
        """Train a trial, if it counts: its loss.

        Raises:
            SurplusError: as many as were asked for were begun before it.
        """
        self._number, self._wrong = trial.number, None
        before = sum(
            each.number < trial.number and each.state != TrialState.FAIL
            for each in self.study.get_trials(deepcopy=False)
        )
        if before >= self.trials:
            raise SurplusError
        # Draws depend on how many trials there are, so a search that was stopped and went on is
        # the search that was not, and workers that share a study draw differently.
        startup = max(4, self.trials // 4)
        self.study.sampler = TPESampler(seed=self.seed + before, n_startup_trials=startup)
        try:
            return self.objective(trial)
        except BaseException as error:
            self._wrong = error
            raise

    def _tell(self, study: optuna.Study, trial: FrozenTrial) -> None:
        if trial.state in ENDED:
            self.say(trial, self._count(*ENDED))
