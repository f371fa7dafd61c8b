"""The caches of pooling layers.

Columns of wide images lie in memory by phase (``cnntrain.ops.phases``). Pooling along the columns keeps the phases that
come out as long runs of memory; the result, a quarter of the data or less, is then stored by the phases of its width.
"""

from collections.abc import Iterator
from functools import cached_property, partial
from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.ops import pooling
from cnntrain.ops.phases import by_phase, memory_shape, moves, phases
from cnntrain.ops.workspace import ViewsOf, Workspaces, workspace
from cnntrain.types import Array, Shape


class Columns(NamedTuple):
    """Columns of an image that are pooled with each other."""

    views: list[Array]
    """The first columns of regions, the second columns, ..."""
    pooled: Array
    """Their result, or the delta of it."""


class Comparisons(NamedTuple):
    """Memory for the comparisons of ``Columns``, in training."""

    won: list[Array]
    """For each comparison, a mask of where the later entry was larger."""
    gathered: list[Array]
    """For each view, memory for a copy, if it is faster to read a copy: where the views are short runs of memory."""


class PoolCache(Workspaces):
    """Memory for micro-batches of n samples: the columns pooled, then the rows.

    Args:
        in_shape: Shape of the image, ``(H, C, W)``.
        out_shape: Shape of the output.
        region: Rows and columns of a region.
        S: Stride.
        P: The padding.
        overlap: Whether regions share pixels.
        matches: Comparisons of a region along the rows and along the columns.
        n: Number of samples.
        dtype: Type of the arrays.
    """

    def __init__(
        self,
        in_shape: Shape,
        out_shape: Shape,
        region: tuple[int, int],
        S: int,
        P: int,
        overlap: bool,
        matches: tuple[int, int],
        n: int,
        dtype: DTypeLike,
    ):
        super().__init__(n, dtype)
        self.in_shape, self.out_shape, self.matches, self.overlap = in_shape, out_shape, matches, overlap
        self.region, self.S, self.P, self.is_padded = region, S, P, False
        H, C, W = in_shape
        self.padded_shape = H + 2 * P, C, W + 2 * P
        self.integer = np.dtype(f"i{self.dtype.itemsize}")
        self.Q, self.OQ = phases(self.padded_shape[2]), phases(out_shape[2])
        """Phases of the image, with its padding, and of the output."""
        kept = self.Q // gcd(self.Q, S)
        self.pooled_Q = kept if out_shape[2] % kept == 0 else 1
        """Phases of the pooled columns: those that keep neighbors in memory together, if the width allows it."""
        self.columns = ViewsOf(lambda image: list(self.column_views(image, self.by_columns)))
        """The columns of the input that are pooled."""
        self.delta_order = ViewsOf(lambda delta: list(self.ordered(delta, self.by_rows)))
        """Views of the delta of the output and of the same columns of ``by_rows``, if they are in different phases."""
        self.inside = ViewsOf(lambda image: list(self.border(image)))
        """Views of the input and of the same pixels of ``padded``."""

    @workspace
    def padded(self) -> Shape:
        """The input with its padding, which only micro-batches of another size overwrite."""
        return (*memory_shape(self.padded_shape), self.n) if self.P else (0,)

    def reclaim(self) -> None:
        self.is_padded = False

    def pad(self, x: Array, value: float) -> Array:
        """Return x with a border of ``value``, P > 0 pixels wide."""
        if not self.is_padded:
            self.padded.fill(value)
            self.is_padded = True
        for image, inside in self.inside(x):
            inside[...] = image
        return self.padded

    def border(self, x: Array, padded: Array | None = None) -> Iterator[tuple[Array, Array]]:
        """Yield views of the image and of the same pixels of the padded image, phase by phase."""
        H, _, W = self.in_shape
        image, P = by_phase(x, phases(W)), self.P
        inside = by_phase(self.padded if padded is None else padded, self.Q)[P : P + H]
        for m in moves(slice(0, W), slice(P, P + W), phases(W), self.Q):
            yield image[:, m.q, :, m.windows], inside[:, m.phase, :, m.pixels]

    @cached_property
    def pooled_shape(self) -> Shape:
        """The shape of ``by_columns``, ``(H, Q, C, OW / Q, n)``."""
        (H, C, _), OW = self.padded_shape, self.out_shape[2]
        return H, self.pooled_Q, C, OW // self.pooled_Q, self.n

    @cached_property
    def row_shape(self) -> Shape:
        """The shape of the output, in the phases of ``by_columns``."""
        return self.out_shape[0], *self.pooled_shape[1:]

    @workspace
    def by_columns(self) -> Shape:
        """The pooled columns."""
        return self.pooled_shape

    @workspace
    def y(self) -> Shape:
        """The output of ``forward``."""
        return (*memory_shape(self.out_shape), self.n)

    @workspace
    def by_rows(self) -> Shape:
        """The output, in the phases of ``by_columns``, if they are not its own."""
        return (0,) if self.pooled_Q == self.OQ else self.row_shape

    @cached_property
    def result(self) -> Array:
        """Where the rows are pooled to."""
        return self.y.reshape(self.row_shape) if self.pooled_Q == self.OQ else self.by_rows

    @cached_property
    def order(self) -> list[tuple[Array, Array]]:
        """Views of ``y`` and of the same columns of ``by_rows``, if they are in different phases."""
        return [] if self.pooled_Q == self.OQ else list(self.ordered(self.y, self.by_rows))

    def ordered(self, y: Array, by_rows: Array) -> Iterator[tuple[Array, Array]]:
        """Yield views of an array shaped as the output and of the same columns in the phases of ``by_columns``."""
        columns, y = slice(0, self.out_shape[2]), by_phase(y, self.OQ)
        for m in moves(columns, columns, self.OQ, self.pooled_Q):
            yield y[:, m.q, :, m.windows], by_rows[:, m.phase, :, m.pixels]

    def in_order(self) -> Array:
        """Return ``y``, with the columns of ``by_rows`` if these are in other phases."""
        for of_output, of_phase in self.order:
            of_output[...] = of_phase
        return self.y

    def delta_in_phases(self, delta: Array) -> Array:
        """Return delta in the phases of ``by_columns``; overwrites ``by_rows``."""
        if self.pooled_Q == self.OQ:
            return delta.reshape(self.row_shape)
        for of_output, in_phases in self.delta_order(delta):
            in_phases[...] = of_output
        return self.by_rows

    @partial(workspace, use="training")
    def gathered(self) -> Shape:
        """The columns of the input that are compared, each in one block of memory; scratch of the backward pass."""
        return (self.matches[1] + 1 if self.matches[1] and not self.has_long_runs else 0, *self.pooled_shape)

    @property
    def has_long_runs(self) -> bool:
        """Whether neighboring regions are neighbors in memory, and the backward pass only writes."""
        return not self.overlap and self.S * self.pooled_Q == self.Q

    @partial(workspace, use="training")
    def columns_masks(self) -> Shape:
        """The memory of ``columns_won``."""
        return self.matches[1], *self.pooled_shape

    @partial(workspace, use="training")
    def rows_masks(self) -> Shape:
        """The memory of ``rows_won``."""
        return self.matches[0], *self.row_shape

    def column_views(self, image: Array, pooled: Array) -> Iterator[Columns]:
        """Yield the columns of an image that are pooled with each other, phase by phase."""
        image, OW = by_phase(image, self.Q), self.out_shape[2]
        reach = self.S * (OW - 1) + 1
        of_column = [
            list(moves(slice(0, OW), slice(i, i + reach, self.S), self.pooled_Q, self.Q)) for i in range(self.region[1])
        ]
        for group in zip(*of_column, strict=True):
            of_pooled = pooled[:, group[0].q, :, group[0].windows]
            yield Columns([image[:, m.phase, :, m.pixels] for m in group], of_pooled)

    @cached_property
    def comparisons(self) -> list[Comparisons]:
        """The memory for the comparisons of ``columns``."""
        OW = slice(0, self.out_shape[2])
        return [
            Comparisons(
                [mask[:, m.q, :, m.windows] for mask in self.columns_won],
                [copy[:, m.q, :, m.windows] for copy in self.gathered],
            )
            for m in moves(OW, slice(0, self.S * OW.stop, self.S), self.pooled_Q, self.Q)
        ]

    @cached_property
    def rows(self) -> list[Array]:
        """The rows of ``by_columns`` that are pooled."""
        return pooling.windows(self.by_columns, 0, self.region[0], self.S)

    @cached_property
    def delta_rows(self) -> list[Array]:
        """The rows of ``delta_columns`` of a region."""
        return pooling.windows(self.delta_columns, 0, self.region[0], self.S)

    @cached_property
    def delta_views(self) -> list[Columns]:
        """The columns of ``delta_prev`` of a region."""
        return list(self.column_views(self.delta_prev, self.delta_columns))

    @cached_property
    def zeros(self) -> list[Array]:
        """The deltas that are added to (overlapping regions), or only the entries that no region reads."""
        if self.overlap:
            return [self.delta_columns, self.delta_prev]
        image = by_phase(self.delta_prev, self.Q)
        unread = pooling.unread(self.padded_shape[2], self.region[1], self.S)
        columns = [
            m
            for pixels in unread
            for m in moves(slice(0, len(range(pixels.start, pixels.stop, pixels.step))), pixels, 1, self.Q)
        ]
        return [
            *(self.delta_columns[rows] for rows in pooling.unread(self.padded_shape[0], self.region[0], self.S)),
            *(image[:, m.phase, :, m.pixels] for m in columns),
        ]

    @cached_property
    def columns_won(self) -> list[Array]:
        """For each comparison along the columns, a mask of where the later entry was larger."""
        return list(self.columns_masks.view(self.integer))

    @cached_property
    def rows_won(self) -> list[Array]:
        """For each comparison along the rows, a mask of where the later entry was larger."""
        return list(self.rows_masks.view(self.integer))

    @partial(workspace, use="delta")
    def delta_columns(self) -> Shape:
        """The gradient with respect to ``by_columns``."""
        return self.pooled_shape

    @partial(workspace, use="delta")
    def delta_prev(self) -> Shape:
        """The gradient with respect to the input, with that of its padding."""
        return (*memory_shape(self.padded_shape), self.n)

    @partial(workspace, use="delta")
    def delta_inside(self) -> Shape:
        """The memory of the gradient with respect to the input, dJ/dx, without that of the padding."""
        return (*memory_shape(self.in_shape), self.n) if self.P else (0,)

    def unpad(self) -> Array:
        """Return dJ/dx: ``delta_prev`` without its padding."""
        if not self.P:
            return self.delta_prev
        for image, inside in self.delta_border:
            image[...] = inside
        return self.delta_inside

    @cached_property
    def delta_border(self) -> list[tuple[Array, Array]]:
        """Views of ``delta_inside`` and of the same pixels of ``delta_prev``."""
        return list(self.border(self.delta_inside, self.delta_prev))


class GlobalPoolCache(Workspaces):
    """Memory for micro-batches of n samples: the rows added, then the columns."""

    def __init__(self, in_shape: Shape, n: int, dtype: DTypeLike):
        super().__init__(n, dtype)
        self.in_shape = in_shape

    @workspace
    def row(self) -> Shape:
        """The sum of the rows and phases."""
        return (*memory_shape(self.in_shape)[1:], self.n)

    @workspace
    def y(self) -> Shape:
        """The output of ``forward``."""
        return 1, self.in_shape[1], 1, self.n

    @partial(workspace, use="delta")
    def delta_prev(self) -> Shape:
        """The gradient with respect to the input, dJ/dx."""
        return (*memory_shape(self.in_shape), self.n)
