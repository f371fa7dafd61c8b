"""The benchmark ``cnntrain bench``: layers, whole training steps, and memory."""

from pathlib import Path
from typing import Any

from cnntrain.builder import build
from cnntrain.config import Config
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.profiling.layer_times import operations, peak_rate, time_layers
from cnntrain.profiling.step_times import batch_size_of, random_data, time_steps
from cnntrain.profiling.timer import Timer
from cnntrain.summary import describe
from cnntrain.training.footprint import check_memory, memory_of
from cnntrain.training.workers import number_of_workers
from cnntrain.types import Array


def bench(config: Config, batches: int | None = None, reporter: ProgressReporter = NO_PROGRESS) -> dict[str, Any]:
    """Time the network of ``config`` on random images; data files are only read if shapes depend on them.

    Args:
        config: Config; its ``batch_size`` and ``workers`` are used.
        batches: Number of timed batches; by default as many as take one second.
        reporter: Receives a note before each measurement.

    Returns:
        What ``cnntrain bench --json`` prints. Durations are medians. Layers are timed on one core, and so is
        ``gemm_gflops``, the product of two 2048 x 2048 matrices; ``forward_share`` and ``backward_share`` are fractions
        of it. ``step_ms`` and ``samples_per_second`` are those of all workers.

    Raises:
        ConfigError: A layer does not fit, or neither ``network.input`` nor data define the shape of the images.
        DataError: The data are needed, and are missing or malformed.
        WorkerError: A worker cannot be started or has ended.
        OutOfMemoryError: The benchmark needs clearly more memory than is free.
    """
    network = build(config)
    batch_size = batch_size_of(config)
    data = random_data(config, network, batch_size)
    for note in check_memory(config, network, data):
        reporter.note(note)
    workers = number_of_workers(config, network, data)
    reporter.note(f"timing whole steps with {workers} worker{'s' if workers > 1 else ''}")
    steps = Timer(batches)
    time_steps(config, network, data, workers, steps)
    peak_rss_bytes = peak_rss()
    reporter.note("timing each layer on one core")
    seconds = time_layers(network, data, batch_size, Timer(batches))
    reporter.note("timing the product of two large matrices on one core")
    gemm = peak_rate(network.dtype)
    description = describe(network)
    counts = operations(network, batch_size)
    return {
        "batch_size": batch_size,
        "dtype": network.dtype.name,
        "gemm_gflops": gemm / 1e9,
        "layers": [
            layer_result(row, seconds[row["index"]], counts[row["index"]], gemm) for row in description["layers"]
        ],
        "batches": len(steps.durations),
        "step_ms": 1e3 * steps.median,
        "samples_per_second": batch_size / steps.median,
        **memory_of(config, network, data),
        "peak_rss_bytes": peak_rss_bytes,
    }


def layer_result(row: dict[str, Any], seconds: Array, operations: Array, gemm: float) -> dict[str, Any]:
    """Return the result for a layer; rates are None for a layer without multiplications.

    Args:
        row: Row of ``describe``.
        seconds: Duration of a batch, ``(2,)``: forward and backward.
        operations: Floating-point operations of a batch, ``(2,)``.
        gemm: Peak rate of one core in operations per second.
    """
    result = {key: row[key] for key in ("index", "type", "output_shape")}
    for direction, duration, count in zip(("forward", "backward"), seconds.tolist(), operations.tolist(), strict=True):
        rate = count / duration if count and duration else None
        result[f"{direction}_ms"] = 1e3 * duration
        result[f"{direction}_gflops"] = None if rate is None else rate / 1e9
        result[f"{direction}_share"] = None if rate is None else rate / gemm
    return result


def peak_rss(status: Path = Path("/proc/self/status")) -> int | None:
    """Return the peak resident memory of this process in bytes; None if unknown."""
    try:
        facts = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return 1024 * int(facts["VmHWM"].split()[0])
    except (OSError, KeyError):  # not Linux
        try:
            import resource
        except ImportError:  # Windows
            return None
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
