"""The dry run ``cnntrain train --dry-run``: everything before the first step, and an estimate of the duration."""

from dataclasses import replace
from typing import Any

from cnntrain.builder import load_config_data
from cnntrain.config import Config
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.network.summary import describe
from cnntrain.parallel import available_cores
from cnntrain.profiling.step_times import time_steps
from cnntrain.profiling.timer import Timer
from cnntrain.training.batches import batch_count
from cnntrain.training.footprint import check_memory, memory_of
from cnntrain.training.sharing import max_processes, micro_batch_counts, samples_in_batch
from cnntrain.training.start_from import starting_network
from cnntrain.training.stopping import check_validation

SECONDS = 0.5
"""Duration of the timing: at least one step, after a warm-up step."""
FORWARD = 1 / 3
"""Fraction of a step in its forward pass: the backward pass has two products for each one of the forward pass."""


def dry_run(config: Config, reporter: ProgressReporter = NO_PROGRESS) -> dict[str, Any]:
    """Load the data, build the network and time training steps; write no files.

    The steps are real ones, with the training samples and all workers. Validation counts as a forward pass.

    Args:
        config: Config with data.
        reporter: Receives the progress of loading.

    Returns:
        What ``cnntrain train --dry-run --json`` prints: the description of the network, and the cost of a run.

    Raises:
        ConfigError, DataError: As a run would raise.
        WorkerError: A worker cannot be started or has ended.
        OutOfMemoryError: A run needs clearly more memory than is free.
    """
    data = load_config_data(config, None, reporter)
    config, network, starting = starting_network(config, data)
    check_validation(config, data)
    for note in check_memory(config, network, data):
        reporter.note(note)
    description = describe(network) | memory_of(config, network, data)
    samples = {split: 0 if dataset is None else len(dataset) for split, dataset in data.splits().items()}
    workers = description["workers"]
    batch_size = samples_in_batch(config, data)
    steps = Timer(seconds=SECONDS, warm_up=1, min_count=1)
    time_steps(config, network, replace(data, validation=None, test=None), workers, steps)
    passes = (samples["train"] + FORWARD * samples["validation"]) / batch_size
    return {
        **description,
        "multiply_adds": sum(layer["multiply_adds"] for layer in description["layers"]),
        "input_shape": list(network.in_shape),
        "samples": samples,
        "classes": list(data.classes),
        "choices": [*data.choices, *starting],
        "cores": available_cores(),
        "dtype": network.dtype.name,
        "batch_size": batch_size,
        "micro_batches": micro_batch_counts(config, network, data)[0],
        "max_processes": max_processes(config, network, data),
        "batches": batch_count(samples["train"], config.training.batch_size),
        "step_ms": 1e3 * steps.median,
        "seconds_per_epoch": passes * steps.median,
        "Max": config.training.Max,
        "seconds_to_Max": config.training.Max * passes * steps.median,
    }
