"""What ``cnntrain bench`` measures: every layer, whole steps, and memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnntrain.builder import build
from cnntrain.config import Config
from cnntrain.profiling.layer_times import operations, peak_rate, time_layers
from cnntrain.profiling.step_times import batch_size_of, random_data, time_steps
from cnntrain.profiling.timer import Timer
from cnntrain.summary import describe
from cnntrain.training.footprint import check_memory, memory_of
from cnntrain.training.workers import number_of_workers
from cnntrain.types import Array


def bench(config: Config, batches: int | None = None, tell: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Time the network of ``config`` on random images; data files are read only where shapes depend on them.

    Args:
        config: Its ``batch_size`` and ``workers`` are used.
        batches: How many are timed; as many as take a second if None.
        tell: Called with what is measured next.

    Returns:
        What ``cnntrain bench --json`` prints. Durations are medians. Those of the layers are of one core, and so is
        ``gemm_gflops``, the product of two 2048 x 2048 matrices, which ``forward_share`` and ``backward_share`` are
        shares of. ``step_ms`` and ``samples_per_second`` are of all workers.

    Raises:
        ConfigError: A layer does not fit, or neither ``network.input`` nor data say what the images are.
        DataError: The data are needed, and are missing or malformed.
        WorkerError: A worker could not be started, or ended.
        OutOfMemoryError: It would take clearly more memory than is free.
    """
    tell = tell or (lambda _: None)
    network = build(config)
    batch_size = batch_size_of(config)
    data = random_data(config, network, batch_size)
    for note in check_memory(config, network, data):
        tell(note)
    workers = number_of_workers(config, network, data)
    tell(f"timing whole steps with {workers} worker{'s' if workers > 1 else ''}")
    steps = Timer(batches)
    time_steps(config, network, data, workers, steps)
    peak_rss_bytes = peak_rss()
    tell("timing each layer on one core")
    seconds = time_layers(network, data, batch_size, Timer(batches))
    tell("timing the product of two large matrices on one core")
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
    """Add the figures of a layer to what ``describe`` says of it; rates are None where nothing is multiplied.

    Args:
        row: Of ``describe``.
        seconds: Forward and backward, of a batch.
        operations: Likewise.
        gemm: What one core reaches, in operations a second.
    """
    result = {key: row[key] for key in ("index", "type", "output_shape")}
    for way, duration, count in zip(("forward", "backward"), seconds.tolist(), operations.tolist(), strict=True):
        rate = count / duration if count and duration else None
        result[f"{way}_ms"] = 1e3 * duration
        result[f"{way}_gflops"] = None if rate is None else rate / 1e9
        result[f"{way}_share"] = None if rate is None else rate / gemm
    return result


def peak_rss(status: Path = Path("/proc/self/status")) -> int | None:
    """Bytes of memory that this process had at most so far; None where the system does not say."""
    try:
        facts = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return 1024 * int(facts["VmHWM"].split()[0])
    except (OSError, KeyError):  # not Linux
        try:
            import resource
        except ImportError:  # Windows
            return None
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
