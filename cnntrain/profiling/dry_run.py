"""What ``cnntrain train --dry-run`` finds out: all that a run would begin with, and how long it would take."""

from dataclasses import replace
from typing import Any

from cnntrain.builder import build_for, load_config_data
from cnntrain.config import Config
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.parallel import available_cores
from cnntrain.profiling.step_times import time_steps
from cnntrain.profiling.timer import Timer
from cnntrain.summary import describe
from cnntrain.training.batches import batch_count
from cnntrain.training.footprint import check_memory, memory_of
from cnntrain.training.sharing import samples_in_batch
from cnntrain.training.stopping import check_patience

SECONDS = 0.5
"""What steps are timed for, but one step at least, after another one that does not count."""
FORWARD = 1 / 3
"""Share of a step that is its forward pass: the backward pass takes two products where that takes one."""


def dry_run(config: Config, reporter: ProgressReporter = NO_PROGRESS) -> dict[str, Any]:
    """Load the data, build the network, time a step, and leave nothing behind.

    Steps are real ones, on the training samples and with all workers; validation is counted as the forward pass alone.

    Args:
        config: With data.
        reporter: Who is told how far the loading is.

    Returns:
        What ``cnntrain train --dry-run --json`` prints: what ``describe`` says of the network, and what a run takes.

    Raises:
        ConfigError, DataError: What a run would raise before anything is written.
        WorkerError: A worker could not be started, or ended.
        OutOfMemoryError: A run would take clearly more memory than is free.
    """
    data = load_config_data(config, reporter=reporter)
    network = build_for(config, data)
    check_patience(config, data)
    for note in check_memory(config, network, data):
        reporter.note(note)
    description = describe(network) | memory_of(config, network, data)
    samples = {split: 0 if dataset is None else len(dataset) for split, dataset in data.splits().items()}
    workers = description["workers"]
    batch_size = samples_in_batch(config, data)
    steps = Timer(seconds=SECONDS, warm_up=1, least=1)
    time_steps(config, network, replace(data, validation=None, test=None), workers, steps)
    passes = (samples["train"] + FORWARD * samples["validation"]) / batch_size
    return {
        **description,
        "multiply_adds": sum(layer["multiply_adds"] for layer in description["layers"]),
        "input_shape": list(network.in_shape),
        "samples": samples,
        "classes": list(data.classes),
        "choices": list(data.choices),
        "cores": available_cores(),
        "dtype": network.dtype.name,
        "batch_size": batch_size,
        "batches": batch_count(samples["train"], config.training.batch_size),
        "step_ms": 1e3 * steps.median,
        "seconds_per_epoch": passes * steps.median,
        "Max": config.training.Max,
        "seconds_to_Max": config.training.Max * passes * steps.median,
    }
