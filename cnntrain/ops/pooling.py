"""Pooling, one axis at a time: along the columns, then along the rows.

A k x k region's maximum is the maximum of its columns' maxima, and so is its sum; two passes over k slices do what one
pass over k*k slices would. Max pooling remembers the winner of each match as a mask of whole bits, all ones where the
later entry won: in a tie the first one stays, so that exactly one position gets the gradient.
"""

import numpy as np

from cnntrain.types import Array


def windows(x: Array, axis: int, k: int, S: int) -> list[Array]:
    """The k slices of ``x`` along ``axis`` whose entries at place o are the entries 0 .. k-1 of region o."""
    count = (x.shape[axis] - k) // S + 1
    before = (slice(None),) * axis
    return [x[(*before, slice(i, i + S * (count - 1) + 1, S))] for i in range(k)]


def unread(x: Array, axis: int, k: int, S: int) -> list[Array]:
    """The parts of ``x`` along ``axis`` that are in none of the ``windows``; regions do not overlap (S >= k)."""
    last = S * ((x.shape[axis] - k) // S)
    before = (slice(None),) * axis
    behind = [slice(last + k, None)] if last + k < x.shape[axis] else []
    between = [slice(i, last, S) for i in range(k, S)] if last else []
    return [x[(*before, part)] for part in (*between, *behind)]


def max_forward(slices: list[Array], y: Array, won: list[Array]) -> None:
    """Write y = max over the slices, and who won.

    Args:
        slices: Of ``windows``, k arrays of y's shape.
        y: The maxima.
        won: k - 1 integer arrays as wide as y's items; bits all one where slice i + 1 beat all before it.
    """
    if len(slices) == 1:
        np.copyto(y, slices[0])
        return
    best = slices[0]
    for challenger, mask in zip(slices[1:], won, strict=True):
        # The sign bit of best - challenger, spread over the whole item: no array of booleans, no mixed types.
        np.subtract(best, challenger, out=mask.view(y.dtype))
        np.right_shift(mask, 8 * mask.itemsize - 1, out=mask)
        np.maximum(best, challenger, out=y)
        best = y


def max_alone(slices: list[Array], y: Array) -> None:
    """Write y = max over the slices."""
    np.copyto(y, slices[0])
    for challenger in slices[1:]:
        np.maximum(y, challenger, out=y)


def max_backward(delta: Array, won: list[Array], slices: list[Array], scratch: Array, overlap: bool) -> None:
    """Put each value of delta where the maximum was: the article's upsample for Max.

    Args:
        delta: Overwritten.
        won: Of ``max_forward``.
        slices: Of ``windows`` over delta_prev; with ``overlap`` they are added to and must be zero before.
        scratch: Shape and type of delta; used with ``overlap`` only.
        overlap: Whether regions share entries (S < k).
    """
    rest = delta.view(won[0].dtype) if won else delta
    for mask, micro_batch_prev in zip(reversed(won), reversed(slices[1:]), strict=True):
        share = scratch.view(mask.dtype) if overlap else micro_batch_prev.view(mask.dtype)
        np.bitwise_and(rest, mask, out=share)
        np.bitwise_xor(rest, share, out=rest)
        if overlap:
            micro_batch_prev += scratch
    if overlap:
        slices[0] += delta
    else:
        np.copyto(slices[0], delta)


def sum_forward(slices: list[Array], y: Array) -> None:
    """Write y = sum of the slices."""
    np.copyto(y, slices[0])
    for other in slices[1:]:
        y += other


def sum_backward(delta: Array, slices: list[Array], overlap: bool) -> None:
    """Hand delta to every slice of delta_prev: added with ``overlap``, written without."""
    for micro_batch_prev in slices:
        if overlap:
            micro_batch_prev += delta
        else:
            np.copyto(micro_batch_prev, delta)
