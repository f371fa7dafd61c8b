"""The output layer's end: softmax, the loss J, and the delta that starts the backward pass."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnntrain import textbook
from cnntrain.explain.arithmetic import Equation, Group, Matrix, Part, Term
from cnntrain.explain.entry import Entry, indexed
from cnntrain.network.objective import Objective
from cnntrain.types import Array

MAX_CLASSES = 12
"""Maximum number of classes in the table."""


def explain(entry: Entry, objective: Objective, label: int, loss: float, scale: float) -> list[Part]:
    """Explain the loss and its delta, for the last entry.

    Args:
        entry: The last entry.
        objective: The loss, label smoothing and class weights.
        label: The class of the sample.
        loss: The loss of the sample, as the engine computes it.
        scale: The factor of one sample's loss in J.
    """
    z, a, delta = (array[0].ravel() for array in (entry.trace.z, entry.trace.a, entry.trace.delta))
    y = np.zeros(z.size)
    y[label] = 1
    target = textbook.smoothed_label(y, objective.label_smoothing) if objective.label_smoothing else y
    weight = 1.0 if objective.class_weights is None else objective.class_weights[label]
    k = loss_index(entry)
    order = shown_classes(a, label, k)
    sigma, name = entry.sigma, objective.loss
    columns = zip(order, *(array[order].tolist() for array in (z, a, target, delta)), strict=True)
    table = Matrix("classes", tuple(columns))
    equations: list[Equation] = []
    remarks: list[tuple[str, dict[str, Any]]] = []
    if len(order) < z.size:
        remarks.append(("class_rows", {"left_out": z.size - len(order)}))
    if sigma == "softmax":
        equations.append(softmax(z, a, k))
    value = textbook.loss_value(z, target, sigma, name)
    equations.append(loss_equation(a, target, name, loss, value * weight, weight))
    expected = textbook.output_delta(z, target, sigma, name)[k] * weight * scale
    difference = ((float(a[k]) - float(target[k])), weight, scale)
    terms: tuple[Term, ...]
    if name == "cross_entropy":
        text, terms = "a - y", (difference,)
        remarks.append(("a_minus_y", {}))
    elif sigma == "softmax":
        text = "sum_j (a_j - y_j) a_j ([k = j] - a_k)"
        terms = tuple(
            (float(a[j] - target[j]), float(a[j]), float((k == j) - a[k]), weight, scale) for j in range(len(a))
        )
        remarks.append(("jacobian", {}))
    else:
        slope = float(textbook.sigma_prime(z[k : k + 1], sigma)[0])
        text, terms = "(a - y) ⊙ sigma'(z)", ((*difference, slope),)
    if objective.label_smoothing:
        remarks.append(("smoothed", {"share": objective.label_smoothing}))
    if weight != 1:
        remarks.append(("weighted", {"weight": weight}))
    if scale != 1:
        remarks.append(("scaled", {"samples": round(1 / scale)}))
    shape = entry.trace.delta.shape[1:]
    at = tuple(int(i) for i in np.unravel_index(k, shape))
    equations.append(
        Equation(indexed("delta", at), text, float(delta[k]), float(expected), (Group("product", None, terms),))
    )
    formula = {
        "cross_entropy": "J = -sum y ln a,  delta = a - y",
        "mse": "J = 1/2 |a - y|²,  delta = dJ/da ⊙ sigma'(z)",
    }
    return [Part("loss", formula[name], "1", (table,), tuple(equations), tuple(remarks))]


def loss_index(entry: Entry) -> int:
    """Return the output to show: of an image, the one with the largest |delta|."""
    delta = entry.trace.delta[0]
    return entry.chosen_filter() if delta.ndim == 1 else int(np.abs(delta).argmax())


def softmax(z: Array, a: Array, k: int) -> Equation:
    """The equation of one probability."""
    e = np.exp(z - z.max())
    return Equation(
        indexed("a", k),
        "e^(z - max) / sum e^(z - max)",
        float(a[k]),
        float(textbook.softmax(z)[k]),
        operands=((indexed("e^z", k), float(e[k])), ("sum", float(e.sum()))),
    )


def loss_equation(a: Array, target: Array, name: str, loss: float, expected: float, weight: float) -> Equation:
    """The equation of J of the sample; probabilities that round to 0 are left to the value computed from z."""
    if name == "cross_entropy":
        used = [j for j in range(len(a)) if target[j] and a[j] > 0]
        terms = tuple((-weight, float(target[j]), math.log(a[j])) for j in used)
        return Equation("J", "-sum y ln a", loss, expected, (Group("class", None, terms),))
    terms = tuple((0.5 * weight, float(a[j] - target[j]), float(a[j] - target[j])) for j in range(len(a)))
    return Equation("J", "1/2 sum (a - y)²", loss, expected, (Group("class", None, terms),))


def shown_classes(a: Array, label: int, k: int) -> list[int]:
    """Return the classes of the table in order: all, or the most probable, the label and k."""
    if len(a) <= MAX_CLASSES:
        return list(range(len(a)))
    best: Sequence[int] = np.argsort(-a, kind="stable").tolist()
    wanted = list(dict.fromkeys([label, k, *best]))[:MAX_CLASSES]
    return sorted(wanted)
