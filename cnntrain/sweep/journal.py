"""The journal of a sweep: Optuna's own, so that Optuna and optuna-dashboard can read ``study.journal``.

It records the values of each trial when they are chosen, what trials are worth when they are compared, and results in
the order of the trials. Everything else follows from the run folders. Each step can be repeated after a kill: what is
in the journal stays, and what is missing is added.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from cnntrain.config.sweep.sweep_file import Sweep
from cnntrain.errors import UsageError
from cnntrain.storage import FolderLock
from cnntrain.sweep.space import Values, choose, direction, distributions
from cnntrain.sweep.trial_result import TrialResult

JOURNAL_FILE = "study.journal"
STUDY = "sweep"
STATES = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
}
WAIT_SECONDS, POLL_SECONDS = 60.0, 0.02
"""How long to wait for another process that writes, and between two attempts."""


@dataclass(frozen=True)
class TrialRecord:
    """A trial, as far as the journal knows."""

    number: int
    values: Values
    state: str
    """``running``, ``complete``, ``stopped`` by halving, or ``failed``."""
    result: TrialResult | None
    error: str | None
    rungs: dict[int, float]
    """The values at comparisons, by epoch."""

    @property
    def name(self) -> str:
        """Name of its run folder, ``0007``."""
        return f"{self.number:04d}"


class NoLock(JournalFileOpenLock):
    """For Optuna, since the journal is locked here: a lock of ours never outlives its process."""

    def acquire(self) -> bool:
        """Do nothing."""
        return True

    def release(self) -> None:
        """Do nothing."""


class Journal:
    """The trials of a sweep.

    Args:
        folder: Folder of the sweep.
        sweep: The sweep.

    Raises:
        UsageError: The journal cannot be read.
    """

    def __init__(self, folder: Path, sweep: Sweep):
        self.folder, self.sweep = folder, sweep
        self.path = folder / JOURNAL_FILE
        self.note = ""
        """A warning if the file system has no locks."""
        with self.locked():
            try:
                self.storage = JournalStorage(JournalFileBackend(str(self.path), lock_obj=NoLock(str(self.path))))
                study = optuna.create_study(
                    storage=self.storage, study_name=STUDY, direction=direction(sweep), load_if_exists=True
                )
            except (ValueError, KeyError, TypeError, AssertionError) as error:
                raise UsageError(
                    f"{self.path}: this file is damaged ({error}); remove it: it is made again from the trials' folders"
                ) from None
            self.study_id = study._study_id

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing, and remove half a line that a dying machine left."""
        lock = wait_for_lock(self.folder)
        self.note = lock.note
        try:
            cut_half_line(self.path)
            yield
        finally:
            lock.release()

    def frozen(self) -> list[FrozenTrial]:
        """Return all trials as Optuna has them."""
        return self.storage.get_all_trials(self.study_id)

    def records(self) -> list[TrialRecord]:
        """Return all trials, by number."""
        return [record_of(trial) for trial in self.frozen()]

    def fingerprint(self, new: dict[str, Any]) -> dict[str, Any]:
        """Return the fingerprint of the data that the sweep began with; at the beginning, that is ``new``."""
        with self.locked():
            known: dict[str, Any] | None = self.storage.get_study_user_attrs(self.study_id).get("fingerprint")
            if known is None:
                self.storage.set_study_user_attr(self.study_id, "fingerprint", new)
            return known or new

    def ask(self, wave: int, count: int) -> list[TrialRecord]:
        """Return the first ``count`` trials of a wave; those that are not in the journal get values now."""
        first = wave * self.sweep.options.wave
        with self.locked():
            known = self.frozen()
            if len(known) < first + count:
                space = distributions(self.sweep)
                for values in choose(self.sweep, wave, count, known[:first])[len(known) - first :]:
                    trial = create_trial(
                        state=TrialState.RUNNING, params=values, distributions=space, user_attrs={"wave": wave}
                    )
                    self.storage.create_new_trial(self.study_id, template_trial=trial)
        return self.records()[first : first + count]

    def compare(self, epochs: int, results: Mapping[int, TrialResult]) -> dict[int, float]:
        """Record what trials are worth at a comparison; return what the journal has, which may be older."""
        values: dict[int, float] = {}
        with self.locked():
            known = self.frozen()
            for number in sorted(results):
                if epochs not in known[number].intermediate_values and not known[number].state.is_finished():
                    value = results[number].value(self.sweep.options.goal.metric)
                    self.storage.set_trial_intermediate_value(self.id_of(number), epochs, value)
                    values[number] = value
        return values | {
            n: t.intermediate_values[epochs] for n, t in enumerate(known) if epochs in t.intermediate_values
        }

    def tell(self, number: int, result: TrialResult, is_stopped: bool) -> None:
        """Record the result of a trial that is complete, or that halving stopped."""
        state = TrialState.PRUNED if is_stopped else TrialState.COMPLETE
        self._end(number, state, result.value(self.sweep.options.goal.metric), {"result": result.to_json()})

    def fail(self, number: int, error: str) -> None:
        """Record that a trial failed, and why."""
        self._end(number, TrialState.FAIL, None, {"error": error})

    def _end(self, number: int, state: TrialState, value: float | None, attributes: dict[str, Any]) -> None:
        with self.locked():
            if self.frozen()[number].state.is_finished():
                return
            for name, content in attributes.items():
                self.storage.set_trial_user_attr(self.id_of(number), name, content)
            self.storage.set_trial_state_values(self.id_of(number), state, None if value is None else [value])

    def id_of(self, number: int) -> int:
        """Return Optuna's id of a trial."""
        return self.storage.get_trial_id_from_study_id_trial_number(self.study_id, number)


def record_of(trial: FrozenTrial) -> TrialRecord:
    """Return a trial of Optuna as a record."""
    result = trial.user_attrs.get("result")
    return TrialRecord(
        number=trial.number,
        values=dict(trial.params),
        state=STATES[trial.state],
        result=None if result is None else TrialResult.from_json(result),
        error=trial.user_attrs.get("error"),
        rungs=dict(trial.intermediate_values),
    )


def wait_for_lock(folder: Path) -> FolderLock:
    """Return the lock of a folder, once other processes have released it.

    Raises:
        UsageError: That takes too long.
    """
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return FolderLock(folder)
        except UsageError:
            if time.monotonic() > end:
                raise UsageError(f"{folder}: another process keeps this sweep locked; stop it") from None
        time.sleep(POLL_SECONDS)


def cut_half_line(path: Path) -> None:
    """Remove the end of a file after its last line break."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    if content and not content.endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)
