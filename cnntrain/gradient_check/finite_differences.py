"""Central differences of J along a direction, aware of kinks.

    (J(x + h d) - J(x - h d)) / 2h

In float64 the best h is near 1e-5: a larger h has a larger truncation error, a smaller h a larger rounding error. In a
deep network with batch normalization J has more curvature, and a smaller h is better: if the first h does not agree
well with the backward pass, the next is tried. No h makes a wrong derivative right.

If the two points lie on different sides of a kink (a ReLU whose input changes sign, a max pool whose argmax changes),
the quotient is meaningless; smaller h are tried, and then the derivative is skipped.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

STEPS = (1e-5, 1e-6, 1e-7)
"""The values of h, tried in this order."""

ROUNDING = 3e-15
"""Relative rounding error of J: three times the largest measured on deep networks with batch normalization."""

Evaluate = Callable[[float], tuple[float, bytes]]
"""t -> J at x + t d, and the side of every kink at that point."""


@dataclass(frozen=True, slots=True)
class FiniteDifference:
    """A numeric derivative and its rounding error."""

    value: float
    noise: float


def central_differences(evaluate: Evaluate) -> Iterator[FiniteDifference]:
    """Yield dJ/dt at t = 0 for each h that does not step over a kink."""
    for h in STEPS:
        above, pattern_above = evaluate(h)
        below, pattern_below = evaluate(-h)
        if pattern_above == pattern_below:
            yield FiniteDifference((above - below) / (2 * h), ROUNDING * max(abs(above), abs(below)) / h)


def min_relative_error(analytic: float, evaluate: Evaluate, threshold: float) -> float | None:
    """Return the smallest relative error over the values of h; None if all of them step over a kink.

    An error of a hundredth of the threshold is good enough: no other h is tried.
    """
    best = None
    for numeric in central_differences(evaluate):
        error = relative_error(analytic, numeric, threshold)
        best = error if best is None else min(best, error)
        if best <= threshold / 100:
            break
    return best


def relative_error(analytic: float, numeric: FiniteDifference, threshold: float) -> float:
    """Return |a - n| / max(|a| + |n|, tiny).

    Below ``tiny``, rounding alone could exceed the threshold: the error of smaller derivatives is relative to ``tiny``.
    """
    error = abs(analytic - numeric.value)
    tiny = max(numeric.noise / threshold, 1e-300)
    return error / max(abs(analytic) + abs(numeric.value), tiny)
