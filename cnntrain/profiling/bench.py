"""The benchmark ``cnntrain bench``: layers, whole training steps, and memory."""

from pathlib import Path
from typing import Any

import numpy as np

from cnntrain.builder import build
from cnntrain.config import Config
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.layers.row import walk
from cnntrain.network.network import Network
from cnntrain.network.summary import describe
from cnntrain.profiling.layer_times import Peak, by_entry, bytes_moved, operations, peak_rate, time_layers
from cnntrain.profiling.step_times import batch_size_of, random_data, time_steps
from cnntrain.profiling.timer import Timer
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
        ``gemm_gflops``, the peak: the fastest product of two square matrices, of ``gemm_side`` rows. Shares are
        fractions of it; ``step_share`` is that of each worker. GFLOP/s count the operations of the layers' definitions.
        ``step_ms`` and ``samples_per_second`` are those of all workers; ``between_kernels_ms`` is the part of a step
        outside the layers with a product: other layers, loading, loss, gradient sum, update, waiting.

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
    reporter.note("timing products of square matrices on one core")
    peak = peak_rate(network.dtype)
    return {
        "batch_size": batch_size,
        "dtype": network.dtype.name,
        "gemm_gflops": peak.rate / 1e9,
        "gemm_side": peak.side,
        "input_shape": list(network.in_shape),
        "layers": layer_results(network, batch_size, seconds, peak),
        "batches": len(steps.durations),
        **step_result(network, batch_size, seconds, workers, steps.median, peak),
        **memory_of(config, network, data),
        "peak_rss_bytes": peak_rss_bytes,
    }


def step_result(
    network: Network, batch_size: int, seconds: Array, workers: int, duration: float, peak: Peak
) -> dict[str, float]:
    """Return the result for whole steps.

    Args:
        network: The network.
        batch_size: Samples per step.
        seconds: Result of ``time_layers``.
        workers: Number of processes.
        duration: Seconds of a step.
        peak: Peak rate of one core.
    """
    rate = operations(network, batch_size).sum() / duration
    pairs = zip(walk(network.layers), seconds, strict=True)
    kernels = sum(of_layer.sum() for (_, layer), of_layer in pairs if "W" in layer.params) / workers
    return {
        "step_ms": 1e3 * duration,
        "step_gflops": rate / 1e9,
        "step_share": rate / (workers * peak.rate),
        "between_kernels_ms": 1e3 * max(0.0, duration - kernels),
        "samples_per_second": batch_size / duration,
    }


def layer_results(network: Network, batch_size: int, seconds: Array, peak: Peak) -> list[dict[str, Any]]:
    """Return the result for each entry of ``network.layers``; rates are None for one without multiplications.

    Args:
        network: The network.
        batch_size: Samples per batch.
        seconds: Result of ``time_layers``.
        peak: Peak rate of one core.
    """
    counts, moved = (of(network, batch_size) for of in (operations, bytes_moved))
    figures = by_entry(network, np.stack([seconds, counts, moved], axis=1))
    total = float(seconds.sum())
    return [layer_result(row, "layers", figures, total, peak) for row in describe(network)["layers"]]


def layer_result(
    row: dict[str, Any], outer: str, figures: dict[str, Array], total: float, peak: Peak
) -> dict[str, Any]:
    """Return the result for an entry, and for those inside a residual block.

    Args:
        row: Row of ``describe``.
        outer: Name of the list that holds the entry.
        figures: Seconds, operations and bytes of a batch by name, ``(3, 2)``: forward and backward.
        total: Seconds of all layers.
        peak: Peak rate of one core.
    """
    name = f"{outer}.{row.get('index', 'shortcut')}"
    duration, count, size = figures[name].tolist()
    result: dict[str, Any] = {key: row[key] for key in ("index", "type", "output_shape") if key in row}
    result["time_share"] = sum(duration) / total
    for i, direction in enumerate(("forward", "backward")):
        rate = count[i] / duration[i] if count[i] and duration[i] else None
        result[f"{direction}_ms"] = 1e3 * duration[i]
        result[f"{direction}_gflops"] = None if rate is None else rate / 1e9
        result[f"{direction}_share"] = None if rate is None else rate / peak.rate
        result[f"{direction}_bytes"] = int(size[i])
    if "layers" in row:
        result["layers"] = [layer_result(inside, name, figures, total, peak) for inside in row["layers"]]
        result["shortcut"] = row["shortcut"] and layer_result(row["shortcut"], name, figures, total, peak)
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
