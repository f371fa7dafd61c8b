"""Convolution as one matrix product over overlapping rows.

Images are ``(H, C, W, N)``: rows first, samples last. ``lower`` copies the input F times, each time shifted by one
column. F neighboring rows of that copy are then one contiguous ``(F*F*C, OW*N)`` matrix, and ``row_blocks`` views the
rows of the output as such overlapping matrices without copying anything more. Kernels are ``(F, F, C, K)``: row,
column, channel, filter.

Reference: Cho & Brand 2017, "MEC: memory-efficient convolution for deep neural network", arXiv:1706.06873.
"""

from abc import abstractmethod
from functools import cached_property, partial
from typing import final

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.ops.geometry import Geometry
from cnntrain.ops.matmul import best_width, pieces, strided
from cnntrain.ops.workspace import Workspaces, workspace
from cnntrain.types import Array, Shape


class Convolution(Workspaces):
    """One way to compute a convolution forward and back, with all the memory that it needs for n samples.

    Shape:
        x ``(H, C, W, n)`` -> z ``(OH, K, OW, n)``; W ``(F, F, C, K)``.
    """

    def __init__(self, geometry: Geometry, n: int, dtype: DTypeLike):
        super().__init__(n, dtype)
        self.geometry = geometry
        self.is_padded = False
        """Whether the padding in the lowered image is zero; nothing is written there but by slices of another size."""

    @workspace
    def z(self) -> Shape:
        """What ``forward`` returns."""
        g = self.geometry
        return g.OH, g.K, g.OW, self.n

    @partial(workspace, use="delta")
    def delta_prev(self) -> Shape:
        """What ``backward`` returns."""
        g = self.geometry
        return g.H, g.C, g.W, self.n

    def reclaim(self) -> None:
        self.is_padded = False

    @abstractmethod
    def forward(self, x: Array, W: Array) -> Array:
        """Return z = W * a (cross-correlation)."""

    @abstractmethod
    def backward(self, delta: Array, W: Array, dW: Array, want_delta: bool) -> Array | None:
        """Write dW = a * delta (no flip) and return delta_prev = delta * rot180(W), if it is wanted."""


@final
class DirectConvolution(Convolution):
    """Every multiplication of the definition, and no other, in three matrix products.

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
        """One product an output row, to be summed to dW."""
        g = self.geometry
        return g.OH, g.F * g.F * g.C, g.K

    @partial(workspace, use="delta")
    def spread(self) -> Shape:
        """Shares of delta_prev before they are moved to their columns."""
        g = self.geometry
        return g.H, g.F, g.C, g.OW, self.n

    @cached_property
    def width(self) -> int:
        """Columns of the pieces of the products in the forward pass."""
        g = self.geometry
        return best_width(g.K, g.F * g.F * g.C, g.OW * self.n)

    @cached_property
    def blocks(self) -> Array:
        """The lowered image, see ``row_blocks``."""
        return row_blocks(self.x1, self.geometry)

    @cached_property
    def block_pieces(self) -> Array:
        """``blocks``, in pieces."""
        return pieces(self.blocks, self.width)

    @cached_property
    def z_pieces(self) -> Array:
        """``z``, in pieces."""
        return pieces(self.z.reshape(len(self.z), self.geometry.K, -1), self.width)

    def forward(self, x: Array, W: Array) -> Array:
        if not self.is_padded:
            empty_padding(self.x1, self.geometry)
            self.is_padded = True
        lower(x, self.x1, self.geometry)
        np.matmul(W.reshape(-1, W.shape[-1]).T, self.block_pieces, out=self.z_pieces)
        return self.z

    def backward(self, delta: Array, W: Array, dW: Array, want_delta: bool) -> Array | None:
        g = self.geometry
        rows = delta.reshape(g.OH, g.K, -1)
        np.matmul(self.blocks, rows.transpose(0, 2, 1), out=self.products)
        np.add.reduce(self.products, axis=0, out=dW.reshape(self.products.shape[1:]))
        if not want_delta:
            return None
        delta_through(rows, W, self.spread, self.delta_prev, g)
        return self.delta_prev


def row_blocks(x1: Array, geometry: Geometry) -> Array:
    """View a lowered image as ``(OH, F*F*C, OW*N)``: block oh is its rows S*oh .. S*oh + F - 1."""
    _, F, C, OW, N = x1.shape
    row, _, channel, _, item = x1.strides
    return strided(x1, (geometry.OH, F * F * C, OW * N), (geometry.S * row, channel, item))


def lower(x: Array, x1: Array, geometry: Geometry) -> None:
    """Write x1[h, j, c, ow, n] = x_padded[h, c, S*ow + j, n].

    Args:
        x: ``(H, C, W, N)``.
        x1: ``(H + 2P, F, C, OW, N)``; the padding in it must be zero and is left alone.
        geometry: The convolution's sizes.
    """
    inside = x1[geometry.P : geometry.P + geometry.H]
    for j, (ow, w) in enumerate(geometry.columns):
        inside[:, j, :, ow] = x[:, :, w]


def empty_padding(x1: Array, geometry: Geometry) -> None:
    """Write zeros where ``lower`` writes nothing."""
    x1[: geometry.P] = 0
    x1[geometry.P + geometry.H :] = 0
    for j, (ow, _) in enumerate(geometry.columns):
        x1[:, j, :, : ow.start] = 0
        x1[:, j, :, ow.stop :] = 0


def raise_columns(shares: Array, delta: Array, geometry: Geometry) -> None:
    """Write delta[h, c, w] = the sum of the shares whose column w is: the adjoint of ``lower``.

    Args:
        shares: ``(rows, F, C, OW, N)``.
        delta: ``(rows, C, W, N)``; may be the shares of the middle column, if there is one.
        geometry: The convolution's sizes.
    """
    center = geometry.center
    if center is None:
        delta.fill(0)
    elif delta.ctypes.data != shares[:, center].ctypes.data:
        np.copyto(delta, shares[:, center])
    for j, (ow, w) in enumerate(geometry.columns):
        if j != center:
            part = delta[:, :, w]
            np.add(part, shares[:, j, :, ow], out=part)


def delta_through(delta: Array, W: Array, spread: Array, delta_prev: Array, geometry: Geometry) -> None:
    """Write delta_prev = delta * rot180(W), without ever padding delta.

    Row h of the image is reached by at most F rows of delta, which lie side by side: one product of the flipped kernel
    with them gives every column's share, and F additions move the shares to their columns.

    Args:
        delta: ``(OH, K, OW*N)``.
        W: ``(F, F, C, K)``.
        spread: Scratch, ``(H, F, C, OW, N)``.
        delta_prev: ``(H, C, W, N)``.
        geometry: The convolution's sizes.
    """
    H, F, C, OW, N = spread.shape
    S, K = geometry.S, geometry.K
    row, _, item = delta.strides
    shares = spread.reshape(H, F * C, OW * N)
    width = best_width(F * C, F * K, OW * N)
    flipped = [flip_rows(W, residue, S) for residue in range(min(S, F))]
    for group in geometry.row_groups:
        kernels = flipped[group.kernel_row % S]
        first = (kernels.shape[1] // K - 1 - group.kernel_row // S) * K
        rows = strided(delta[group.low :], (group.count, group.m * K, OW * N), (row, row // K, item))
        reached = shares[group.h : group.h + S * group.count : S]
        np.matmul(kernels[:, first : first + group.m * K], pieces(rows, width), out=pieces(reached, width))
    for h in geometry.unread_rows:
        spread[h].fill(0)
    raise_columns(spread, delta_prev, geometry)


def flip_rows(W: Array, residue: int, S: int) -> Array:
    """The kernel's rows i = residue (mod S), last one first, as ``(F*C, m*K)``: columns, channels by rows, filters."""
    F, _, C, K = W.shape
    rows = W[residue::S][::-1]
    return rows.transpose(1, 2, 0, 3).reshape(F * C, len(rows) * K)
