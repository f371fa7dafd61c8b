"""From a config to a run folder: load, build, train, save, judge."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cnntrain.builder import build_for, with_size_of
from cnntrain.config import Config
from cnntrain.data import Data, split_file
from cnntrain.errors import DivergedError, WorkerError
from cnntrain.judging.environment import environment
from cnntrain.judging.run_end import complete
from cnntrain.network import Network
from cnntrain.parallel import available_cores, one_blas_thread
from cnntrain.storage import write_json
from cnntrain.training.batches import batch_count
from cnntrain.training.events import BatchEnded, Event, Finished, IterationEnded, Started, Warned
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.keeping import Keeper
from cnntrain.training.loop import Judged, program
from cnntrain.training.opening import loaded
from cnntrain.training.outcome import Outcome
from cnntrain.training.progress import Progress
from cnntrain.training.run import RunFolder
from cnntrain.training.stopping import check_patience
from cnntrain.training.workers import number_of_workers, ranks
from cnntrain.types import Array


@dataclass
class Start:
    """Where a run begins, or goes on, beside the network's theta."""

    progress: Progress = field(default_factory=Progress)
    outcome: Outcome = field(default_factory=Outcome)
    states: Array | None = None
    """The optimizer's; None: all 0."""
    best: Array | None = None
    """theta of the best iteration so far."""


def fit(config: Config, out: str | Path | None = None, interrupts: Interrupts | None = None) -> Iterator[Event]:
    """Train the network of ``config`` and keep what comes of it in a run folder; yield what happens.

    Args:
        config: With data.
        out: The run folder; by default ``runs/<name of the config>``.
        interrupts: Its ``signal``, once set, stops the run after the batch at hand.

    Raises:
        ConfigError, DataError, UsageError: Before anything is written.
        DivergedError: After ``Finished``; the weights are those of the last whole iteration.
        WorkerError: A worker could not be started, or, after ``Finished``, ended before its time; the weights are
            those of the last whole iteration.
        StorageError: After ``Finished``: not all could be saved.
    """
    data = yield from loaded(config, interrupts=interrupts)
    config = with_size_of(config, data)
    network = build_for(config, data)
    check_patience(config, data)
    with RunFolder.create(out, config.name) as run:
        run.write_config(config)
        yield from carry_on(run, config, network, data, Start(), interrupts)


def carry_on(
    run: RunFolder, config: Config, network: Network, data: Data, start: Start, interrupts: Interrupts | None
) -> Iterator[Event]:
    """Train from ``start`` on to the end; see ``fit``."""
    here, outcome = start.progress, start.outcome
    size = number_of_workers(config, network, data)
    if not run.has_checkpoint():
        split_file.write(run.path / split_file.NAME, data)
        began = datetime.now().astimezone().isoformat(timespec="seconds")
        write_json(run.path / "environment.json", {"started": began, **environment()})
    with one_blas_thread(), ranks(config, network, data, size, here, start.states) as (comm, data):
        keeper = Keeper(run, config, network, data, comm.states, here, outcome, start.best)
        keeper.begin()
        yield started(run, config, network, data, size, here)
        events = program(network, data, config.training, comm, here)
        try:
            while not outcome.stop:
                event = next(events)
                match event:
                    case Judged():
                        outcome.stop, outcome.scores = event.stop, event.scores
                        break
                    case BatchEnded():
                        yield from keeper.batch_ended()
                    case IterationEnded():
                        yield from keeper.iteration_ended(event)
                yield event
                if interrupts is not None and interrupts.signal is not None:
                    outcome.stop = "interrupted"
        except (DivergedError, WorkerError) as error:
            outcome.stop = "diverged" if isinstance(error, DivergedError) else "failed"
            outcome.error = error
        result, problem = keeper.finish()
    yield Finished(result)
    yield from map(Warned, complete(run.path, network, data, ended=outcome.scores["train"] is not None))
    if outcome.error is not None:
        raise outcome.error
    if problem is not None:
        raise problem


def started(run: RunFolder, config: Config, network: Network, data: Data, workers: int, here: Progress) -> Started:
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
        iterations_before=here.iteration - 1,
        batches_before=here.batch,
    )
