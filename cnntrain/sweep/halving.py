"""Successive halving within a wave of trials.

With ``first`` epochs and ``factor``, trials stop after ``first``, ``first * factor``, ``first * factor^2``, ... epochs,
and only the best one in ``factor`` continues. Reference: Jamieson & Talwalkar 2016, arXiv:1502.07943.
"""

from collections.abc import Mapping

from cnntrain.config.schema.sweep import HalvingOptions


def rungs(halving: HalvingOptions | bool, Max: int) -> list[int]:
    """Return the epochs after which trials stop for a comparison, all below ``Max``.

    >>> rungs(HalvingOptions(first=5, factor=3), Max=50)
    [5, 15, 45]
    """
    if not isinstance(halving, HalvingOptions):
        return []
    found, epochs = [], halving.first
    while epochs < Max:
        found.append(epochs)
        epochs *= halving.factor
    return found


def promoted(values: Mapping[int, float], factor: int, minimize: bool) -> set[int]:
    """Return the trials that continue: the best one in ``factor``, at least one; of equals, the earlier.

    Args:
        values: The value of each trial of the wave that reached the rung, by its number.
        factor: One in this many continues.
        minimize: Whether lower values are better.
    """
    sign = 1 if minimize else -1
    ranked = sorted(values, key=lambda number: (sign * values[number], number))
    return set(ranked[: max(1, len(values) // factor)])
