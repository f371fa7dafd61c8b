"""The explanation of a sample: the way through the network and back, and one layer in detail. Plain data for JSON."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntrain.errors import UsageError
from cnntrain.explain import activation, batch_norm, conv, dropout, fc, loss, pool, residual, step
from cnntrain.explain.arithmetic import Part, Recomputation, recomputation
from cnntrain.explain.entry import Entry, Position
from cnntrain.explain.subject import Subject
from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.layers.conv import Conv
from cnntrain.layers.dropout import Dropout
from cnntrain.layers.fc import Fc
from cnntrain.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from cnntrain.layers.residual import Residual
from cnntrain.layers.softmax import Softmax


@dataclass(frozen=True, slots=True)
class Kind:
    """How to explain a class of layers."""

    parts: Callable[[Entry], list[Part]]
    formula: str
    """Of the forward pass."""
    back: str
    """For the backward pass of delta."""
    section: str
    """Of the article; empty for what it does not cover."""


KINDS: dict[type[Layer[Any]], Kind] = {
    Conv: Kind(conv.explain, "a = sigma(a * W + b)", "delta * rot180(W)", "3, 4"),
    MaxPool: Kind(pool.explain, "a = max pool(a)", "upsample(delta)", "3"),
    AveragePool: Kind(pool.explain, "a = average pool(a)", "upsample(delta)", "3"),
    GlobalAveragePool: Kind(pool.explain, "a = average pool(a)", "upsample(delta)", "3"),
    Fc: Kind(fc.explain, "a = sigma(W a + b)", "W^T delta", "1, 5"),
    BatchNorm: Kind(batch_norm.explain, "a = sigma(gamma x_hat + b)", "by x, mean, var", ""),
    Dropout: Kind(dropout.explain, "a = mask ⊙ a", "mask ⊙ delta", ""),
    Residual: Kind(residual.explain, "a = sigma(F(x) + shortcut(x))", "(through F + shortcut)", ""),
    Activation: Kind(activation.explain, "a = sigma(x + b)", "delta ⊙ sigma'(z)", "5"),
    Softmax: Kind(lambda _: [], "a = Softmax(z)", "a - y", "5"),
}
"""How to explain each class of layers; the first layer of an entry decides."""


def kind_of(entry: Entry) -> Kind:
    """Return how to explain an entry.

    Raises:
        UsageError: Its layer is of a class that has no explanation.
    """
    if type(entry.layer) not in KINDS:
        raise UsageError(f"{entry.called}: {type(entry.layer).__name__} has no explanation")
    return KINDS[type(entry.layer)]


def parts_of(subject: Subject, entry: Entry) -> list[Part]:
    """Return the parts of the explanation of one entry: forward, backward, gradients, loss, step."""
    parts = list(kind_of(entry).parts(entry))
    if entry.da is None:
        of_loss = loss.explain(
            entry, subject.network.objective, subject.label, float(subject.trace.losses[0]), subject.scale
        )
        at = 1 + max((i for i, part in enumerate(parts) if part.title == "forward"), default=-1)
        parts[at:at] = of_loss
    if subject.step is not None:
        for part in list(parts):
            for equation in part.equations:
                key, _, index = equation.name.partition("[")
                if part.title in ("dW", "db", "dgamma") and key == f"d{part.title[1:]}":
                    at_entry = [int(i) for i in index.rstrip("]").split(",")]
                    parts.append(step.explain(entry, subject.step, key[1:], at_entry))
    return parts


def explain_layer(subject: Subject, name: str, filter: int | None = None, at: Position | None = None) -> dict[str, Any]:
    """Explain one layer.

    Returns:
        ``layer``, ``kind``, ``parts`` and ``recomputed``.

    Raises:
        UsageError: There is no such layer, filter or pixel.
        ExplanationError: A number of the engine differs from the textbook's.
    """
    entries = subject.entries(filter, at)
    entry = next((entry for entry in entries if entry.name == name), None)
    if entry is None:
        raise UsageError(f"--layer {name}: the network has the layers {', '.join(entry.name for entry in entries)}")
    parts = parts_of(subject, entry)
    return {
        **header(subject),
        "layer": row_of(entry),
        "parts": [part.to_plain() for part in parts],
        "recomputed": plain(recomputation(parts)),
    }


def explain_sample(subject: Subject) -> dict[str, Any]:
    """Explain the sample's way through the network and back, one row per layer.

    Every layer is recomputed by the textbook where its delta is largest.

    Raises:
        ExplanationError: A number of the engine differs from the textbook's.
    """
    entries = subject.entries()
    parts = [part for entry in entries for part in parts_of(subject, entry)]
    rows = [row_of(entry) for entry in entries]
    return {**header(subject), "layers": rows, "recomputed": plain(recomputation(parts))}


def plain(result: Recomputation) -> dict[str, Any]:
    """Return plain data for JSON."""
    return {
        "numbers": result.numbers,
        "largest_difference": result.largest_difference,
        "where": result.name,
        "tolerance": result.tolerance,
    }


def header(subject: Subject) -> dict[str, Any]:
    """Return what holds for the whole explanation: the sample, its label and prediction, and J."""
    best = int(subject.output.argmax())
    trace = subject.trace
    return {
        "source": subject.source,
        "split": subject.split,
        "sample": subject.sample,
        "samples": subject.samples,
        "file": subject.file,
        "label": subject.classes[subject.label],
        "prediction": subject.classes[best],
        "output": [float(value) for value in subject.output],
        "probabilities": type(subject.network.layers[-1]) is Softmax,
        "classes": list(subject.classes),
        "J": trace.J,
        "loss": float(trace.losses[0]),
        "penalty": trace.penalty,
        "traced": len(subject.y),
        "remarks": [{"text": key, **values} for key, values in subject.remarks],
    }


def row_of(entry: Entry) -> dict[str, Any]:
    """Return the facts of a layer: formula, shapes, ranges."""
    kind, trace = kind_of(entry), entry.trace
    a, delta = trace.a[0], np.abs(trace.delta[0])
    return {
        "name": entry.name,
        "kind": trace.kind,
        "sigma": entry.sigma,
        "formula": kind.formula.replace("sigma", entry.sigma)
        if entry.sigma != "identity"
        else without_sigma(kind.formula),
        "back": kind.back,
        "section": kind.section,
        "sources": None if entry.da is None else [list(source) for source in entry.sources],
        "input": list(trace.x.shape[1:]),
        "output": list(a.shape),
        "parameters": {key: list(value.shape) for key, value in trace.parameters.items()},
        "a": [float(a.min()), float(a.max())],
        "delta": [float(delta.min()), float(delta.max())],
        "dx": [float(np.abs(trace.dx[0]).min()), float(np.abs(trace.dx[0]).max())],
    }


def without_sigma(formula: str) -> str:
    """Return a formula without the identity: a = z."""
    return formula.replace("sigma(", "").removesuffix(")") if "sigma(" in formula else formula
