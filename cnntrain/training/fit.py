"""From a config to a run folder: load, build, train, save, judge."""

from collections.abc import Generator, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from cnntrain.builder import build_for, with_image_size
from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.data.image_folder import split_file
from cnntrain.errors import DivergedError, OutOfMemoryError, StorageError, WorkerError
from cnntrain.evaluation.run_artifacts import complete
from cnntrain.network.network import Network
from cnntrain.parallel import available_cores, one_blas_thread
from cnntrain.runs.environment import environment
from cnntrain.runs.folder import RunFolder
from cnntrain.storage import write_json
from cnntrain.training.batches import batch_count
from cnntrain.training.checkpointing.manager import CheckpointManager, error_text
from cnntrain.training.checkpointing.postmortem import LastSteps, examine
from cnntrain.training.checkpointing.postmortem import write as write_postmortem
from cnntrain.training.checkpointing.restore import StartPoint, rollback
from cnntrain.training.diagnostics import diagnose_layers
from cnntrain.training.events import BatchEnded, DiagnosticsComputed, EpochEnded, Event, Finished, Started, Warned
from cnntrain.training.footprint import check_memory
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.load_data import load_events
from cnntrain.training.loop import Evaluated, train_loop
from cnntrain.training.monitoring import only_in_training
from cnntrain.training.samples import TrainingSamples
from cnntrain.training.state import MAX_ROLLBACKS, TrainState
from cnntrain.training.stopping import check_patience
from cnntrain.training.workers import number_of_workers, ranks


def fit(
    config: Config,
    out: str | Path | None = None,
    interrupts: Interrupts | None = None,
    health: bool = False,
    plots: bool = True,
) -> Iterator[Event]:
    """Train the network of ``config`` and keep what comes of it in a run folder; yield what happens.

    Args:
        config: With data.
        out: The run folder; by default ``runs/<name of the config>``.
        interrupts: Its ``signal``, once set, stops the run after the batch at hand.
        health: Tell after each epoch how the layers are.
        plots: Draw plots into the run folder at the end.

    Raises:
        ConfigError, DataError, UsageError: Before anything is written.
        OutOfMemoryError: Before anything is written, the run would take clearly more memory than is free; or after
            ``Finished``, there was not enough.
        DivergedError: After ``Finished``; the weights are those of the last whole epoch.
        WorkerError: A worker could not be started, or, after ``Finished``, ended before its time; the weights are
            those of the last whole epoch.
        StorageError: After ``Finished``: not all could be saved.
    """
    data = yield from load_events(config, interrupts=interrupts)
    config = with_image_size(config, data)
    network = build_for(config, data)
    check_patience(config, data)
    yield from map(Warned, check_memory(config, network, data))
    with RunFolder.create(out, config.name) as run:
        run.write_config(config)
        run.write_original(config)
        yield from run_training(run, config, network, data, StartPoint(), interrupts, health, plots)


def run_training(
    run: RunFolder,
    config: Config,
    network: Network,
    data: Data,
    start: StartPoint,
    interrupts: Interrupts | None,
    health: bool = False,
    plots: bool = True,
) -> Iterator[Event]:
    """Train from ``start`` on to the end; see ``fit``."""
    if run.lock.note:
        yield Warned(run.lock.note)
    if not run.has_checkpoint():
        split_file.write(run.path / split_file.NAME, data)
        began = datetime.now().astimezone().isoformat(timespec="seconds")
        write_json(run.path / "environment.json", {"started": began, **environment()})
    following = yield from train_until_stop(run, config, network, data, start, interrupts, health)
    while isinstance(following, StartPoint):
        start = following
        following = yield from train_until_stop(run, config, network, data, start, interrupts, health, again=True)
    outcome = start.outcome
    if not isinstance(outcome.error, StorageError):  # no plot could be saved either
        ended = outcome.scores["train"] is not None
        yield from map(Warned, complete(run.path, network, data, ended, plots, only_in_training(config)))
    yield Finished(following)
    if outcome.error is not None:
        raise outcome.error


def train_until_stop(
    run: RunFolder,
    config: Config,
    network: Network,
    data: Data,
    start: StartPoint,
    interrupts: Interrupts | None,
    health: bool,
    again: bool = False,
) -> Generator[Event, None, StartPoint | dict[str, Any]]:
    """Train from ``start`` on until the run is over, or diverges and goes back.

    Return what ``train --json`` prints, or where it then goes on. ``again`` is said of all stretches but the first.
    """
    state, outcome, options, last = start.progress, start.outcome, config.training, LastSteps()
    size = number_of_workers(config, network, data)
    with one_blas_thread(), ranks(config, network, data, size, state, start.states, interrupts) as (comm, shared):
        manager = CheckpointManager(run, config, network, shared, comm.states, state, outcome, start.best)
        if again:
            yield from manager.went_back()
        else:
            manager.begin()
            yield started_event(run, config, network, data, size, state)
        events = train_loop(network, shared, options, comm, state)
        try:
            while not outcome.stop:
                event = next(events)
                match event:
                    case Evaluated():
                        outcome.stop, outcome.scores = event.stop, event.scores
                        break
                    case BatchEnded():
                        last.add(state)
                        yield from manager.batch_ended()
                    case EpochEnded():
                        yield from manager.epoch_ended(event)
                yield event
                if health and isinstance(event, EpochEnded):
                    samples = TrainingSamples(shared, options)
                    yield DiagnosticsComputed(event.epoch, diagnose_layers(network, samples, event.epoch))
                if interrupts is not None and interrupts.signal is not None:
                    outcome.stop = "interrupted"
        except DivergedError as error:
            # Without the frames of its traceback, which would keep the samples and all that is shared in memory.
            outcome.stop, outcome.error = "diverged", error.with_traceback(None)
            report = examine(network, shared, options, state, last, str(error))
            yield from manager.attempt(partial(write_postmortem, run.path, report))
            if options.on_divergence == "rollback" and state.rollbacks < MAX_ROLLBACKS:
                outcome.seconds = manager.seconds
                try:
                    earlier = rollback(run, config, network, data, state, outcome, manager.best)
                except OSError as obstacle:
                    yield Warned(f"{error_text(obstacle)}; the run cannot go back")
                else:
                    yield Warned(rollback_text(str(error), earlier.progress))
                    return earlier
        except WorkerError as error:
            outcome.stop, outcome.error = "failed", error.with_traceback(None)
        except MemoryError as error:
            network.free_workspaces()  # so that there is room to save
            outcome.stop, outcome.error = "failed", OutOfMemoryError.of(error)
        result, problem = manager.finish()
    outcome.error = outcome.error or problem
    return result


def rollback_text(sentence: str, state: TrainState) -> str:
    """What is said of a run that goes back."""
    where = f"the end of epoch {state.epoch - 1}, the best so far" if state.epoch > 1 else "the beginning"
    return (
        f"{sentence}; going back to {where}, and on with {state.alpha_factor:g} of alpha "
        f"(time {state.rollbacks} of {MAX_ROLLBACKS} at most)"
    )


def started_event(
    run: RunFolder, config: Config, network: Network, data: Data, workers: int, state: TrainState
) -> Started:
    """What is known before the first batch."""
    samples = {split: 0 if dataset is None else len(dataset) for split, dataset in data.splits().items()}
    return Started(
        run=run.path,
        network=network,
        source=config.data.source if config.data else "",
        samples=samples,
        classes=data.classes,
        cores=available_cores(),
        workers=workers,
        batches=batch_count(samples["train"], config.training.batch_size),
        Max=config.training.Max,
        epsilon=config.training.epsilon,
        alpha_varies=config.training.alpha_varies,
        layers=config.network.layers,
        only_in_training=only_in_training(config),
        choices=data.choices,
        epochs_before=state.epoch - 1,
        batches_before=state.batch,
    )
