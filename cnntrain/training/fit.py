"""From a config to a run folder: load, build, train, save, judge."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cnntrain import weights
from cnntrain.builder import build_for, data_of
from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.errors import DivergedError
from cnntrain.network import Network
from cnntrain.training.batches import batch_count
from cnntrain.training.cores import available_cores, one_blas_thread
from cnntrain.training.evaluation import score_or_none
from cnntrain.training.events import BatchEnded, Event, Finished, IterationEnded, Started
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.loop import iterate
from cnntrain.training.run import RunFolder


def fit(config: Config, out: str | Path | None = None, interrupts: Interrupts | None = None) -> Iterator[Event]:
    """Train the network of ``config`` and keep what comes of it in a run folder; yield what happens.

    Args:
        config: With data.
        out: The run folder; by default ``runs/<name of the config>``.
        interrupts: Its ``signal``, once set, stops the run after the batch at hand.

    Raises:
        ConfigError, DataError, UsageError: Before anything is written.
        DivergedError: After ``Finished``; the weights are those of the last whole iteration.
    """
    data = data_of(config)
    network = build_for(config, data)
    run = RunFolder.create(out, config.name)
    run.write_config(config)
    options = config.training
    began = time.perf_counter()
    with one_blas_thread():
        yield started(run, config, network, data)
        stop, iterations, best, message = "max", 0, np.inf, ""
        last: IterationEnded | None = None
        try:
            for event in iterate(network, data, options):
                if isinstance(event, IterationEnded):
                    last, iterations = event, event.iteration
                    run.add_metrics(event)
                    weights.save(run.weights, network, config, data)
                    judged = event.train_loss if event.validation_loss is None else event.validation_loss
                    if judged < best:
                        best = judged
                        weights.save(run.best, network, config, data)
                yield event
                if interrupts is not None and interrupts.signal is not None:
                    stop = "interrupted"
                    break
        except DivergedError as error:
            stop, message = "diverged", str(error)
        if stop == "max" and last is not None and last.max_change < options.epsilon:
            stop = "epsilon"
        if stop == "interrupted":
            save_interrupted(run, network, config, data)
        finished = stop in ("max", "epsilon")
        result: dict[str, Any] = {
            "run": str(run.path),
            "stop": stop,
            "iterations": iterations,
            "seconds": time.perf_counter() - began,
            **{
                split: score_or_none(network, getattr(data, split), data.preprocessing) if finished else None
                for split in ("train", "validation", "test")
            },
        }
    run.write_summary(result)
    yield Finished(result)
    if message:
        raise DivergedError(message)


def started(run: RunFolder, config: Config, network: Network, data: Data) -> Started:
    """What is known before the first batch."""
    assert config.data is not None
    samples = {
        split: 0 if getattr(data, split) is None else len(getattr(data, split).labels)
        for split in ("train", "validation", "test")
    }
    return Started(
        run=run.path,
        network=network,
        source=config.data.source,
        samples=samples,
        classes=data.classes,
        cores=available_cores(),
        batches=batch_count(samples["train"], config.training.batch_size),
        Max=config.training.Max,
        epsilon=config.training.epsilon,
    )


def save_interrupted(run: RunFolder, network: Network, config: Config, data: Data) -> None:
    """Keep the weights as they are between two batches; they are also the best where no iteration has ended."""
    weights.save(run.weights, network, config, data)
    if not run.best.exists():
        weights.save(run.best, network, config, data)


def train(config: Config, out: str | Path | None = None) -> dict[str, Any]:
    """Train as ``cnntrain train`` does and return what its ``--json`` prints; tqdm shows the batches.

    Raises:
        CnntrainError: See ``fit``.
    """
    from tqdm.auto import tqdm

    with Interrupts() as interrupts, tqdm(unit="batch") as bar:
        for event in fit(config, out, interrupts):
            match event:
                case Started():
                    bar.total = event.batches * event.Max
                case BatchEnded():
                    bar.set_postfix(iteration=event.iteration, loss=f"{event.loss:.4f}", refresh=False)
                    bar.update()
                case Finished():
                    result = event.result
    return result
