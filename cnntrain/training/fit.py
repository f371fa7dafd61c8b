"""A training run, from a config to a run folder: load, build, train, save, evaluate."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from cnntrain.backbones.spec import BACKBONE_FILE, BACKBONES
from cnntrain.builder import with_image_size
from cnntrain.config import Config
from cnntrain.data import Data, sample_checksums
from cnntrain.data.image_folder import split_file
from cnntrain.errors import CnntrainError, DivergedError, OutOfMemoryError, StorageError, WorkerError, reason_of
from cnntrain.evaluation.advice import advise
from cnntrain.evaluation.artifacts import final_report, one_line, write_run_artifacts
from cnntrain.evaluation.figures import Figures
from cnntrain.network.network import Network
from cnntrain.parallel import available_cores
from cnntrain.parallel.mpi_job import current_session
from cnntrain.runs.environment import environment
from cnntrain.runs.folder import ENVIRONMENT_FILE, RunFolder
from cnntrain.runs.metrics_file import read_history
from cnntrain.storage import write_file, write_json
from cnntrain.training import tensorboard
from cnntrain.training.batches import batch_count
from cnntrain.training.checkpointing.manager import CheckpointManager, error_text
from cnntrain.training.checkpointing.postmortem import LossHistory, create_report, write_report
from cnntrain.training.checkpointing.restore import StartPoint, rollback
from cnntrain.training.diagnostics import diagnose_layers
from cnntrain.training.events import (
    BatchEnded,
    DiagnosticsComputed,
    EpochEnded,
    Event,
    TrainingEnded,
    TrainingStarted,
    WarningIssued,
)
from cnntrain.training.footprint import check_memory
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.load_data import load_events
from cnntrain.training.loop import LoopEnded, train_loop
from cnntrain.training.monitoring import only_in_training
from cnntrain.training.samples import TrainingSamples
from cnntrain.training.start_from import starting_network
from cnntrain.training.state import MAX_ROLLBACKS, TrainState
from cnntrain.training.stopping import check_validation
from cnntrain.training.workers import process_group


def fit(
    config: Config,
    out: str | Path | None = None,
    interrupts: Interrupts | None = None,
    diagnostics: bool = False,
    plots: bool = True,
    test: bool = True,
) -> Iterator[Event]:
    """Train the network of ``config`` and write a run folder; yield events.

    Args:
        config: Config with data.
        out: Run folder; by default ``runs/<name of the config>``.
        interrupts: Signals; after one, the run stops at the end of the batch.
        diagnostics: Whether to compute diagnostics of the layers after each epoch.
        plots: Whether to draw plots into the run folder at the end.
        test: Whether to evaluate the network on the test split at the end.

    Raises:
        ConfigError, DataError, UsageError: Raised before anything is written.
        OutOfMemoryError: The run needs clearly more memory than is free, raised before anything is written; or memory
            ran out, raised after ``TrainingEnded``.
        DivergedError: Raised after ``TrainingEnded``; the weights are those of the last completed epoch.
        WorkerError: A worker cannot be started; or it ended early, raised after ``TrainingEnded``, and the weights are
            those of the last completed epoch.
        StorageError: Saving failed, raised after ``TrainingEnded``.
    """
    tensorboard.check(config, new=True)
    data = yield from load_events(config, interrupts=interrupts)
    config = with_image_size(config, data)
    config, network, starting = starting_network(config, data)
    check_validation(config, data)
    yield from map(WarningIssued, check_memory(config, network, data))
    start = StartPoint(choices=tuple(starting))
    with RunFolder.create(out, config.name) as run:
        run.write_config(config)
        run.write_original(config)
        yield from run_training(run, config, network, data, start, interrupts, diagnostics, plots, test)


def run_training(
    run: RunFolder,
    config: Config,
    network: Network,
    data: Data,
    start: StartPoint,
    interrupts: Interrupts | None,
    diagnostics: bool = False,
    plots: bool = True,
    test: bool = True,
) -> Iterator[Event]:
    """Train from ``start`` to the end, rollbacks included; see ``fit``."""
    events = run_to_end(run, config, network, data, start, interrupts, diagnostics, plots, test)
    yield from tensorboard.with_tensorboard(events, run.path, config, plots)


def run_to_end(
    run: RunFolder,
    config: Config,
    network: Network,
    data: Data,
    start: StartPoint,
    interrupts: Interrupts | None,
    diagnostics: bool,
    plots: bool,
    test: bool,
) -> Iterator[Event]:
    """Train as ``run_training`` does, without event files."""
    if run.lock.note:
        yield WarningIssued(run.lock.note)
    session = current_session()
    if session is not None:
        from cnntrain.training.mpi_notes import rank_notes  # needed in an MPI job only

        yield from map(WarningIssued, rank_notes(session, config, network, data))
    if not run.has_checkpoint():
        split_file.write(run.path / split_file.NAME, data)
        sample_checksums.write(run.path / sample_checksums.NAME, data)
        write_backbone(run, config)
        began = datetime.now().astimezone().isoformat(timespec="seconds")
        write_json(run.path / ENVIRONMENT_FILE, {"started": began, **environment()})
    result = yield from train_until_stop(run, config, network, data, start, interrupts, diagnostics, test)
    while isinstance(result, StartPoint):
        start = result
        result = yield from train_until_stop(
            run, config, network, data, start, interrupts, diagnostics, test, after_rollback=True
        )
    outcome = start.outcome
    report = None
    if plots and outcome.scores["train"] is not None:
        try:
            report = final_report(network, data)
        except Exception as error:  # plots and advice must not make a finished run fail
            yield WarningIssued(f"{run.path}: the predictions cannot be computed: {one_line(error)}")
    history, troubles = read_history(run.path)
    if not isinstance(outcome.error, StorageError):  # a plot could not be saved either
        yield from map(WarningIssued, troubles)
        files = write_run_artifacts(run.path, history, network, report, plots, only_in_training(config))
        yield from map(WarningIssued, files)
    evaluation = None if report is None else report.result()
    advice = advise(Figures(config, network.in_shape, data.classes, result, history, evaluation))
    if advice:
        result |= {"advice": advice}
        try:
            run.write_summary(result)
        except OSError as error:
            saving = f"saving failed: {error_text(error)}; once that is fixed, cnntrain resume writes the summary"
            outcome.error = outcome.error or StorageError(saving)
    yield TrainingEnded(result)
    if outcome.error is not None:
        raise outcome.error


def write_backbone(run: RunFolder, config: Config) -> None:
    """Copy the ONNX file of the backbone into the run folder; one known by name is in its package."""
    features = getattr(config.data, "features", None)
    if features is not None and features.backbone not in BACKBONES:
        from cnntrain.backbones.onnx_file import read_onnx  # imported late: it needs onnx

        write_file(run.path / BACKBONE_FILE, read_onnx(Path(features.backbone)).content)


def train_until_stop(
    run: RunFolder,
    config: Config,
    network: Network,
    data: Data,
    start: StartPoint,
    interrupts: Interrupts | None,
    diagnostics: bool,
    test: bool,
    after_rollback: bool = False,
) -> Generator[Event, None, StartPoint | dict[str, Any]]:
    """Train from ``start`` until the run ends, or until a rollback.

    Returns:
        What ``train --json`` prints, or after a rollback where to continue.
    """
    state, outcome, options, last = start.state, start.outcome, config.training, LossHistory()
    with process_group(config, network, data, None, state, start.states, interrupts) as (comm, shared):
        manager = CheckpointManager(run, config, network, shared, comm, state, outcome, start.best)
        if after_rollback:
            yield from manager.save_rollback()
        else:
            manager.begin()
            yield started_event(run, config, network, data, comm.size, start)
        seen = shared if test else replace(shared, test=None)
        try:
            with closing(train_loop(network, seen, options, comm, state)) as events:
                while not outcome.stop:
                    event = next(events)
                    match event:
                        case LoopEnded():
                            outcome.stop, outcome.scores = event.stop, event.scores
                            break
                        case BatchEnded():
                            last.add(state)
                            yield from manager.batch_ended()
                        case EpochEnded():
                            yield from manager.epoch_ended(event)
                    yield event
                    if diagnostics and isinstance(event, EpochEnded):
                        samples = TrainingSamples(shared, options)
                        yield DiagnosticsComputed(event.epoch, diagnose_layers(network, samples, event.epoch))
                    if interrupts is not None and interrupts.stop_requested:
                        outcome.stop = "interrupted"
        except DivergedError as error:
            # Drop the traceback: its frames would keep the samples and the shared memory alive.
            outcome.stop, outcome.error = "diverged", error.with_traceback(None)
            report = create_report(network, shared, options, state, last, str(error))
            yield from manager.attempt(partial(write_report, run.path, report))
            if options.on_divergence == "rollback" and state.rollbacks < MAX_ROLLBACKS:
                outcome.seconds = manager.seconds
                try:
                    earlier = rollback(run, config, network, data, state, outcome, manager.best)
                except (OSError, CnntrainError) as read_error:
                    yield WarningIssued(f"{reason_of(read_error)}; rollback failed")
                else:
                    yield WarningIssued(rollback_text(str(error), earlier.state))
                    return earlier
        except WorkerError as error:
            outcome.stop, outcome.error = "failed", error.with_traceback(None)
        except MemoryError as error:
            network.free_workspaces()  # to have memory for saving
            outcome.stop, outcome.error = "failed", OutOfMemoryError.of(error)
        result, storage_error = manager.finish()
    outcome.error = outcome.error or storage_error
    return result


def rollback_text(message: str, state: TrainState) -> str:
    """Return the warning about a rollback."""
    where = f"epoch {state.epoch - 1}, the best so far" if state.epoch > 1 else "the initial weights"
    return (
        f"{message}; rolling back to {where}, and continuing with {state.alpha_factor:g} of alpha "
        f"(rollback {state.rollbacks} of at most {MAX_ROLLBACKS})"
    )


def started_event(
    run: RunFolder, config: Config, network: Network, data: Data, workers: int, start: StartPoint
) -> TrainingStarted:
    """Return the event before the first batch."""
    session = current_session()
    samples = {split: 0 if dataset is None else len(dataset) for split, dataset in data.splits().items()}
    return TrainingStarted(
        run=run.path,
        network=network,
        source=config.data.source if config.data else "",
        samples=samples,
        classes=data.classes,
        cores=available_cores() if session is None else session.cores,
        workers=workers,
        machines=0 if session is None else session.leaders.size,
        batches=batch_count(samples["train"], config.training.batch_size),
        Max=config.training.Max,
        epsilon=config.training.epsilon,
        alpha_varies=config.training.alpha_varies,
        layers=config.network.layers,
        only_in_training=only_in_training(config),
        choices=(*data.choices, *start.choices),
        epochs_before=start.state.epoch - 1,
        batches_before=start.state.batch,
        tensorboard=tensorboard.folder_of(run.path, config),
    )
