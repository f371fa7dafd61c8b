"""The page as one HTML file: no request leaves it, and no text of a user is ever markup or code.

Its content security policy allows one script and one style, by their hashes, and nothing else. The numbers, names and
sentences are JSON in an element that browsers do not run, with ``<`` as an escape.
"""

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from cnntrain.errors import visible
from cnntrain.explain import examples
from cnntrain.explain.arithmetic import TOLERANCE
from cnntrain.explain.entry import Entry, Position
from cnntrain.explain.explanation import header
from cnntrain.explain.page.data import TYPES, entries_data
from cnntrain.explain.page.formulas import DELTA, FORMULAS, LOSS, mathml
from cnntrain.explain.step import STATE_NAMES, Step
from cnntrain.explain.subject import Subject
from cnntrain.explain.texts import Language, dictionary
from cnntrain.storage import html_page

COMMAND = "cnntrain explain"
MAX_NAMES = 100
"""Maximum number of classes with names."""
SKELETON = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
{mark}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<div class="top"><h1 id="title"></h1><button type="button" id="language"></button>
<button type="button" id="theme"></button></div>
<div id="facts"></div>
<p id="legend" class="note"></p>
</header>
<nav id="map"></nav>
<main id="main"></main>
<section id="arithmetic" aria-live="polite"></section>
<footer id="checked"></footer>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def sample_page(
    subject: Subject,
    language: Language,
    start: str | None = None,
    filter: int | None = None,
    at: Position | None = None,
) -> str:
    """Return the page of a sample.

    Args:
        subject: The traced sample.
        language: The language that the page begins with.
        start: Name of the layer that it begins with; by default the first.
        filter: Filter, channel or unit that it begins with; by default the one with the largest |delta|.
        at: Pixel of the input that it begins with.
    """
    entries = subject.entries()
    objective, trace = subject.network.objective, subject.trace
    weights = objective.class_weights or (1.0,) * max(len(subject.classes), int(subject.y.max()) + 1)
    facts = {key: value for key, value in header(subject).items() if key not in ("output", "classes")}
    content: dict[str, Any] = {
        "header": safe(facts | {"best": float(subject.output.max())}),
        "objective": {
            "loss": objective.loss,
            "labels": subject.y.tolist(),
            "smoothing": objective.label_smoothing,
            "classes": int(subject.output.size),
            "weights": [weights[label] for label in subject.y.tolist()],
            "scale": subject.scale,
            "losses": trace.losses.tolist(),
        },
        "classes": class_names(subject),
        "loss_formula": separate(LOSS[objective.loss].split(" , ")),
        "step": None if subject.step is None else step_data(subject.step),
        "examples": False,
    }
    names = [entry.name for entry in entries]
    content["start"] = names.index(start) if start in names else 0
    content["asked"] = {"filter": filter, "at": None if at is None else list(at)}
    return page(f"cnntrain explain {subject.source}", content, entries, subject.step, language)


def examples_page(language: Language) -> str:
    """Return the page of the article's worked examples."""
    content: dict[str, Any] = {
        "header": {},
        "objective": None,
        "classes": {},
        "step": None,
        "examples": True,
        "start": 0,
    }
    return page("cnntrain explain --examples", content, examples.entries(), None, language)


def page(title: str, content: dict[str, Any], entries: Sequence[Entry], step: Step | None, language: Language) -> str:
    """Return a page of entries."""
    stored = entries_data(entries, step)
    positions = {entry.name: i for i, entry in enumerate(entries)}
    for data, entry in zip(stored, entries, strict=True):
        kind = FORMULAS[TYPES[type(entry.layer)]]
        data |= {
            "input": list(entry.trace.x.shape[1:]),
            "output": list(entry.trace.a.shape[1:]),
            "formulas": {part: formulas(text, part, entry) for part, text in kind},
            "after": None if entry.da is None else [[positions[name], array] for name, array in entry.sources],
            "inside": "." in entry.name,
            "alone": content["examples"],
        }
    content |= {"entries": stored, "language": language, "tolerance": TOLERANCE, "texts": dictionary()}
    script = "\n".join(asset(name) for name in ("numbers.js", "view.js"))
    style = asset("page.css")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{html_page.digest(script)}'",
            f"style-src '{html_page.digest(style)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    numbers = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return SKELETON.format(
        language=language,
        policy=policy,
        mark=html_page.mark(COMMAND),
        title=escape(visible(title)),
        style=style,
        data=numbers.replace("<", "\\u003c"),
        script=script,
    )


def formulas(text: str, part: str, entry: Entry) -> str:
    """Return the formulas of a part with the activation by its name, and that of delta for the backward pass."""
    sigma = entry.sigma
    text = text.replace(" , a = sigma ( z )", "" if sigma == "identity" else f" , a = {sigma} ( z )")
    if "b" not in entry.trace.parameters:
        text = text.replace(" + b_k", "").replace(" + b_u", "").replace(" + b ", " ")
    lines = text.split(" , ")
    if part == "backward" and entry.da is not None and sigma not in ("identity", "softmax"):
        lines.insert(0, DELTA)
    return separate(lines)


def separate(lines: Sequence[str]) -> str:
    """Return formulas as MathML, between which a narrow window may break the line."""
    return "".join(f"<span>{mathml(line)}</span>" for line in lines)


def class_names(subject: Subject) -> dict[int, str]:
    """Return the names of the classes that the page may show: the most probable ones, and the label."""
    likely = np.argsort(-subject.trace.layers[-1].a[0].ravel(), kind="stable")[:MAX_NAMES].tolist()
    wanted = [*likely, subject.label]
    return {j: visible(subject.classes[j]) for j in sorted(set(wanted)) if j < len(subject.classes)}


def step_data(step: Step) -> dict[str, Any]:
    """Return what the script needs to repeat a step."""
    options = step.options
    decayed = "W (1 - α weight_decay)" if options.optimizer == "adamw" else "W"
    formula = {
        "sgd": "W - α g" if not step.states else "W + momentum v - α g" if options.nesterov else "W + v",
        "rmsprop": "W - α g / (√r + eps)",
    }
    return {
        "optimizer": options.optimizer,
        "alpha": step.alpha,
        "t": step.t,
        "clip": step.clip_factor,
        "l1": step.l1,
        "l2": step.l2,
        "letters": list(STATE_NAMES[options.optimizer][: len(step.states)]),
        "options": dict(options.hyperparameters),
        "formula": formula.get(options.optimizer, f"{decayed} - α m' / (√v' + eps)"),
    }


def is_page(path: Path) -> bool:
    """Return whether a file is a page that explain wrote, which another page may replace."""
    return html_page.is_page(path, COMMAND)


def safe(values: dict[str, Any]) -> dict[str, Any]:
    """Return the header with what could disguise a name made visible."""
    return {key: _visible(value) for key, value in values.items()}


def _visible(value: Any) -> Any:
    if isinstance(value, list):
        return [_visible(item) for item in value]
    if isinstance(value, dict):
        return safe(value)
    return visible(value) if isinstance(value, str) else value


def asset(name: str) -> str:
    """Return a script or style of the page."""
    return files("cnntrain.explain.page").joinpath("assets", name).read_text(encoding="utf-8")
