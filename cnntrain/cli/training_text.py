"""The words and columns in which a training run is told; the views decide where they go and in which colour."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnntrain.cli.shell import command
from cnntrain.cli.tables import choice_lines

if TYPE_CHECKING:
    from cnntrain.training.events import BatchEnded, HealthChecked, IterationEnded, Started

_GAP = "   "

_NARROW_GAP = "  "
"""With alpha beside them, so that the columns fit a terminal of 80."""
_ALPHA = 7
"""Columns of alpha."""

_STOPS = {
    "max": "the greatest number of iterations (Max) is reached",
    "epsilon": "every change is below epsilon",
    "patience": "the validation loss got no better for as many iterations as patience says",
    "interrupted": "interrupted, and what was learned is saved",
    "diverged": "the loss diverged",
    "failed": "a worker ended before its time",
}


def header(started: "Started") -> list[str]:
    """Lines on what is about to be trained, below the table of layers."""
    return [
        data_line(started.source, started.samples, len(started.classes)),
        *choice_lines(started.choices, len("data     ")),
        device_line(started.cores, started.workers, started.network.dtype.name),
        f"run      {started.run}{_position(started)}",
    ]


def _position(started: "Started") -> str:
    """Where a run goes on."""
    iterations, batches = started.iterations_before, started.batches_before
    if not iterations and not batches:
        return ""
    return f", going on after iteration {iterations}" + (
        f" and {batches} of {started.batches} batches" if batches else ""
    )


def verified_text(steps: int) -> str:
    """That the last steps of a run gave the same bits again."""
    what = "1 step was" if steps == 1 else f"{steps:,} steps were"
    return f"verified: {what} repeated, and gave the same bits"


def data_line(source: str, samples: dict[str, int], classes: int) -> str:
    """What is trained on."""
    counts = ", ".join(f"{count:,} {split}" for split, count in samples.items() if count)
    return f"data     {source}: {counts} samples of {classes} classes"


def device_line(cores: int, workers: int, dtype: str) -> str:
    """What it is trained with."""
    of_cores = "1 core" if cores == 1 else f"{cores} cores"
    of_workers = "1 worker" if workers == 1 else f"{workers} workers"
    return f"device   CPU, {of_cores}, {of_workers}, {dtype}"


def titles(started: "Started") -> list[str]:
    """The two lines above the iterations."""
    iteration, change = _widths(started)
    gap = _gap(started)
    what, against = ("largest change", "against epsilon") if started.epsilon else ("largest", "change")
    above = ["".rjust(iteration), "train".rjust(17 + len(gap)), "validation".rjust(17 + len(gap)), what.rjust(change)]
    below = [
        "iteration".rjust(iteration),
        "loss".rjust(9),
        "accuracy".rjust(8),
        "loss".rjust(9),
        "accuracy".rjust(8),
        against.rjust(change),
        "seconds".rjust(8),
    ]
    if started.alpha_varies:
        below.append("alpha".rjust(_ALPHA))
    return [gap.join(above), gap.join(below)]


def iteration_line(event: "IterationEnded", started: "Started") -> str:
    """One line an iteration, under ``titles``."""
    iteration, change = _widths(started)
    cells = [
        f"{event.iteration}/{started.Max}".rjust(iteration),
        loss_text(event.train_loss).rjust(9),
        accuracy_text(event.train_accuracy).rjust(8),
        loss_text(event.validation_loss).rjust(9),
        accuracy_text(event.validation_accuracy).rjust(8),
        _change_text(event.max_change, started.epsilon).rjust(change),
        f"{event.seconds:.3f}".rjust(8),
    ]
    if started.alpha_varies:
        cells.append(f"{event.alpha:.1e}".rjust(_ALPHA))
    return _gap(started).join(cells)


def health_lines(event: "HealthChecked") -> list[str]:
    """A line for each layer that learns or has an activation."""
    lines = []
    for layer in event.layers:
        words = []
        if layer.W is not None and layer.dW is not None:
            words.append(f"mean |W| {layer.W:.2e}, mean |dW| {layer.dW:.2e}")
            words.append(f"ratio {'-' if layer.ratio is None else f'{layer.ratio:.2e}'}")
        if layer.dead is not None:
            words.append(f"dead ReLUs {100 * layer.dead:.1f} %")
        if layer.saturated is not None:
            words.append(f"saturated {100 * layer.saturated:.1f} %")
        lines.append(f"{_GAP}layers.{layer.index} {layer.kind}: {', '.join(words)}")
    return lines


def batch_text(event: "BatchEnded", seconds_left: float, run_seconds_left: float) -> str:
    """What stands beside the bar: speed, running loss, time left in this iteration and until Max."""
    speed = event.samples / event.seconds if event.seconds > 0 else 0.0
    return (
        f"{speed:,.0f} samples/s{_GAP}loss {loss_text(event.loss)}"
        f"{_GAP}{duration(seconds_left)} left, run {duration(run_seconds_left)}"
    )


def result_lines(result: dict[str, Any]) -> list[str]:
    """The last lines: why it stopped, how good it is, where it lies and what to do next."""
    iterations = "1 iteration" if result["iterations"] == 1 else f"{result['iterations']} iterations"
    lines = [f"stopped after {iterations} in {result['seconds']:.1f} seconds: {_STOPS[result['stop']]}"]
    split = next((name for name in ("test", "validation", "train") if result[name] is not None), None)
    if split is not None:
        scores = result[split]
        lines.append(
            f"{split} accuracy {accuracy_text(scores['accuracy'])}, loss {loss_text(scores['loss'])}, "
            f"on {scores['samples']:,} {'sample' if scores['samples'] == 1 else 'samples'}"
        )
    if result.get("rollbacks"):
        lines.append(rollbacks_text(result))
    best = result["best"]
    if best is not None and best["iteration"] < result["iterations"] and result["validation"] is not None:
        lines.append(
            f"best validation loss {loss_text(best['loss'])}, after iteration {best['iteration']}: "
            "those weights are in best.safetensors"
        )
    lines.append(f"run in {result['run']}")
    if result["stop"] in ("interrupted", "failed"):
        lines.append(next_line("resume", result["run"]))
    elif result["stop"] == "diverged":
        lines.append(next_line("replay", result["run"]))
    else:
        lines.append(next_line("eval", result["run"], *([] if split in (None, "test") else ["--split", split])))
    return lines


def next_line(name: str, run: "str | Path", *words: str) -> str:
    """What to do next with a run, as a command."""
    return f"next: {command('cnntrain', name, str(run), *words)}"


def rollbacks_text(result: dict[str, Any]) -> str:
    """How often a run diverged and went back."""
    times = "once" if result["rollbacks"] == 1 else f"{result['rollbacks']} times"
    factor = result["alpha_factor"]
    return f"rolled back {times}" + ("" if factor is None else f": the last steps took {factor:g} of alpha")


def loss_text(loss: float | None) -> str:
    """A loss with 4 decimals; one too large for a column by its size alone."""
    if loss is None:
        return "-"
    return f"{loss:.4f}" if abs(loss) < 10_000 else f"{loss:.2e}"


def accuracy_text(accuracy: float | None) -> str:
    """A share in per cent with 2 decimals."""
    return "-" if accuracy is None else f"{100 * accuracy:.2f} %"


def _gap(started: "Started") -> str:
    return _NARROW_GAP if started.alpha_varies else _GAP


def _change_text(change: float, epsilon: float) -> str:
    if not epsilon:
        return f"{change:.2e}"
    return f"{change:.2e} {'<' if change < epsilon else '>='} {epsilon:g}"


def _widths(started: "Started") -> tuple[int, int]:
    """Columns of the iteration and of the largest change, which depend on the config."""
    iteration = len(f"{started.Max}/{started.Max}")
    change = len(_change_text(started.epsilon, started.epsilon))
    return max(iteration, len("iteration")), max(change, len("against epsilon")) if started.epsilon else change


def duration(seconds: float) -> str:
    """Minutes and seconds, or hours, minutes and seconds."""
    minutes, seconds = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
