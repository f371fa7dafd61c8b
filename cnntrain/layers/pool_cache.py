"""The caches of pooling layers."""

from functools import cached_property, partial

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.ops.workspace import Workspaces, workspace
from cnntrain.types import Array, Shape


class PoolCache(Workspaces):
    """Memory for micro-batches of n samples: the columns pooled, then the rows."""

    def __init__(
        self, in_shape: Shape, out_shape: Shape, overlap: bool, matches: tuple[int, int], n: int, dtype: DTypeLike
    ):
        super().__init__(n, dtype)
        self.in_shape, self.out_shape, self.overlap, self.matches = in_shape, out_shape, overlap, matches
        self.integer = np.dtype(f"i{self.dtype.itemsize}")

    @workspace
    def by_columns(self) -> Shape:
        """The pooled columns."""
        H, C, _ = self.in_shape
        return H, C, self.out_shape[2], self.n

    @workspace
    def y(self) -> Shape:
        """The output of ``forward``."""
        return (*self.out_shape, self.n)

    @partial(workspace, use="training")
    def columns_masks(self) -> Shape:
        """The memory of ``columns_won``."""
        H, C, _ = self.in_shape
        return self.matches[1], H, C, self.out_shape[2], self.n

    @partial(workspace, use="training")
    def rows_masks(self) -> Shape:
        """The memory of ``rows_won``."""
        return self.matches[0], *self.out_shape, self.n

    @cached_property
    def columns_won(self) -> list[Array]:
        """For each comparison along the columns, a mask of where the later entry was larger."""
        return list(self.columns_masks.view(self.integer))

    @cached_property
    def rows_won(self) -> list[Array]:
        """For each comparison along the rows, a mask of where the later entry was larger."""
        return list(self.rows_masks.view(self.integer))

    @partial(workspace, use="delta")
    def scratch(self) -> Shape:
        """Scratch for deltas of entries that regions share."""
        H, C, _ = self.in_shape
        return (H * C * self.out_shape[2] * self.n * self.overlap,)

    @partial(workspace, use="delta")
    def delta_columns(self) -> Shape:
        """The gradient with respect to ``by_columns``."""
        H, C, _ = self.in_shape
        return H, C, self.out_shape[2], self.n

    @partial(workspace, use="delta")
    def delta_prev(self) -> Shape:
        """The gradient with respect to the input, dJ/dx."""
        return (*self.in_shape, self.n)


class GlobalPoolCache(Workspaces):
    """Memory for micro-batches of n samples: the rows added, then the columns."""

    def __init__(self, in_shape: Shape, n: int, dtype: DTypeLike):
        super().__init__(n, dtype)
        self.in_shape = in_shape

    @workspace
    def row(self) -> Shape:
        """The sum of the rows."""
        return (*self.in_shape[1:], self.n)

    @workspace
    def y(self) -> Shape:
        """The output of ``forward``."""
        return 1, self.in_shape[1], 1, self.n

    @partial(workspace, use="delta")
    def delta_prev(self) -> Shape:
        """The gradient with respect to the input, dJ/dx."""
        return (*self.in_shape, self.n)
