"""Convolution as one matrix product over overlapping rows.

Images are ``(H, C, W, N)``: rows first, samples last. ``lowering`` copies the input F times, each time shifted by one
column (im2col along the width only). F neighboring rows of that copy are then one contiguous ``(F*F*C, OW*N)`` matrix;
``row_blocks`` views them as overlapping matrices, one for each output row, without another copy. Kernels are
``(F, F, C, K)``: row, column, channel, filter.

Reference: Cho & Brand 2017, "MEC: memory-efficient convolution for deep neural network", arXiv:1706.06873.
"""

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property, partial
from typing import final

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.ops.geometry import Geometry
from cnntrain.ops.matmul import best_width, pieces, strided
from cnntrain.ops.workspace import ViewsOf, Workspaces, workspace
from cnntrain.types import Array, Shape

Copies = list[tuple[Array, Array]]
"""Pairs of views: where something is copied or added to, and what."""


class Convolution(Workspaces):
    """An algorithm for the forward and backward pass of a convolution, with its memory for n samples.

    Shape:
        x ``(H, C, W, n)`` -> z ``(OH, K, OW, n)``; W ``(F, F, C, K)``.
    """

    def __init__(self, geometry: Geometry, n: int, dtype: DTypeLike):
        super().__init__(n, dtype)
        self.geometry = geometry
        self.is_padded = False
        """Whether the padding in the lowered image is zero; only micro-batches of another size overwrite it."""

    @workspace
    def z(self) -> Shape:
        """The output of ``forward``."""
        g = self.geometry
        return g.OH, g.K, g.OW, self.n

    @partial(workspace, use="delta")
    def delta_prev(self) -> Shape:
        """The output of ``backward``."""
        g = self.geometry
        return g.H, g.C, g.W, self.n

    def reclaim(self) -> None:
        self.is_padded = False

    @abstractmethod
    def forward(self, x: Array, W: Array) -> Array:
        """Return z = W * a (cross-correlation)."""

    def infer(self, x: Array, W: Array) -> Array:
        """Return the result of ``forward``, without keeping anything for a backward pass."""
        return self.forward(x, W)

    @abstractmethod
    def backward(self, delta: Array, W: Array, dW: Array, want_delta: bool) -> Array | None:
        """Write dW = a * delta (not flipped) and return delta_prev = delta * rot180(W), or None if it is not wanted."""


@final
class DirectConvolution(Convolution):
    """Direct convolution in three matrix products: exactly the multiplications of the definition.

    ::

        z[oh]         = W^T (K, F*F*C) @ blocks[oh] (F*F*C, OW*n)
        dW            = sum over oh of blocks[oh] @ delta[oh]^T
        delta_prev[h] = flipped kernel rows (F*C, m*K) @ the m rows of delta that reach row h, then moved to its columns
    """

    @workspace
    def x1(self) -> Shape:
        """The lowered image."""
        g = self.geometry
        return g.H + 2 * g.P, g.F, g.C, g.OW, self.n

    @partial(workspace, use="training")
    def products(self) -> Shape:
        """One product per output row; their sum is dW."""
        g = self.geometry
        return g.OH, g.F * g.F * g.C, g.K

    @partial(workspace, use="delta")
    def spread(self) -> Shape:
        """Contributions to delta_prev before they are added to its columns."""
        g = self.geometry
        return g.H, g.F, g.C, g.OW, self.n

    def __init__(self, geometry: Geometry, n: int, dtype: DTypeLike):
        super().__init__(geometry, n, dtype)
        self.lowering = ViewsOf(lambda x: lowering(x, self.x1, geometry))
        self.back = ViewsOf(self.backward_views)

    @cached_property
    def blocks(self) -> Array:
        """The lowered image as overlapping matrices; see ``row_blocks``."""
        return row_blocks(self.x1, self.geometry)

    @cached_property
    def forward_pieces(self) -> tuple[Array, Array]:
        """``blocks`` and ``z``, in pieces of the width at which the forward product is fastest."""
        g = self.geometry
        width = best_width(g.K, g.F * g.F * g.C, g.OW * self.n)
        return pieces(self.blocks, width), pieces(self.z.reshape(g.OH, g.K, -1), width)

    def backward_views(self, delta: Array) -> tuple[Array, list["RowProduct"]]:
        """Return delta as the right factor of dW, and the products for delta_prev."""
        g = self.geometry
        rows = delta.reshape(g.OH, g.K, -1)
        return rows.transpose(0, 2, 1), row_products(rows, self.spread, g)

    @cached_property
    def raising(self) -> Copies:
        """The additions to delta_prev; see ``raising``."""
        return raising(self.spread, self.delta_prev, self.geometry)

    def forward(self, x: Array, W: Array) -> Array:
        if not self.is_padded:
            clear_padding(self.x1, self.geometry)
            self.is_padded = True
        for target, pixels in self.lowering(x):
            target[...] = pixels
        blocks, z = self.forward_pieces
        np.matmul(W.reshape(-1, W.shape[-1]).T, blocks, out=z)
        return self.z

    def backward(self, delta: Array, W: Array, dW: Array, want_delta: bool) -> Array | None:
        right, products = self.back(delta)
        np.matmul(self.blocks, right, out=self.products)
        np.add.reduce(self.products, axis=0, out=dW.reshape(self.products.shape[1:]))
        if not want_delta:
            return None
        self.delta_through(products, W)
        return self.delta_prev

    def delta_through(self, products: list["RowProduct"], W: Array) -> None:
        """Write delta_prev = delta * rot180(W), without padding delta.

        At most F rows of delta, contiguous in memory, contribute to row h of the image: one product of the flipped
        kernel with them gives the contributions to every column, and F additions add these to their columns.
        """
        g = self.geometry
        flipped = [flip_rows(W, residue, g.S) for residue in range(min(g.S, g.F))]
        for product in products:
            np.matmul(flipped[product.residue][:, product.columns], product.rows, out=product.shares)
        for h in g.unread_rows:
            self.spread[h].fill(0)
        if g.center is None:
            self.delta_prev.fill(0)
        else:
            self.delta_prev[...] = self.spread[:, g.center]
        for column, share in self.raising:
            np.add(column, share, out=column)


def row_blocks(x1: Array, geometry: Geometry) -> Array:
    """View a lowered image as ``(OH, F*F*C, OW*N)``: block oh is its rows S*oh .. S*oh + F - 1."""
    _, F, C, OW, N = x1.shape
    row, _, channel, _, item = x1.strides
    return strided(x1, (geometry.OH, F * F * C, OW * N), (geometry.S * row, channel, item))


def lowering(x: Array, x1: Array, geometry: Geometry) -> Copies:
    """Return the copies that write x1[h, j, c, ow, n] = x_padded[h, c, S*ow + j - P, n].

    Args:
        x: The image, ``(H, C, W, N)``.
        x1: The lowered image, ``(H + 2P, F, C, OW, N)``; its padding must be zero and is not written.
        geometry: The sizes of the convolution.
    """
    inside = x1[geometry.P : geometry.P + geometry.H]
    return [(inside[:, j, :, ow], x[:, :, w]) for j, (ow, w) in enumerate(geometry.columns)]


def clear_padding(x1: Array, geometry: Geometry) -> None:
    """Write zeros to the entries that ``lowering`` does not write."""
    x1[: geometry.P] = 0
    x1[geometry.P + geometry.H :] = 0
    for j, (ow, _) in enumerate(geometry.columns):
        x1[:, j, :, : ow.start] = 0
        x1[:, j, :, ow.stop :] = 0


def raising(shares: Array, delta: Array, geometry: Geometry) -> Copies:
    """Return the additions of the contributions to each column of delta: the adjoint of ``lowering`` (col2im).

    Args:
        shares: The contributions, ``(rows, F, C, OW, N)``.
        delta: The sums, ``(rows, C, W, N)``; must hold the contributions of the center column, or 0 if there is none.
        geometry: The sizes of the convolution.
    """
    return [(delta[:, :, w], shares[:, j, :, ow]) for j, (ow, w) in enumerate(geometry.columns) if j != geometry.center]


@dataclass(frozen=True, slots=True)
class RowProduct:
    """A product of the flipped kernel with rows of delta: the contributions to image rows S apart."""

    residue: int
    """Its kernel rows are those with this residue mod S."""
    columns: slice
    """Its columns of the flipped kernel."""
    rows: Array
    """The rows of delta, as overlapping matrices, in pieces."""
    shares: Array
    """The contributions, in pieces."""


def row_products(delta: Array, spread: Array, geometry: Geometry) -> list[RowProduct]:
    """Return the products of the flipped kernel with delta.

    Args:
        delta: dJ/dz, ``(OH, K, OW*N)``.
        spread: The contributions, ``(H, F, C, OW, N)``.
        geometry: The sizes of the convolution.
    """
    H, F, C, OW, N = spread.shape
    S, K = geometry.S, geometry.K
    row, _, item = delta.strides
    shares = spread.reshape(H, F * C, OW * N)
    width = best_width(F * C, F * K, OW * N)
    products = []
    for group in geometry.row_groups:
        residue = group.kernel_row % S
        first = (len(range(residue, F, S)) - 1 - group.kernel_row // S) * K
        rows = strided(delta[group.low :], (group.count, group.m * K, OW * N), (row, row // K, item))
        reached = shares[group.h : group.h + S * group.count : S]
        columns = slice(first, first + group.m * K)
        products.append(RowProduct(residue, columns, pieces(rows, width), pieces(reached, width)))
    return products


def flip_rows(W: Array, residue: int, S: int) -> Array:
    """Return the kernel rows i = residue (mod S), in reverse, as ``(F*C, m*K)``: columns, channels x rows, filters."""
    F, _, C, K = W.shape
    rows = W[residue::S][::-1]
    return rows.transpose(1, 2, 0, 3).reshape(F * C, len(rows) * K)
