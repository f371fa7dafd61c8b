"""The text of a training run: header, columns, result; the views decide where it goes and in which color."""

from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from cnntrain.cli.views.tables import choice_lines, memory_text
from cnntrain.cli.views.terminal import command
from cnntrain.parallel.cores import thread_limit

if TYPE_CHECKING:
    from cnntrain.training.events import BatchEnded, DiagnosticsComputed, EpochEnded, TrainingStarted

_GAP = "   "
_GAPS = (_GAP, "  ", " ")
"""Between the columns of figures: the widest with which they fit a terminal."""
COLUMNS = 80
"""Of a terminal."""

_STOPS = {
    "max": "reached the maximum number of epochs (Max)",
    "epsilon": "every change is below epsilon",
    "patience": "no better validation result for `patience` epochs",
    "interrupted": "interrupted; the weights are saved",
    "diverged": "the loss diverged",
    "failed": "a worker process ended unexpectedly",
}


def header(started: "TrainingStarted") -> list[str]:
    """Lines on what is about to be trained, below the table of layers."""
    return [
        data_line(started.source, started.samples, len(started.classes)),
        *choice_lines(started.choices, len("data     ")),
        device_line(started.cores, started.workers, started.network.dtype.name, started.machines),
        f"run      {started.run}{_position(started)}",
        *([f"events   {started.tensorboard}, for TensorBoard"] if started.tensorboard else []),
        *_comparison(started),
        *([f"epsilon  {started.epsilon:g}: the run stops when every change is below it"] if started.epsilon else []),
    ]


def _comparison(started: "TrainingStarted") -> list[str]:
    """Why the two losses of an epoch are not to be compared, where that is so."""
    names = started.only_in_training
    if not names or not started.samples.get("validation"):
        return []
    words = f"loss     train with {', '.join(names)}; validation without: not comparable"
    return wrap(words, 80, subsequent_indent=" " * len("loss     "))


def _position(started: "TrainingStarted") -> str:
    """Return from where a run resumes."""
    epochs, batches = started.epochs_before, started.batches_before
    if not epochs and not batches:
        return ""
    return f", resuming after epoch {epochs}" + (f" and {batches} of {started.batches} batches" if batches else "")


def verified_text(steps: int) -> str:
    """That the last steps of a run gave the same bits again."""
    what = "1 step was" if steps == 1 else f"{steps:,} steps were"
    return f"verified: {what} repeated, and gave the same bits"


def data_line(source: str, samples: dict[str, int], classes: int) -> str:
    """What is trained on."""
    counts = ", ".join(f"{count:,} {split}" for split, count in samples.items() if count)
    return f"data     {source}: {counts} samples of {classes} classes"


def device_line(cores: int, workers: int, dtype: str, machines: int = 0) -> str:
    """What it is trained with."""
    of_cores = "1 core" if cores == 1 else f"{cores} cores"
    of_cores += " (OMP_NUM_THREADS)" if thread_limit() == cores else ""
    of_workers = "1 worker" if workers == 1 else f"{workers} workers"
    if machines:
        of_workers = f"{workers} MPI ranks" + (f" on {machines} machines" if machines > 1 else "")
    return f"device   CPU, {of_cores}, {of_workers}, {dtype}"


def titles(started: "TrainingStarted") -> list[str]:
    """The two lines above the epochs."""
    gap, widths = _layout(started)
    pair = widths[1] + len(gap) + widths[2]
    above = ["".rjust(widths[0]), "train".rjust(pair), "validation".rjust(pair), "largest".rjust(widths[5])]
    below = [name.rjust(width) for name, width in zip(_names(started), widths, strict=True)]
    return [gap.join(above), gap.join(below)]


def epoch_line(event: "EpochEnded", started: "TrainingStarted") -> str:
    """One line an epoch, under ``titles``."""
    gap, widths = _layout(started)
    cells = [
        f"{event.epoch}/{started.Max}",
        loss_text(event.train_loss),
        accuracy_text(event.train_accuracy),
        loss_text(event.validation_loss),
        accuracy_text(event.validation_accuracy),
        f"{event.max_change:.2e}",
        f"{event.seconds:.3f}" if event.seconds < 9_999 else f"{event.seconds:.1f}",
    ]
    if started.alpha_varies:
        cells.append(f"{event.alpha:.1e}")
    return gap.join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _names(started: "TrainingStarted") -> list[str]:
    names = ["epoch", "loss", "accuracy", "loss", "accuracy", "change", "seconds"]
    return [*names, "alpha"] if started.alpha_varies else names


def _layout(started: "TrainingStarted") -> tuple[str, list[int]]:
    """The gap between the columns of figures, and how wide each of them is."""
    epoch = max(len("epoch"), len(f"{started.Max}/{started.Max}"))
    widths = [epoch, 9, 8, 9, 8, 8, 8, *([7] if started.alpha_varies else [])]
    fitting = (gap for gap in _GAPS if sum(widths) + len(gap) * (len(widths) - 1) <= COLUMNS)
    return next(fitting, _GAPS[-1]), widths


def is_tenth(epoch: int, started: "TrainingStarted") -> bool:
    """Whether an epoch is the first that this process ran, or ends a tenth of the run."""
    tenths = [10 * number // max(1, started.Max) for number in (epoch - 1, epoch)]
    return epoch == started.epochs_before + 1 or tenths[0] < tenths[1]


def left_line(seconds: float) -> str:
    """How long a run still takes, in a log."""
    return f"{_GAP}about {duration(seconds)} left"


def health_lines(event: "DiagnosticsComputed") -> list[str]:
    """A small table: a line for each layer that learns or has an activation."""
    names = [f"{layer.name} {layer.kind}" for layer in event.layers]
    width = max(map(len, ["layer", *names]))
    lines = ["  ".join([_GAP + "layer".ljust(width), "mean |W|", "mean |dW|", "   ratio"])]
    for name, layer in zip(names, event.layers, strict=True):
        cells = [_GAP + name.ljust(width)]
        for value, columns in ((layer.W, 8), (layer.dW, 9), (layer.ratio, 8)):
            cells.append(("-" if value is None else f"{value:.2e}").rjust(columns))
        if layer.dead is not None:
            cells.append(f"dead ReLUs {100 * layer.dead:.1f} %")
        if layer.saturated is not None:
            cells.append(f"saturated {100 * layer.saturated:.1f} %")
        lines.append("  ".join(cells))
    return lines


def batch_text(event: "BatchEnded", seconds_left: float, run_seconds_left: float | None, width: int = COLUMNS) -> str:
    """Return the text beside the bar: speed, running loss, time left in this epoch and until Max.

    Where ``width`` columns are too few for all, the first are left out.
    """
    speed = event.samples / event.seconds if event.seconds > 0 else 0.0
    run = "-" if run_seconds_left is None else duration(run_seconds_left)
    parts = [f"{speed:,.0f} samples/s", f"loss {loss_text(event.loss)}", f"{duration(seconds_left)} left, run {run}"]
    while len(parts) > 1 and len(_GAP.join(parts)) > width:
        del parts[0]
    return _GAP.join(parts)


def result_lines(result: dict[str, Any]) -> list[str]:
    """The last lines: why it stopped, how good it is, where it lies and what to do next."""
    epochs = "1 epoch" if result["epochs"] == 1 else f"{result['epochs']} epochs"
    lines = [f"stopped after {epochs} in {result['seconds']:.1f} seconds: {_STOPS[result['stop']]}"]
    split = next((name for name in ("test", "validation", "train") if result[name] is not None), None)
    headline = [] if split is None else [headline_text(split, result[split])]
    lines += headline
    if result.get("rollbacks"):
        lines.append(rollbacks_text(result))
    best = result["best"]
    if best is not None and best["epoch"] < result["epochs"] and result["validation"] is not None:
        value = (
            f"accuracy {accuracy_text(best['accuracy'])}" if "accuracy" in best else f"loss {loss_text(best['loss'])}"
        )
        lines.append(f"best validation {value}, after epoch {best['epoch']}: those weights are in best.safetensors")
    lines += [line["text"] for line in result["advice"]]
    lines.append(f"run in {result['run']}")
    if result["stop"] in ("interrupted", "failed"):
        lines.append(next_line("resume", result["run"]))
    elif result["stop"] == "diverged":
        lines.append(next_line("replay", result["run"]))
    else:
        lines.append(next_line("eval", result["run"], *([] if split in (None, "test") else ["--split", split])))
    return lines + headline


def headline_text(split: str, metrics: dict[str, Any]) -> str:
    """The figures that matter most; they come first and, so that they stay on the screen, last."""
    samples = "1 sample" if metrics["samples"] == 1 else f"{metrics['samples']:,} samples"
    return f"{split} accuracy {accuracy_text(metrics['accuracy'])}, loss {loss_text(metrics['loss'])}, on {samples}"


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


def duration(seconds: float) -> str:
    """Minutes and seconds, or hours, minutes and seconds."""
    minutes, seconds = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


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
        processes_line(result["micro_batches"], result["max_processes"]),
        f"a step of {samples} takes {result['step_ms']:,.3g} ms",
        f"about {span(result['seconds_per_epoch'])} an epoch, {span(result['seconds_to_Max'])} for {epochs} (Max)",
        "nothing was trained or saved",
    ]


def processes_line(micro_batches: int, processes: int) -> str:
    """How many processes a batch can feed."""
    batch = "1 micro-batch" if micro_batches == 1 else f"{micro_batches:,} micro-batches"
    return f"a batch is {batch}: at most {'1 process has' if processes == 1 else f'{processes} processes have'} work"


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
