"""Pooling, one axis at a time: along the columns, then along the rows.

The maximum of a k x k region is the maximum of the maxima of its columns (and likewise the sum): two passes over k
views do the work of one pass over k*k views. Max pooling records each comparison as a bit mask, all ones where the
later entry is larger: in a tie the first entry wins, so that exactly one position gets the gradient.
"""

import numpy as np

from cnntrain.ops.activations import INTEGERS
from cnntrain.types import Array


def windows(x: Array, axis: int, k: int, S: int) -> list[Array]:
    """Return k views of ``x`` along ``axis``; their entries at index o are the entries 0 .. k-1 of region o."""
    count = (x.shape[axis] - k) // S + 1
    before = (slice(None),) * axis
    return [x[(*before, slice(i, i + S * (count - 1) + 1, S))] for i in range(k)]


def unread(count: int, k: int, S: int) -> list[slice]:
    """Return the rows (or columns), of ``count``, that are in none of the ``windows``; requires S >= k (no overlap)."""
    last = S * ((count - k) // S)
    behind = [slice(last + k, count, 1)] if last + k < count else []
    between = [slice(i, last, S) for i in range(k, S)] if last else []
    return [*between, *behind]


def max_forward(views: list[Array], y: Array, won: list[Array]) -> None:
    """Write y = max over the views, and masks of the comparisons.

    Args:
        views: The result of ``windows``, k arrays of y's shape.
        y: The maxima.
        won: k - 1 integer arrays with items of y's size; all bits are 1 where view i + 1 is larger than all before it.
    """
    if len(views) == 1:
        y[...] = views[0]
        return
    best = views[0]
    for challenger, mask in zip(views[1:], won, strict=True):
        # The sign bit of best - challenger fills the item: no boolean array, no mixed types.
        np.subtract(best, challenger, mask.view(y.dtype))
        np.right_shift(mask, INTEGERS[mask.itemsize][1], mask)
        np.maximum(best, challenger, out=y)
        best = y


def max_only(views: list[Array], y: Array) -> None:
    """Write y = max over the views."""
    accumulate(np.maximum, views, y)


def accumulate(operation: np.ufunc, views: list[Array], y: Array) -> None:
    """Write y = views[0] ∘ views[1] ∘ ..., from left to right."""
    best = views[0]
    for other in views[1:]:
        best = operation(best, other, out=y)
    if best is not y:
        y[...] = best


def max_backward(delta: Array, won: list[Array], views: list[Array], scratch: Array | None, overlap: bool) -> None:
    """Route each value of delta to the position of the maximum: the article's upsample for Max.

    Args:
        delta: dJ/dy; overwritten.
        won: The masks of ``max_forward``.
        views: The result of ``windows`` for delta_prev; with ``overlap`` they are added to and must start at zero.
        scratch: Memory of delta's shape and type; None to compute in the views, which is fast if they are contiguous.
        overlap: Whether regions share entries (S < k); needs scratch.
    """
    rest = delta.view(won[0].dtype) if won else delta
    for mask, target in zip(reversed(won), reversed(views[1:]), strict=True):
        share = target if scratch is None else scratch
        bits = share.view(mask.dtype)
        np.bitwise_and(rest, mask, bits)
        np.bitwise_xor(rest, bits, rest)
        if overlap:
            target += share
        elif share is not target:
            target[...] = share
    if overlap:
        views[0] += delta
    else:
        views[0][...] = delta


def sum_forward(views: list[Array], y: Array) -> None:
    """Write y = sum of the views."""
    accumulate(np.add, views, y)


def sum_backward(delta: Array, views: list[Array], overlap: bool) -> None:
    """Add delta to every view of delta_prev with ``overlap``, else write it."""
    for target in views:
        if overlap:
            target += delta
        else:
            target[...] = delta
