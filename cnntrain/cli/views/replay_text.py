"""A divergence in words and tables."""

from typing import Any

from rich.table import Table

from cnntrain.cli.views.tables import add_columns, plain_table
from cnntrain.cli.views.training_text import loss_text

_FEW = 8
"""Samples and losses that are shown."""


def summary_lines(report: dict[str, Any]) -> list[str]:
    """What happened, on which samples, after which losses."""
    steps = "1 step" if report["steps"] == 1 else f"{report['steps']} steps"
    samples = report["files"] or report["samples"]
    more = f", and {len(samples) - _FEW:,} more" if len(samples) > _FEW else ""
    losses = [loss_text(step["loss"]) for step in report["last_steps"][-_FEW:]]
    lines = [
        f"reproduced in {steps}: {report['sentence']}",
        f"first tensor that is not finite: {report['first_not_finite'] or 'none, only the loss'}",
        f"samples of the batch: {', '.join(map(str, samples[:_FEW]))}{more}",
    ]
    return [*lines, f"losses of the batches before: {', '.join(losses)}"] if losses else lines


def parameters_table(report: dict[str, Any]) -> Table:
    """Sizes of all parameters."""
    return _sizes("parameter", [(row["name"], row) for row in report["parameters"]])


def outputs_table(report: dict[str, Any]) -> Table:
    """Sizes of the outputs of all layers, in the order of the forward pass."""
    return _sizes("output of", [(f"{row['name']} {row['step']}", row) for row in report["outputs"]])


def _sizes(what: str, rows: list[tuple[str, dict[str, Any]]]) -> Table:
    table = plain_table()
    add_columns(table, "left", what)
    add_columns(table, "right", "mean size", "greatest", "not finite")
    for name, row in rows:
        sizes = ["-" if row[key] is None else f"{row[key]:.2e}" for key in ("mean_size", "greatest_size")]
        table.add_row(name, *sizes, f"{row['not_finite']:,}", style="bold red" if row["not_finite"] else None)
    return table
