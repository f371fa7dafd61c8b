"""Central differences of J along a direction, aware of kinks.

    (J(x + h d) - J(x - h d)) / 2h

In float64 the best h is near 1e-5: a larger one cuts off too much of the series, a smaller one drowns in rounding.
Where the two points lie on different sides of a kink (a ReLU that changes its sign, a pool that changes its winner) the
quotient means nothing; it is taken again with a smaller h, and at last given up.
"""

from collections.abc import Callable
from dataclasses import dataclass

STEPS = (1e-5, 1e-6, 1e-7)
"""The h that are tried, in turn."""

ROUNDING = 1e-15
"""Relative rounding error of J, as it was measured on deep networks: some units of float64's last place."""

Evaluate = Callable[[float], tuple[float, bytes]]
"""t -> J at x + t d, and on which side of every kink that is."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A numeric derivative, and how much of it rounding may have made."""

    value: float
    noise: float


def central_difference(evaluate: Evaluate) -> Difference | None:
    """Return dJ/dt at t = 0, or None if there is a kink however small the step."""
    for h in STEPS:
        above, pattern_above = evaluate(h)
        below, pattern_below = evaluate(-h)
        if pattern_above == pattern_below:
            return Difference((above - below) / (2 * h), ROUNDING * max(abs(above), abs(below)) / h)
    return None


def relative_error(analytic: float, numeric: Difference, threshold: float) -> float:
    """Return |a - n| / max(|a| + |n|, tiny).

    ``tiny`` is the size below which rounding alone could reach the threshold: a derivative smaller than that is held to
    the absolute error that rounding allows.
    """
    error = abs(analytic - numeric.value)
    tiny = max(numeric.noise / threshold, 1e-300)
    return error / max(abs(analytic) + abs(numeric.value), tiny)
