"""From a config to a run folder: load, build, train, save, judge."""

import math
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cnntrain import weights
from cnntrain.builder import build_for, with_size_of
from cnntrain.config import Config
from cnntrain.data import Data, split_file
from cnntrain.errors import CnntrainError, DivergedError, WorkerError
from cnntrain.judging.environment import environment
from cnntrain.judging.run_end import complete
from cnntrain.judging.scoring import Score
from cnntrain.network import Network
from cnntrain.parallel import available_cores, one_blas_thread
from cnntrain.storage import write_json
from cnntrain.training.batches import batch_count
from cnntrain.training.events import BatchEnded, Event, Finished, IterationEnded, Started, Warned
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.loop import Judged, program
from cnntrain.training.opening import loaded
from cnntrain.training.run import RunFolder
from cnntrain.training.stopping import check_patience
from cnntrain.training.workers import number_of_workers, ranks


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
    """
    data = yield from loaded(config, interrupts=interrupts)
    config = with_size_of(config, data)
    network = build_for(config, data)
    check_patience(config, data)
    run = RunFolder.create(out, config.name)
    run.write_config(config)
    split_file.write(run.path / split_file.NAME, data)
    write_json(
        run.path / "environment.json",
        {"started": datetime.now().astimezone().isoformat(timespec="seconds"), **environment()},
    )
    began = time.perf_counter()
    outcome = Outcome()
    size = number_of_workers(config, network, data)
    with one_blas_thread(), ranks(config, network, data, size) as (comm, data):
        yield started(run, config, network, data, size)
        steps = program(network, data, config.training, comm)
        try:
            while not outcome.stop:
                event = next(steps)
                match event:
                    case Judged():
                        outcome.scores, outcome.stop = event.scores, event.stop
                        break
                    case IterationEnded():
                        keep(run, outcome, event, network, config, data)
                yield event
                if interrupts is not None and interrupts.signal is not None:
                    outcome.stop = "interrupted"
                    keep_interrupted(run, network, config, data)
        except (DivergedError, WorkerError) as error:
            outcome.stop = "diverged" if isinstance(error, DivergedError) else "failed"
            outcome.error = error
    result = {"run": str(run.path), **outcome.result(time.perf_counter() - began)}
    run.write_summary(result)
    yield Finished(result)
    yield from map(Warned, complete(run.path, network, data, ended=outcome.scores["train"] is not None))
    if outcome.error is not None:
        raise outcome.error


@dataclass
class Outcome:
    """How far a run has come, and how it ended."""

    iterations: int = 0
    best: float = math.inf
    """Least validation loss, or training loss where there is no validation split."""
    best_iteration: int = 0
    stop: str = ""
    error: CnntrainError | None = None
    scores: dict[str, Score | None] = field(default_factory=lambda: dict.fromkeys(("train", "validation", "test")))

    def result(self, seconds: float) -> dict[str, Any]:
        """What ``train --json`` prints, the folder left out."""
        best = {"iteration": self.best_iteration, "loss": self.best} if self.best_iteration else None
        scores = {split: None if score is None else asdict(score) for split, score in self.scores.items()}
        return {"stop": self.stop, "iterations": self.iterations, "seconds": seconds, "best": best, **scores}


def keep(run: RunFolder, outcome: Outcome, event: IterationEnded, network: Network, config: Config, data: Data) -> None:
    """Save what an iteration has brought."""
    outcome.iterations = event.iteration
    run.add_metrics(event)
    weights.save(run.weights, network, config, data)
    judged = event.train_loss if event.validation_loss is None else event.validation_loss
    if judged < outcome.best:
        outcome.best, outcome.best_iteration = judged, event.iteration
        weights.save(run.best, network, config, data)


def started(run: RunFolder, config: Config, network: Network, data: Data, workers: int) -> Started:
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
    )


def keep_interrupted(run: RunFolder, network: Network, config: Config, data: Data) -> None:
    """Keep the weights as they are between two batches; they are also the best where no iteration has ended."""
    weights.save(run.weights, network, config, data)
    if not run.best.exists():
        weights.save(run.best, network, config, data)


def train(config: Config, out: str | Path | None = None) -> dict[str, Any]:
    """Train as ``cnntrain train`` does and return what its ``--json`` prints; tqdm shows the batches.

    What goes wrong without stopping the run is a ``UserWarning``.

    Raises:
        CnntrainError: See ``fit``.
    """
    from tqdm.auto import tqdm

    with Interrupts() as interrupts, tqdm(unit="batch", disable=sys.stderr is None) as bar:
        for event in fit(config, out, interrupts):
            match event:
                case Started():
                    bar.total = event.batches * event.Max
                case BatchEnded():
                    bar.set_postfix(iteration=event.iteration, loss=f"{event.loss:.4f}", refresh=False)
                    bar.update()
                case Warned():
                    warnings.warn(event.text, stacklevel=2)
                case Finished():
                    result = event.result
    return result
