"""Batch normalization at one value: mean and variance, x_hat, and the three ways in which delta goes back."""

from collections.abc import Callable

import numpy as np

from cnntrain import textbook
from cnntrain.explain.activation import activation, db_part, delta_before, delta_of, elementwise_output
from cnntrain.explain.arithmetic import Equation, Group, Part, Term, cut
from cnntrain.explain.entry import Entry, Position, indexed
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.types import Array

Statistics = tuple[float, float, int]
"""The mean, the root of var + eps, and the number of values of a channel."""


def explain(entry: Entry) -> list[Part]:
    """Explain batch normalization of one channel at one value."""
    layer, trace, c = entry.layer, entry.trace, entry.chosen_filter()
    assert isinstance(layer, BatchNorm)
    output = elementwise_output(entry, c)
    c, eps = output[0], layer.eps
    samples = [x[c : c + 1] for x in trace.x]
    m = sum(sample.size for sample in samples)
    mean, var = (float(trace.intermediates[key][0, c]) for key in ("mean", "var"))
    expected_mean, expected_var = (float(value[0]) for value in textbook.batch_norm_statistics(samples))
    gamma, b = float(entry.param("gamma")[c]), float(entry.param("b", c + 1)[c])
    x, z = float(trace.x[0][output]), float(trace.z[0][output])
    expected_z = textbook.batch_norm_evaluation(
        np.array([gamma]), np.array([b]), np.array([mean]), np.array([var]), np.full((1, 1, 1), x), eps
    )
    root = (var + eps) ** 0.5
    statistics = (
        Equation(indexed("mean", c), "sum x / m", mean, expected_mean, (of_channel(trace.x, c, lambda v: (v, 1 / m)),)),
        Equation(
            indexed("var", c),
            "sum (x - mean)² / m",
            var,
            expected_var,
            (of_channel(trace.x, c, lambda v: (v - mean, v - mean, 1 / m)),),
        ),
    )
    normalized = Equation(
        indexed("z", output),
        "gamma (x - mean) / sqrt(var + eps) + b",
        z,
        float(expected_z[0, 0, 0]),
        (Group("product", None, ((gamma, x - mean, 1 / root),)),),
        ((indexed("b", c), b),),
    )
    image = trace.x[0][c] if trace.x.ndim == 4 else trace.x[:, c][np.newaxis]
    at = (output[1], output[2]) if len(output) == 3 else (0, 0)
    forward = Part(
        "forward",
        "z = gamma (x - mean) / sqrt(var + eps) + b,  a = sigma(z)",
        "",
        (cut(f"x[{c}]", image, [at]),),
        (*statistics, normalized, activation(entry, output)),
        (
            *entry.took(c, output[1:]),
            ("over", {"m": m, "samples": len(samples)}),
            *((("degenerate", {}),) if var == 0 else ()),
        ),
    )
    dgamma = Equation(
        indexed("dgamma", c),
        "sum delta ⊙ x_hat",
        float(trace.gradients["gamma"][c]),
        float(textbook.batch_norm_dgamma(samples, [d[c : c + 1] for d in trace.delta], eps)[0]),
        (of_pairs(trace.delta, trace.x, c, lambda d, v: (d, (v - mean) / root)),),
        size=cancelled(trace.delta, trace.x, c, mean, root),
    )
    parts = [forward, delta_of(entry, output), backward(entry, output, gamma, (mean, root, m))]
    parts.append(Part("dgamma", "dgamma = sum delta ⊙ x_hat", "", (), (dgamma,)))
    if "b" in trace.gradients:
        parts.append(db_part(entry, c))
    return [part for part in parts if part is not None]


def backward(entry: Entry, output: Position, gamma: float, statistics: Statistics) -> Part:
    """The three ways in which a value reaches J: directly, through the mean and through the variance."""
    trace, c, (mean, root, m) = entry.trace, output[0], statistics
    delta, x = trace.delta[:, c].ravel(), trace.x[:, c].ravel()
    x_hat, largest = (float(trace.x[0][output]) - mean) / root, float(np.abs(x).max()) + abs(mean)
    sum_delta, sum_product = float(delta.sum()), float((delta * (x - mean)).sum() / root)
    eps = entry.layer.eps  # type: ignore[attr-defined]
    samples, deltas = ([of_sample[c : c + 1] for of_sample in values] for values in (trace.x, trace.delta))
    expected = textbook.delta_through_batch_norm(np.array([gamma]), samples, deltas, eps)[0]
    ways = (
        Group("directly", None, ((gamma / root, float(trace.delta[0][output])),)),
        Group("through_mean", None, ((-gamma / (root * m), sum_delta),)),
        Group("through_var", None, ((-gamma / (root * m), x_hat, sum_product),)),
    )
    dx = Equation(
        indexed("dJ/dx", output),
        "gamma / root (delta - sum delta / m - x_hat sum(delta x_hat) / m)",
        float(trace.dx[0][output]),
        float(expected[(0, *output[1:])]),
        ways,
        size=abs(gamma / root) * (1 + largest / root) * cancelled(trace.delta, trace.x, c, mean, root) / m,
    )
    follows = delta_before(entry, output)
    formula = "dJ/dx = gamma / sqrt(var + eps) (delta - sum delta / m - x_hat sum(delta x_hat) / m)"
    return Part("backward", formula, "", (), (dx,) if follows is None else (dx, follows), (("three_ways", {}),))


def cancelled(delta: Array, x: Array, c: int, mean: float, root: float) -> float:
    """Return sum |delta| (|x| + |mean|) / root of a channel: x - mean is exact to rounding of x only."""
    return float((np.abs(delta[:, c]) * (np.abs(x[:, c]) + abs(mean))).sum()) / root


def of_channel(x: Array, c: int, term: Callable[[float], Term]) -> Group:
    """Return a group of terms, one for each value of a channel."""
    return Group("value", None, tuple(term(v) for v in x[:, c].ravel().tolist()))


def of_pairs(delta: Array, x: Array, c: int, term: Callable[[float, float], Term]) -> Group:
    """Return a group of terms, one for each value of a channel and its delta."""
    pairs = zip(delta[:, c].ravel().tolist(), x[:, c].ravel().tolist(), strict=True)
    return Group("value", None, tuple(term(d, v) for d, v in pairs))
