"""The lines below the table of layers that ``cnntrain train --dry-run`` shows."""

from typing import Any

from cnntrain.cli.views.tables import choice_lines, memory_text
from cnntrain.cli.views.training_text import data_line, device_line


def dry_run_lines(result: dict[str, Any], source: str) -> list[str]:
    """What is known of the run before it begins.

    Args:
        result: As ``cnntrain.profiling.dry_run`` gives it.
        source: ``data.source``.
    """
    epochs = "1 epoch" if result["Max"] == 1 else f"{result['Max']:,} epochs"
    samples = "1 sample" if result["batch_size"] == 1 else f"{result['batch_size']:,} samples"
    return [
        data_line(source, result["samples"], len(result["classes"])),
        *choice_lines(result["choices"], len("data     ")),
        device_line(result["cores"], result["workers"], result["dtype"]),
        memory_text(result),
        f"a step of {samples} takes {result['step_ms']:,.3g} ms",
        f"about {span(result['seconds_per_epoch'])} an epoch, {span(result['seconds_to_Max'])} for {epochs} (Max)",
        "nothing was trained or saved",
    ]


def span(seconds: float) -> str:
    """A duration of any length in a few digits: ``5.3 ms``, ``12 minutes``, ``3.1 days``."""
    if seconds < 0.1:
        return f"{1000 * seconds:.2g} ms"
    unit = "seconds"
    for larger, factor, most in (("minutes", 60, 100), ("hours", 60, 100), ("days", 24, 48)):
        if seconds < most:
            break
        seconds, unit = seconds / factor, larger
    return f"{seconds:,.0f} {unit}" if seconds >= 10 else f"{seconds:.2g} {unit}"
