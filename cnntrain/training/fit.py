"""From a config to a run folder: load, build, train, save, judge."""

from collections.abc import Generator, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from cnntrain.builder import build_for, with_size_of
from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.data.pictures import split_file
from cnntrain.errors import DivergedError, OutOfMemoryError, StorageError, WorkerError
from cnntrain.judging.environment import environment
from cnntrain.judging.run_end import complete
from cnntrain.network import Network
from cnntrain.parallel import available_cores, one_blas_thread
from cnntrain.storage import write_json
from cnntrain.training.batches import batch_count
from cnntrain.training.events import BatchEnded, Event, Finished, HealthChecked, IterationEnded, Started, Warned
from cnntrain.training.footprint import check_memory
from cnntrain.training.health import layers_health
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.keeping.going_back import Start, half_the_alpha
from cnntrain.training.keeping.keeper import Keeper, told
from cnntrain.training.keeping.postmortem import LastSteps, examine
from cnntrain.training.keeping.postmortem import write as write_postmortem
from cnntrain.training.keeping.run import RunFolder
from cnntrain.training.loading import TrainingSamples
from cnntrain.training.loop import Judged, program
from cnntrain.training.monitoring import only_in_training
from cnntrain.training.opening import loaded
from cnntrain.training.progress import MOST_ROLLBACKS, Progress
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
        health: Tell after each iteration how the layers are.
        plots: Draw plots into the run folder at the end.

    Raises:
        ConfigError, DataError, UsageError: Before anything is written.
        OutOfMemoryError: Before anything is written, the run would take clearly more memory than is free; or after
            ``Finished``, there was not enough.
        DivergedError: After ``Finished``; the weights are those of the last whole iteration.
        WorkerError: A worker could not be started, or, after ``Finished``, ended before its time; the weights are
            those of the last whole iteration.
        StorageError: After ``Finished``: not all could be saved.
    """
    data = yield from loaded(config, interrupts=interrupts)
    config = with_size_of(config, data)
    network = build_for(config, data)
    check_patience(config, data)
    yield from map(Warned, check_memory(config, network, data))
    with RunFolder.create(out, config.name) as run:
        run.write_config(config)
        run.write_original(config)
        yield from carry_on(run, config, network, data, Start(), interrupts, health, plots)


def carry_on(
    run: RunFolder,
    config: Config,
    network: Network,
    data: Data,
    start: Start,
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
    following = yield from stretch(run, config, network, data, start, interrupts, health)
    while isinstance(following, Start):
        start = following
        following = yield from stretch(run, config, network, data, start, interrupts, health, again=True)
    outcome = start.outcome
    if not isinstance(outcome.error, StorageError):  # no plot could be saved either
        ended = outcome.scores["train"] is not None
        yield from map(Warned, complete(run.path, network, data, ended, plots, only_in_training(config)))
    yield Finished(following)
    if outcome.error is not None:
        raise outcome.error


def stretch(
    run: RunFolder,
    config: Config,
    network: Network,
    data: Data,
    start: Start,
    interrupts: Interrupts | None,
    health: bool,
    again: bool = False,
) -> Generator[Event, None, Start | dict[str, Any]]:
    """Train from ``start`` on until the run is over, or diverges and goes back.

    Return what ``train --json`` prints, or where it then goes on. ``again`` is said of all stretches but the first.
    """
    here, outcome, options, last = start.progress, start.outcome, config.training, LastSteps()
    size = number_of_workers(config, network, data)
    with one_blas_thread(), ranks(config, network, data, size, here, start.states, interrupts) as (comm, shared):
        keeper = Keeper(run, config, network, shared, comm.states, here, outcome, start.best)
        if again:
            yield from keeper.went_back()
        else:
            keeper.begin()
            yield started(run, config, network, data, size, here)
        events = program(network, shared, options, comm, here)
        try:
            while not outcome.stop:
                event = next(events)
                match event:
                    case Judged():
                        outcome.stop, outcome.scores = event.stop, event.scores
                        break
                    case BatchEnded():
                        last.add(here)
                        yield from keeper.batch_ended()
                    case IterationEnded():
                        yield from keeper.iteration_ended(event)
                yield event
                if health and isinstance(event, IterationEnded):
                    samples = TrainingSamples(shared, options)
                    yield HealthChecked(event.iteration, layers_health(network, samples, event.iteration))
                if interrupts is not None and interrupts.signal is not None:
                    outcome.stop = "interrupted"
        except DivergedError as error:
            # Without the frames of its traceback, which would keep the samples and all that is shared in memory.
            outcome.stop, outcome.error = "diverged", error.with_traceback(None)
            report = examine(network, shared, options, here, last, str(error))
            yield from keeper.attempt(partial(write_postmortem, run.path, report))
            if options.on_divergence == "rollback" and here.rollbacks < MOST_ROLLBACKS:
                outcome.seconds = keeper.seconds
                try:
                    earlier = half_the_alpha(run, config, network, data, here, outcome, keeper.best)
                except OSError as obstacle:
                    yield Warned(f"{told(obstacle)}; the run cannot go back")
                else:
                    yield Warned(rolled_back(str(error), earlier.progress))
                    return earlier
        except WorkerError as error:
            outcome.stop, outcome.error = "failed", error.with_traceback(None)
        except MemoryError as error:
            network.free_memory()  # so that there is room to save
            outcome.stop, outcome.error = "failed", OutOfMemoryError.of(error)
        result, problem = keeper.finish()
    outcome.error = outcome.error or problem
    return result


def rolled_back(sentence: str, here: Progress) -> str:
    """What is said of a run that goes back."""
    where = f"the end of iteration {here.iteration - 1}, the best so far" if here.iteration > 1 else "the beginning"
    return (
        f"{sentence}; going back to {where}, and on with {here.alpha_factor:g} of alpha "
        f"(time {here.rollbacks} of {MOST_ROLLBACKS} at most)"
    )


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
        only_in_training=only_in_training(config),
        choices=data.choices,
        iterations_before=here.iteration - 1,
        batches_before=here.batch,
    )
