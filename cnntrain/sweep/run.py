"""Runs a sweep: wave by wave, each from the results of those before."""

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna

from cnntrain.config.sweep.checks import check_candidate_shapes
from cnntrain.config.sweep.sweep_file import Sweep
from cnntrain.data.fingerprint import differences, fingerprint
from cnntrain.errors import ConfigError, DataError, DivergedError, StorageError, UsageError
from cnntrain.parallel import available_cores
from cnntrain.sweep.events import SweepEnded, SweepEvent, SweepStarted, TrialEnded, TrialProgress
from cnntrain.sweep.folder import TRIALS_FOLDER, open_folder, with_trials
from cnntrain.sweep.halving import promoted, rungs
from cnntrain.sweep.journal import Journal, TrialRecord
from cnntrain.sweep.result import best_of, result_of, write_result, write_table
from cnntrain.sweep.trial_processes import TrialProcesses
from cnntrain.sweep.trial_result import TrialResult, check_same_values, read_result
from cnntrain.training.events import Note, WarningIssued
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.load_data import load_events

optuna.logging.set_verbosity(optuna.logging.ERROR)


def run_sweep(
    sweep: Sweep, folder: Path, parallel: int = 1, interrupts: Interrupts | None = None, plots: bool = True
) -> Iterator[SweepEvent]:
    """Run or resume a sweep in its folder; yield events.

    Trials and winner depend on the sweep alone, not on ``parallel`` or on interruptions.

    Args:
        sweep: The sweep, from ``load_sweep``.
        folder: Its folder.
        parallel: Number of trials at a time.
        interrupts: Signals; after one, running trials are saved.
        plots: Whether to draw plots.

    Raises:
        UsageError: The folder holds something else, or there are not enough cores.
        ConfigError, DataError: The base config or the data are not usable.
        DivergedError: No trial is complete, raised after ``SweepEnded``.
        KeyboardInterrupt: A signal arrived; the same call resumes the sweep.
        WorkerError, StorageError: Trials cannot be trained or saved.
    """
    workers = check_cores(sweep, parallel)
    base = sweep.base.config({})
    data = yield from load_events(base, interrupts=interrupts)
    if data.validation is None:
        where = base.where(("data",))
        raise ConfigError(f"{where}: a sweep compares trials on validation samples, and none are held out; add "
                          "'validation: 0.1' to data")  # fmt: skip
    check_candidate_shapes(sweep.base, sweep.dimensions, data.input_shape, len(data.classes))
    now = fingerprint(data)
    samples = {split: 0 if dataset is None else len(dataset) for split, dataset in data.splits().items()}
    del data
    sweep = open_folder(folder, sweep)
    try:
        result = yield from run_waves(sweep, folder, parallel, workers is None, now, samples, interrupts)
        yield from map(WarningIssued, write_result(folder, result, plots))
    except OSError as error:
        raise StorageError(
            f"{error.filename or folder}: the sweep cannot be saved: {error.strerror}; the same command resumes it"
        ) from error
    yield SweepEnded(result)
    if result["best"] is None:
        raise DivergedError(f"{folder}: no trial is complete: trial 0: {result['trials'][0]['error']}")


def run_waves(
    sweep: Sweep,
    folder: Path,
    parallel: int,
    is_auto: bool,
    data: dict[str, Any],
    samples: dict[str, int],
    interrupts: Interrupts | None,
) -> Generator[SweepEvent, None, dict[str, Any]]:
    """Train all trials in an open folder; return what ``cnntrain sweep --json`` prints.

    Args:
        sweep: The sweep.
        folder: Its folder.
        parallel: Number of trials at a time.
        is_auto: Whether the config leaves the number of workers open.
        data: Fingerprint of the data.
        samples: Number of samples by split.
        interrupts: Signals.
    """
    journal = Journal(folder, sweep)
    if differing := differences(journal.fingerprint(data), data):
        raise DataError(f"{folder}: these are not the data that this sweep began with: {'; '.join(differing)}")
    known = journal.records()
    if len(known) > sweep.trials:
        yield Note(f"this sweep has {len(known)} trials by now, so trials={sweep.trials} adds none")
        sweep = with_trials(sweep, len(known))
    done = sum(trial.state != "running" for trial in known)
    yield SweepStarted(folder, sweep, samples, sweep.trials, done, parallel)
    if journal.note:
        yield WarningIssued(journal.note)
    with TrialProcesses(parallel, parallel > 1 and is_auto, interrupts) as processes:
        for wave in range(-(-sweep.trials // sweep.options.wave)):
            yield from Wave(sweep, folder, journal, processes, wave).run()
    return result_of(folder, sweep, journal.records(), journal.frozen(), samples["test"] > 0)


def check_cores(sweep: Sweep, parallel: int) -> int | None:
    """Return ``training.workers`` of the base config, None for auto.

    Raises:
        UsageError: There are not enough cores for so many trials at a time.
    """
    workers, cores = sweep.base.config({}).training.workers, available_cores()
    each = 1 if workers == "auto" else workers
    if parallel * each > cores:
        of_workers = "" if workers == "auto" else f" with training.workers {workers}"
        most = f"at most --parallel {cores // each}" if cores >= each else f"at most training.workers={cores}"
        of_cores = "1 core" if cores == 1 else f"{cores} cores"
        raise UsageError(f"--parallel {parallel}{of_workers} needs {parallel * each} cores, and there are {of_cores}; "
                         f"take {most}")  # fmt: skip
    return None if workers == "auto" else workers


class Wave:
    """Trials whose values are chosen together.

    Args:
        sweep: The sweep.
        folder: Its folder.
        journal: Its journal.
        processes: What trains the trials.
        number: Number of the wave, from 0.
    """

    def __init__(self, sweep: Sweep, folder: Path, journal: Journal, processes: TrialProcesses, number: int):
        self.sweep, self.folder, self.journal, self.processes = sweep, folder, journal, processes
        first = number * sweep.options.wave
        self.trials = journal.ask(number, min(sweep.options.wave, sweep.trials - first))
        self.jobs: dict[int, dict[str, Any]] = {}
        """What is needed to train each trial that is not done."""
        self.Max: dict[int, int] = {}
        self.announced: set[int] = set()

    def run(self) -> Iterator[SweepEvent]:
        """Train the trials until all are done, and record their results in their order."""
        running = [trial for trial in self.trials if trial.state == "running"]
        if not running:
            return
        yield from self._prepare(running)
        results: dict[int, TrialResult] = {}
        stopped: set[int] = set()
        halving = self.sweep.options.halving
        for epochs in rungs(halving, max(self.Max.values(), default=1)):
            reached = yield from self._train([n for n in self.jobs if n not in results], epochs)
            values = self._of_wave(self.journal.compare(epochs, reached))
            ahead = promoted(values, getattr(halving, "factor", 1), bool(self.sweep.options.goal.minimize))
            for number, result in reached.items():
                if number not in ahead or result.is_finished:
                    results[number] = result
                    if not result.is_finished:
                        stopped.add(number)
                    yield self._ended(number, result, number in stopped)
        finished = yield from self._train([n for n in self.jobs if n not in results], None)
        for number, result in sorted((results | finished).items()):
            self.journal.tell(number, result, number in stopped)
        write_table(self.folder, self.journal.records(), self.sweep)

    def _prepare(self, running: Sequence[TrialRecord]) -> Iterator[SweepEvent]:
        """Make the jobs; a trial whose values do not go together has failed."""
        for trial in running:
            try:
                config = self.sweep.config(trial.values)
            except ConfigError as error:
                yield self._failed(trial.number, str(error))
                continue
            folder = self.folder / TRIALS_FOLDER / trial.name
            check_same_values(folder, trial.values)
            self.Max[trial.number] = config.training.Max
            self.jobs[trial.number] = {
                "number": trial.number, "folder": str(folder.absolute()), "config": config.resolved()
            }  # fmt: skip

    def _train(self, numbers: Sequence[int], epochs: int | None) -> Generator[SweepEvent, None, dict[int, TrialResult]]:
        """Train trials for ``epochs`` epochs in all, or to their end; return the results of those that do not fail."""
        results: dict[int, TrialResult] = {}

        def result(number: int) -> TrialResult | None:
            job = self.jobs[number]
            return read_result(Path(job["folder"]), epochs, job["config"]["training"]["best_by"])

        def is_done(number: int) -> bool:  # by another process, perhaps on another machine
            return result(number) is not None or self.journal.records()[number].state == "failed"

        jobs = [self.jobs[number] | {"epochs": epochs} for number in numbers]
        for number, content in self.processes.run(jobs, is_done):
            if "epoch" in content:
                yield TrialProgress(number, content["epoch"], min(epochs or self.Max[number], self.Max[number]))
            elif "warning" in content:
                yield WarningIssued(f"trial {number}: {content['warning']}")
            elif content["end"] == "error":
                yield self._failed(number, content["text"])
            elif (found := result(number)) is None:
                yield self._failed(number, self.journal.records()[number].error or "its run folder is damaged")
            else:
                results[number] = found
                if epochs is None:
                    yield self._ended(number, found, False)
        return results

    def _of_wave(self, values: dict[int, float]) -> dict[int, float]:
        return {trial.number: values[trial.number] for trial in self.trials if trial.number in values}

    def _failed(self, number: int, text: str) -> TrialEnded:
        self.jobs.pop(number, None)
        self.journal.fail(number, text.splitlines()[0])
        return self._event(self.journal.records()[number])

    def _ended(self, number: int, result: TrialResult, is_stopped: bool) -> TrialEnded:
        trial = self.trials[number - self.trials[0].number]
        return self._event(
            TrialRecord(number, trial.values, "stopped" if is_stopped else "complete", result, None, trial.rungs)
        )

    def _event(self, trial: TrialRecord) -> TrialEnded:
        """Return the event of a trial that is done, although its result is not recorded yet."""
        self.announced.add(trial.number)
        by_number = {record.number: record for record in self.trials if record.state != "running"} | {
            trial.number: trial
        }
        self.trials = [by_number.get(record.number, record) for record in self.trials]
        known = [by_number.get(record.number, record) for record in self.journal.records()]
        done = [record for record in known if record.state != "running"]
        return TrialEnded(trial, len(done), best_of(done, self.sweep))
