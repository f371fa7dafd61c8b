"""Central differences of J along a direction, aware of kinks.

    (J(x + h d) - J(x - h d)) / 2h

In float64 the best h is near 1e-5: a larger one cuts off too much of the series, a smaller one drowns in rounding. In a
deep network with batch normalization J bends more, and a smaller h is better: where the first does not agree well with
the backward pass, the next is tried. No h makes a wrong derivative right.
Where the two points lie on different sides of a kink (a ReLU that changes its sign, a pool that changes its winner) the
quotient means nothing; it is taken again with a smaller h, and at last given up.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

STEPS = (1e-5, 1e-6, 1e-7)
"""The h that are tried, in turn."""

ROUNDING = 3e-15
"""Relative rounding error of J: three times what was measured on deep networks with batch normalization."""

Evaluate = Callable[[float], tuple[float, bytes]]
"""t -> J at x + t d, and on which side of every kink that is."""


@dataclass(frozen=True, slots=True)
class FiniteDifference:
    """A numeric derivative, and how much of it rounding may have made."""

    value: float
    noise: float


def central_differences(evaluate: Evaluate) -> Iterator[FiniteDifference]:
    """Yield dJ/dt at t = 0 with one step after the other; nothing if there is a kink however small the step."""
    for h in STEPS:
        above, pattern_above = evaluate(h)
        below, pattern_below = evaluate(-h)
        if pattern_above == pattern_below:
            yield FiniteDifference((above - below) / (2 * h), ROUNDING * max(abs(above), abs(below)) / h)


def min_error(analytic: float, evaluate: Evaluate, threshold: float) -> float | None:
    """Return the relative error of the step that agrees best with ``analytic``; None if all lie on kinks.

    A hundredth of the threshold is well enough, and no other step is tried then.
    """
    least = None
    for numeric in central_differences(evaluate):
        error = relative_error(analytic, numeric, threshold)
        least = error if least is None else min(least, error)
        if least <= threshold / 100:
            break
    return least


def relative_error(analytic: float, numeric: FiniteDifference, threshold: float) -> float:
    """Return |a - n| / max(|a| + |n|, tiny).

    ``tiny`` is the size below which rounding alone could reach the threshold: a derivative smaller than that is held to
    the absolute error that rounding allows.
    """
    error = abs(analytic - numeric.value)
    tiny = max(numeric.noise / threshold, 1e-300)
    return error / max(abs(analytic) + abs(numeric.value), tiny)
