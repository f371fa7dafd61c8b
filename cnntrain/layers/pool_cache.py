"""The caches of pooling layers."""

from collections.abc import Callable
from functools import cached_property, partial

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.ops.workspace import ViewsOf, Workspaces, workspace
from cnntrain.types import Array, Shape


class PoolCache(Workspaces):
    """Memory for micro-batches of n samples: the columns pooled, then the rows.

    Args:
        in_shape: Shape of the image, with its padding.
        out_shape: Shape of the output.
        overlap: Whether regions share pixels.
        matches: Comparisons of a region along the rows and along the columns.
        P: The padding.
        windows: Function that returns the views of an image along an axis that are pooled with each other.
        unread: Function that returns the parts of an image along an axis that the backward pass must zero.
        n: Number of samples.
        dtype: Type of the arrays.
    """

    def __init__(
        self,
        in_shape: Shape,
        out_shape: Shape,
        overlap: bool,
        matches: tuple[int, int],
        P: int,
        windows: Callable[[Array, int], list[Array]],
        unread: Callable[[Array, int], list[Array]],
        n: int,
        dtype: DTypeLike,
    ):
        super().__init__(n, dtype)
        self.in_shape, self.out_shape, self.overlap, self.matches = in_shape, out_shape, overlap, matches
        self.P, self.is_padded = P, False
        self.integer = np.dtype(f"i{self.dtype.itemsize}")
        self.columns = ViewsOf(lambda image: windows(image, 2))
        """The columns of the input that are pooled."""
        self.windows = windows
        self.unread = unread

    @workspace
    def padded(self) -> Shape:
        """The input with its padding, which only micro-batches of another size overwrite."""
        return (*self.in_shape, self.n) if self.P else (0,)

    def reclaim(self) -> None:
        self.is_padded = False

    def pad(self, x: Array, value: float) -> Array:
        """Return x with a border of ``value``, P > 0 pixels wide."""
        if not self.is_padded:
            self.padded.fill(value)
            self.is_padded = True
        self.without_padding(self.padded)[...] = x
        return self.padded

    def without_padding(self, image: Array) -> Array:
        """Return the view of a padded image without its border."""
        H, _, W = self.in_shape
        return image[self.P : H - self.P, :, self.P : W - self.P]

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
    def gathered(self) -> Shape:
        """The columns of the input that are compared, each in one block of memory; scratch of the backward pass."""
        H, C, _ = self.in_shape
        count = self.matches[1] + 1 if self.matches[1] else 0
        return count, H, C, self.out_shape[2], self.n

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
    def rows(self) -> list[Array]:
        """The rows of ``by_columns`` that are pooled."""
        return self.windows(self.by_columns, 0)

    @cached_property
    def delta_rows(self) -> list[Array]:
        """The rows of ``delta_columns`` of a region."""
        return self.windows(self.delta_columns, 0)

    @cached_property
    def delta_views(self) -> list[Array]:
        """The columns of ``delta_prev`` of a region."""
        return self.windows(self.delta_prev, 2)

    @cached_property
    def zeros(self) -> list[Array]:
        """The deltas that are added to (overlapping regions), or only the entries that no region reads."""
        return [*self.unread(self.delta_columns, 0), *self.unread(self.delta_prev, 2)]

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
        H, C, _ = self.in_shape
        return H, C, self.out_shape[2], self.n

    @partial(workspace, use="delta")
    def delta_prev(self) -> Shape:
        """The gradient with respect to the input, with that of its padding."""
        return (*self.in_shape, self.n)

    @partial(workspace, use="delta")
    def delta_inside(self) -> Shape:
        """The memory of the gradient with respect to the input, dJ/dx, without that of the padding."""
        H, C, W = self.in_shape
        return (H - 2 * self.P, C, W - 2 * self.P, self.n) if self.P else (0,)

    def unpad(self) -> Array:
        """Return dJ/dx: ``delta_prev`` without its padding, in one block of memory."""
        np.copyto(self.delta_inside, self.without_padding(self.delta_prev))
        return self.delta_inside


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
