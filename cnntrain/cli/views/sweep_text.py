"""The text of a sweep: what is searched, a line a trial, the best trials and what mattered."""

from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.table import Table

from cnntrain.cli.views.console import CommandConsole
from cnntrain.cli.views.tables import add_columns, plain_table, truncate
from cnntrain.cli.views.terminal import command
from cnntrain.cli.views.training_text import accuracy_text, duration, loss_text, span
from cnntrain.config.schema.sweep import HalvingOptions
from cnntrain.config.sweep.dimensions import value_text
from cnntrain.config.sweep.sweep_file import Sweep
from cnntrain.errors import visible
from cnntrain.sweep.events import SweepStarted, TrialEnded
from cnntrain.sweep.folder import TABLE_FILE
from cnntrain.sweep.halving import rungs

BEST = 10
"""Trials in the table at the end."""
CELL, GAP = 24, 2
"""Columns of a value at most, and between two."""
BAR = 30
"""Columns of the longest bar."""


def short_names(keys: list[str]) -> dict[str, str]:
    """Return the last part of each key, or more of it where that is not unique."""
    names = {}
    for key in keys:
        parts = key.split(".")
        for count in range(1, len(parts) + 1):
            name = ".".join(parts[-count:])
            if sum(other == name or other.endswith(f".{name}") for other in keys) == 1:
                break
        names[key] = name
    return names


def metric_text(metric: str, value: float | None) -> str:
    """Return a value of the goal."""
    return accuracy_text(value) if metric.endswith("accuracy") else loss_text(value)


def search_lines(sweep: Sweep) -> list[str]:
    """Return lines on what varies and how it is searched."""
    keys = [dimension.key for dimension in sweep.dimensions]
    width = max(map(len, keys))
    goal, best_by = sweep.options.goal, sweep.base.config({}).training.best_by
    lines = [f"varies   {key:<{width}}  {of.text()}" for key, of in zip(keys, sweep.dimensions, strict=True)]
    lines = [line if not i else " " * 9 + line[9:] for i, line in enumerate(lines)]
    lines.append(
        f"goal     {'lowest' if goal.minimize else 'highest'} {goal.metric}, of each trial's best epoch by {best_by}"
    )
    lines.append(f"search   {search_text(sweep)}")
    halving = sweep.options.halving
    if isinstance(halving, HalvingOptions):
        steps = rungs(halving, sweep.base.config({}).training.Max)
        after = ", ".join(map(str, steps)) or "none: Max is not larger than halving.first"
        lines.append(f"halving  one in {halving.factor} of a wave continues after epochs {after}")
    return lines


def search_text(sweep: Sweep) -> str:
    """Return the method and the number of trials."""
    options, points = sweep.options, sweep.points
    trials = "1 trial" if sweep.trials == 1 else f"{sweep.trials} trials"
    if points is not None:
        trials += ": all combinations" if sweep.trials == points else f" of {points:,} combinations"
    return f"{options.method}, {trials}, in waves of {options.wave}, seed {options.seed}"


def header(event: SweepStarted) -> list[str]:
    """Return the lines above the trials."""
    samples = event.samples
    lines = [
        f"data     {samples['train']:,} train, {samples['validation']:,} validation samples"
        + ("; the test split is used once, at the end" if samples["test"] else ""),
        *search_lines(event.sweep),
        f"folder   {event.folder}"
        + (f", resuming: {event.done} of {event.trials} trials are done" if event.done else ""),
    ]
    return [visible(line) for line in lines]


def trial_titles(event: SweepStarted) -> str:
    """Return the line above the trials."""
    return _line(event, "done", "trial", event.sweep.options.goal.metric, "epochs", "left", "values")


def trial_line(event: TrialEnded, started: SweepStarted, left: float | None) -> str:
    """Return the line of a trial."""
    trial, sweep = event.trial, started.sweep
    metric = sweep.options.goal.metric
    names = short_names([dimension.key for dimension in sweep.dimensions])
    values = " ".join(f"{names[key]}={value_text(value)}" for key, value in trial.values.items())
    if trial.result is None:
        value, epochs, end = "failed", "", f"  {trial.error}"
    else:
        value, epochs = metric_text(metric, trial.result.value(metric)), str(trial.result.epochs)
        is_best = event.best is not None and event.best.number == trial.number and trial.state == "complete"
        end = "  best so far" if is_best else "  stopped by halving" if trial.state == "stopped" else ""
    time_left = "-" if left is None else duration(left)
    done = f"{event.done}/{started.trials}"
    return visible(_line(started, done, str(trial.number), value, epochs, time_left, values + end))


def _line(started: SweepStarted, done: str, number: str, value: str, epochs: str, left: str, values: str) -> str:
    """Return a line of the table of trials."""
    digits, metric = len(str(started.trials)), started.sweep.options.goal.metric
    cells = [done.rjust(max(4, 2 * digits + 1)), number.rjust(max(5, digits)), value.rjust(len(metric))]
    return "  ".join([*cells, epochs.rjust(6), left.rjust(7), values])


def show_result(result: dict[str, Any], sweep: Sweep, console: CommandConsole) -> None:
    """Print the best trials, what mattered, and the winner's test figures."""
    counts = {
        state: sum(trial["state"] == state for trial in result["trials"]) for state in ("complete", "stopped", "failed")
    }
    parts = [f"{counts['complete']} complete"]
    parts += [f"{counts['stopped']} stopped by halving"] if counts["stopped"] else []
    parts += [f"{counts['failed']} failed"] if counts["failed"] else []
    console.print_sentence(f"{len(result['trials'])} trials: {', '.join(parts)}")
    best = result["best"]
    if best is None:
        return
    console.print()
    table, left_out = best_table(result, sweep, console.width)
    console.print(table)
    if left_out:
        console.print_sentence(f"no room for {', '.join(left_out)}: see {TABLE_FILE}")
    console.print()
    if result["importance"] is None:
        console.print_sentence("importance of the keys: needs 10 complete trials whose values differ")
    else:
        for line in importance_lines(result["importance"]):
            console.print(line, soft_wrap=True)
    console.print()
    line = (
        f"best: trial {best['trial']}, validation loss {loss_text(best['validation_loss'])}, accuracy "
        f"{accuracy_text(best['validation_accuracy'])}, after epoch {best['best_epoch']}"
    )
    console.print_sentence(line)
    if best["test"] is not None:
        test = best["test"]
        console.print_sentence(
            f"its test accuracy {accuracy_text(test['accuracy'])}, loss {loss_text(test['loss'])}, on "
            f"{test['samples']:,} samples that took no part in the search"
        )
    console.print(f"config of the best trial: {visible(best['config'])}", soft_wrap=True)
    console.print(f"next: {command('cnntrain', 'eval', best['weights'])}", soft_wrap=True)


def best_table(result: dict[str, Any], sweep: Sweep, width: int) -> tuple[Table, list[str]]:
    """Return a table of the best trials, and the keys for which it has no room; the most important ones come first."""
    sign = 1 if "minimize" in result["goal"] else -1
    complete = [trial for trial in result["trials"] if trial["state"] == "complete"]
    ranked = sorted(complete, key=lambda trial: (sign * trial["value"], trial["trial"]))[:BEST]
    keys = [dimension.key for dimension in sweep.dimensions]
    names, by_importance = short_names(keys), [*(result["importance"] or {}), *keys]
    columns = {
        "trial": [str(trial["trial"]) for trial in ranked],
        "val. loss": [loss_text(trial["validation_loss"]) for trial in ranked],
        "val. acc.": [accuracy_text(trial["validation_accuracy"]) for trial in ranked],
        "epoch": [f"{trial['best_epoch']}/{trial['epochs']}" for trial in ranked],
    }
    figures = len(columns)
    left_out = []
    for key in dict.fromkeys(by_importance):
        cells = [truncate(value_text(trial["values"][key]), CELL) for trial in ranked]
        wide = {**columns, truncate(names[key], CELL): cells}
        if sum(max(map(cell_len, [head, *of])) + GAP for head, of in wide.items()) - GAP > width:
            left_out.append(key)
        else:
            columns = wide
    table = plain_table(GAP)
    add_columns(table, "right", *list(columns)[:figures])
    add_columns(table, "left", *list(columns)[figures:])
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table, left_out


def importance_lines(shares: dict[str, float]) -> list[str]:
    """Return a bar for each key."""
    width, most = max(map(len, shares)), max(shares.values()) or 1.0
    lines = ["importance of the keys (PED-ANOVA)"]
    for key, share in shares.items():
        bar = "█" * round(BAR * share / most)
        lines.append(f"{visible(key):<{width}}  {100 * share:5.1f} %  {bar}".rstrip())
    return lines


def show_dry_run(result: dict[str, Any], sweep: Sweep, console: CommandConsole) -> None:
    """Print what a sweep would do."""
    for line in search_lines(sweep):
        console.print(visible(line), soft_wrap=True)
    console.print(f"folder   {visible(str(Path(result['folder'])))}", soft_wrap=True)
    console.print()
    names = short_names([dimension.key for dimension in sweep.dimensions])
    table = plain_table(2)
    add_columns(table, "right", "trial")
    add_columns(table, "left", *(truncate(name, 24) for name in names.values()))
    for number, values in enumerate(result["first_wave"]):
        table.add_row(str(number), *(truncate(value_text(values[key]), 24) for key in names))
    console.print(table)
    console.print()
    console.print_sentence(
        f"the steps of a trial take about {span(result['seconds_per_trial'])}, those of the sweep "
        f"{span(result['seconds'])} with --parallel {result['parallel']}"
        + (" (halving makes it less)" if result["halving"] else "")
    )
    console.print_sentence("starting, evaluating and saving trials comes on top")
    console.print_sentence("nothing was trained or saved")
