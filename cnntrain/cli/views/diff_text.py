"""What ``cnntrain diff`` prints: where two runs part, the cause, and all inputs that differ."""

import json
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from cnntrain.cli.views.console import CommandConsole
from cnntrain.cli.views.tables import add_columns, plain_table
from cnntrain.cli.views.terminal import print_note

SHOWN = 5
"""Maximum number of samples, and of causes, that are listed."""
STEPS = {
    "initial weights": "the initial weights",
    "samples": "the samples of the batch",
    "input": "the input",
    "labels": "the labels",
    "forward": "the forward pass",
    "loss": "the loss",
    "backward": "the backward pass",
    "update": "the update",
}


def print_diff(result: dict[str, Any], console: CommandConsole) -> None:
    """Print the comparison of two runs."""
    for line in headlines(result):
        console.print_sentence(line)
    if result["cause"] and not result["identical"]:
        more = len(result["cause"]) - SHOWN
        causes = ", ".join(result["cause"][:SHOWN]) + (f", and {more:,} more" if more > 0 else "")
        console.print_sentence(Text(f"cause: {causes}", "bold"))
    if result["config"]:
        table = plain_table()
        add_columns(table, "left", "key", *result["runs"])
        for key, values in result["config"].items():
            table.add_row(key, *(value_text(value) for value in values))
        console.print()
        console.print(table)
    if result["versions"]:
        table = plain_table()
        add_columns(table, "left", "version of", *result["runs"])
        for name, values in result["versions"].items():
            table.add_row(name, *(value_text(value) for value in values))
        console.print()
        console.print(table)
    lines = list(data_lines(result["data"]))
    if lines:
        console.print()
    for line in lines:
        console.print_sentence(line)
    for note in result["notes"]:
        print_note(note)


def headlines(result: dict[str, Any]) -> Iterator[str | Text]:
    """Yield where the runs part."""
    first, recorded = result["first"], result["recorded"]
    names = " and ".join(result["runs"])
    if result["identical"]:
        yield Text(f"identical to the last bit: {names}, {epochs_text(result['epochs'][0])}", "green")
        return
    if first is not None:
        where = "before the first step"
        if first["epoch"]:
            where = f"in epoch {first['epoch']}, batch {first['batch']} (step {first['step']:,})"
        yield Text(f"{names} part {where}, in {STEPS[first['stage']]}", "bold")
        yield f"first tensor that differs: {first['tensor']}{difference_text(first['difference'])}"
        yield from sample_lines(first["samples"])
    elif result["same_until"] is not None:
        epoch, batch = result["same_until"]
        yield Text(f"{names} differ, but their steps are the same up to epoch {epoch}, batch {batch}", "bold")
    else:
        yield Text(f"{names} differ", "bold")
    if recorded is not None:
        values = [value_text(value) for value in recorded["values"]]
        yield f"recorded: {recorded['key']} of epoch {recorded['epoch']} is {values[0]} and {values[1]}"


def difference_text(difference: dict[str, Any]) -> str:
    """Return how two tensors differ, as the end of a line."""
    if "shapes" in difference:
        shapes = [" x ".join(map(str, shape)) for shape in difference["shapes"]]
        return f", of shape {shapes[0]} and {shapes[1]}"
    if "only_in" in difference:
        return f", only in the {('first', 'second')[difference['only_in']]} run"
    if "samples" in difference:
        one, other = difference["samples"]
        return f" ({one:,})" if one == other else f" ({one:,} and {other:,})"
    text = f", {difference['differing']:,} of {difference['entries']:,} entries, by at most "
    text += f"{difference['max_difference']:.3g}"
    if "alpha" in difference:
        text += f"; alpha is {difference['alpha'][0]:.6g} and {difference['alpha'][1]:.6g}"
    return text


def sample_lines(samples: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the training samples concerned."""
    if not samples:
        return
    texts = []
    for row in samples[:SHOWN]:
        both = [sample_text("train", index, name) for index, name in zip(row["index"], row["name"], strict=True)]
        texts.append(both[0] if both[0] == both[1] else f"{both[0]} and {both[1]}")
    more = ", ..." if len(samples) > SHOWN else ""
    yield f"samples: {', '.join(texts)}{more}"


def sample_text(split: str, index: int | None, name: str | None) -> str:
    """Return the name of a sample."""
    if index is None:
        return "none"
    return f"{split}[{index}]" if name is None else f"{split}[{index}] {name!r}"


def data_lines(data: dict[str, Any]) -> Iterator[str]:
    """Yield how the data differ."""
    if data["parts"]:
        yield f"data: {', '.join(data['parts'])}"
    for kind, what, text_of in (
        ("changed", "with other pixels", changed_text),
        ("relabeled", "with other labels", changed_text),
        ("moved", "in other splits", moved_text),
    ):
        rows = data.get(kind)
        if rows:
            count = data["counts"][kind]
            more = f", and {count - SHOWN:,} more" if count > SHOWN else ""
            texts = ", ".join(map(text_of, rows[:SHOWN]))
            yield f"{count:,} {'image' if count == 1 else 'images'} {what}: {texts}{more}"
    if reordered := data.get("reordered"):
        yield f"the same images in another order: {', '.join(reordered)}"
    if standard := data.get("standardization"):
        means = [", ".join(f"{mean:.7g}" for mean in means) for means in standard["mean"]]
        yield f"standardization of all images: mean {means[0]} and {means[1]}"


def changed_text(row: dict[str, Any]) -> str:
    """Return a sample with what differs."""
    text = sample_text(row["split"], row["index"][0], row["name"])
    if "classes" in row:
        return f"{text} ({row['classes'][0]!r} and {row['classes'][1]!r})"
    if row["pixels"] is None:
        return text if row["of"] is None else f"{text} (another shape)"
    return f"{text} ({row['pixels']:,} of {row['of']:,} pixels, by at most {row['max_difference']:g})"


def moved_text(row: dict[str, Any]) -> str:
    """Return a sample with its splits in both runs."""
    places = [
        "missing" if split is None else split if row["name"] else f"{split}[{index}]"
        for split, index in zip(row["splits"], row["index"], strict=True)
    ]
    return f"{row['name']!r} ({' and '.join(places)})" if row["name"] else f"{places[0]} is {places[1]}"


def value_text(value: Any) -> str:
    """Return a value of a config, a version or a figure."""
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)


def epochs_text(count: int) -> str:
    """``1 epoch``, ``30 epochs``."""
    return "1 epoch" if count == 1 else f"{count:,} epochs"
