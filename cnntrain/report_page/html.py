"""The page: one file, offline, with no text of a user as markup or code.

Its content security policy allows one script and one style, by their hashes, images inside the file, and nothing else.
"""

import json
import shlex
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from cnntrain.errors import visible
from cnntrain.network.summary import table_of
from cnntrain.report_page.curves import chart
from cnntrain.report_page.facts import RunFacts
from cnntrain.report_page.pictures import MAX_MATRIX, Pictures
from cnntrain.runs.folder import CONFIG_FILE
from cnntrain.storage import html_page

COMMAND = "cnntrain report"
HEAT = 8
"""Number of colors of the confusion matrix."""
MAX_EPOCHS = 1000
"""Maximum number of epochs in the table."""


def page(facts: RunFacts, pictures: Pictures) -> str:
    """Return the page about a run."""
    style, script = asset("page.css"), asset("view.js")
    policy = "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"script-src '{html_page.digest(script)}'",
            f"style-src '{html_page.digest(style)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    title = f"Run {facts.folder.absolute().name}"
    data = {"images": pictures.images, "cells": pictures.cells, "mistakes": pictures.mistakes}
    sections = (
        ("Results", results_section(facts)),
        ("Learning curves", curves_section(facts)),
        ("Network", network_section(facts)),
        (f"Classes, {facts.report.split} samples", classes_section(facts)),
        (f"Confusion matrix, {facts.report.split} samples", confusion_section(facts)),
        ("Most confident errors", '<div id="mistakes" class="gallery"></div>'),
        ("Config", f"<pre>{text(facts.config)}</pre>"),
        ("Environment", environment_section(facts)),
        ("Repeat it", commands_section(facts)),
    )
    body = "\n".join(f"<section><h2>{text(name)}</h2>{content}</section>" for name, content in sections if content)
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            html_page.mark(COMMAND),
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{text(title)}</title>",
            f"<style>{style}</style></head>",
            f"<body><h1>{text(title)}</h1>",
            body,
            f'<script type="application/json" id="data">{json_text(data)}</script>',
            f"<script>{script}</script>",
            "</body></html>",
            "",
        )
    )


def is_page(path: Path) -> bool:
    """Return whether a file is a page that report wrote."""
    return html_page.is_page(path, COMMAND)


def text(value: object) -> str:
    """Return text as HTML: nothing in it is markup, and control characters are visible, line breaks excepted."""
    return "\n".join(escape(visible(line)) for line in str(value).split("\n"))


def json_text(value: Any) -> str:
    """Return JSON that no HTML parser ends early."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")


def asset(name: str) -> str:
    """Return the script or style of the page."""
    return files("cnntrain.report_page").joinpath("assets", name).read_text(encoding="utf-8")


def table(titles: Sequence[object], rows: Iterable[Sequence[object]], words: int = 1) -> str:
    """Return a table; the first ``words`` columns hold text, the others numbers."""
    head = "".join(f"<th{_side(i, words)}>{text(title)}</th>" for i, title in enumerate(titles))
    body = "".join(
        "<tr>" + "".join(f"<td{_side(i, words)}>{text(cell)}</td>" for i, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _side(column: int, words: int) -> str:
    return "" if column < words else ' class="number"'


def number(value: Any, form: str = ".4g") -> str:
    """Format a number that may be missing."""
    return format(value, form) if type(value) in (int, float) else "-"


def results_section(facts: RunFacts) -> str:
    """Loss and accuracy of each split, and how the run ended."""
    summary, rows = facts.summary, []
    for split in ("train", "validation", "test"):
        score = summary.get(split)
        if isinstance(score, dict):
            samples = number(score.get("samples"), ",")
            rows.append((split, number(score.get("loss")), number(score.get("accuracy"), ".2%"), samples))
    if not rows:
        score = facts.report.score
        rows = [(facts.report.split, number(score.loss), number(score.accuracy, ".2%"), f"{score.samples:,}")]
    best = summary.get("best") if isinstance(summary.get("best"), dict) else {}
    ended = [f"ended: {summary['stop']}"] if isinstance(summary.get("stop"), str) else ["not finished"]
    ended.append("1 epoch" if len(facts.metrics) == 1 else f"{len(facts.metrics):,} epochs")
    if type(summary.get("seconds")) in (int, float):
        ended.append(f"{summary['seconds']:,.1f} s")
    if isinstance(best, dict) and type(best.get("epoch")) is int:
        ended.append(f"best epoch {best['epoch']}")
    advice = summary.get("advice") if isinstance(summary.get("advice"), list) else []
    lines = [row["text"] for row in advice or () if isinstance(row, dict) and isinstance(row.get("text"), str)]
    points = "".join(f"<li>{text(line)}</li>" for line in lines)
    return (
        table(("split", "loss", "accuracy", "samples"), rows)
        + f"<p>{text('; '.join(ended))}</p>"
        + (f"<ul>{points}</ul>" if points else "")
    )


def curves_section(facts: RunFacts) -> str:
    """Loss and accuracy by epoch, as charts and as a table."""
    charts = [(what, chart(facts.metrics, what)) for what in ("loss", "accuracy")]
    if not any(drawn for _, drawn in charts):
        return ""
    legend = '<p class="legend"><span class="train">train</span> <span class="validation">validation</span></p>'
    figures = "".join(f"<figure><figcaption>{what}</figcaption>{drawn}</figure>" for what, drawn in charts if drawn)
    keys = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "alpha")
    rows = [
        (number(row.get("epoch"), ","), *(number(row.get(key)) for key in keys)) for row in facts.metrics[:MAX_EPOCHS]
    ]
    titles = ("epoch", *(key.replace("_", " ") for key in keys))
    epochs = f"<details><summary>all epochs</summary>{table(titles, rows)}</details>"
    return f'{legend}<div class="figures">{figures}</div>{epochs}'


def network_section(facts: RunFacts) -> str:
    """The layers."""
    titles, *rows = table_of(facts.saved.network)
    return table(titles, rows, words=3)


def classes_section(facts: RunFacts) -> str:
    """Precision, recall and F1 of each class."""
    result = facts.report.result()
    rows = [
        (
            row["class"],
            *(number(row[key], ".1%") for key in ("precision", "recall", "f1")),
            number(row["support"], ","),
        )
        for row in result["per_class"]
    ]
    rows.append(("macro average", *(number(result["macro"][key], ".1%") for key in ("precision", "recall", "f1")), ""))
    return table(("class", "precision", "recall", "F1", "samples"), rows)


def confusion_section(facts: RunFacts) -> str:
    """The confusion matrix, true classes in rows; each cell shows its images."""
    report = facts.report
    confusion = report.confusion()
    if confusion is None or len(report.classes) > MAX_MATRIX:
        rows = [(row["true"], row["predicted"], f"{row['samples']:,}") for row in report.result()["confused"]]
        return f"<p>The most frequent errors:</p>{table(('true', 'predicted', 'samples'), rows, words=2)}"
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in report.classes)
    lines = []
    for true, counts in enumerate(confusion.tolist()):
        total = max(1, sum(counts))
        cells = "".join(
            f'<td class="h{heat(count / total)}{" right" if true == chosen else ""}" tabindex="-1" '
            f'data-cell="{true}-{chosen}">{count or ""}</td>'
            for chosen, count in enumerate(counts)
        )
        lines.append(f'<tr><th scope="row">{text(report.classes[true])}</th>{cells}</tr>')
    return (
        "<p>Rows are true classes, columns predicted ones. Point at a cell, or move with the arrow keys, to see its "
        f'images.</p><div class="wide"><table id="matrix"><thead><tr><td></td>{head}</tr></thead>'
        f'<tbody>{"".join(lines)}</tbody></table></div><div id="cell" aria-live="polite"></div>'
    )


def heat(share: float) -> int:
    """Return the color of a cell with a share of its row: 0 for none."""
    return 0 if share == 0 else 1 + min(HEAT - 1, int(share**0.5 * HEAT))


def environment_section(facts: RunFacts) -> str:
    """Versions, processor, cores."""
    rows = []
    for key, value in facts.environment.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {version}" for name, version in value.items())
        elif isinstance(value, list):
            value = ", ".join(
                " ".join(map(str, item.values())) if isinstance(item, dict) else str(item) for item in value
            )
        rows.append((key, "-" if value is None else value))
    return table(("", ""), rows, words=2) if rows else ""


def commands_section(facts: RunFacts) -> str:
    """The commands that repeat the run, and show that the result is the same."""
    name = facts.folder.absolute().name
    version = facts.environment.get("cnntrain")
    lines = [f"pip install cnntrain=={version}"] if isinstance(version, str) else []
    folder = shell_word(name)
    lines += [
        f"cnntrain train {folder}/{CONFIG_FILE} --out again",
        f"cnntrain diff {folder} again",
        f"cnntrain eval {folder}",
    ]
    samples = ", ".join(f"{count:,} {split}" for split, count in facts.samples.items())
    return (
        f"<p>In the folder that holds the run folder, with the same data ({text(samples)} samples):</p>"
        f"<pre>{text(chr(10).join(lines))}</pre>"
    )


def shell_word(word: str) -> str:
    """Return a word as a shell reads it."""
    return shlex.quote(visible(word))
