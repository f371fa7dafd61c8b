"""Convolution as one matrix product over overlapping rows.

Images are ``(H, C, W, N)``: rows first, samples last. ``lower`` copies the input F times, each time shifted by one
column (im2col along the width only). F neighboring rows of that copy are then one contiguous ``(F*F*C, OW*N)`` matrix;
``row_blocks`` views them as overlapping matrices, one for each output row, without another copy. Kernels are
``(F, F, C, K)``: row, column, channel, filter.

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

    @cached_property
    def width(self) -> int:
        """Number of columns of the pieces of the forward product."""
        g = self.geometry
        return best_width(g.K, g.F * g.F * g.C, g.OW * self.n)

    @cached_property
    def blocks(self) -> Array:
        """The lowered image as overlapping matrices; see ``row_blocks``."""
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
            clear_padding(self.x1, self.geometry)
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
        x: The image, ``(H, C, W, N)``.
        x1: The lowered image, ``(H + 2P, F, C, OW, N)``; its padding must be zero and is not written.
        geometry: The sizes of the convolution.
    """
    inside = x1[geometry.P : geometry.P + geometry.H]
    for j, (ow, w) in enumerate(geometry.columns):
        inside[:, j, :, ow] = x[:, :, w]


def clear_padding(x1: Array, geometry: Geometry) -> None:
    """Write zeros to the entries that ``lower`` does not write."""
    x1[: geometry.P] = 0
    x1[geometry.P + geometry.H :] = 0
    for j, (ow, _) in enumerate(geometry.columns):
        x1[:, j, :, : ow.start] = 0
        x1[:, j, :, ow.stop :] = 0


def raise_columns(shares: Array, delta: Array, geometry: Geometry) -> None:
    """Write delta[h, c, w], the sum of all contributions to column w: the adjoint of ``lower`` (col2im).

    Args:
        shares: The contributions, ``(rows, F, C, OW, N)``.
        delta: The sums, ``(rows, C, W, N)``; may be the contributions of the center column, if there is one.
        geometry: The sizes of the convolution.
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
    """Write delta_prev = delta * rot180(W), without padding delta.

    At most F rows of delta, contiguous in memory, contribute to row h of the image: one product of the flipped kernel
    with them gives the contributions to every column, and F additions add these to their columns.

    Args:
        delta: dJ/dz, ``(OH, K, OW*N)``.
        W: The kernels, ``(F, F, C, K)``.
        spread: Scratch, ``(H, F, C, OW, N)``.
        delta_prev: The output, ``(H, C, W, N)``.
        geometry: The sizes of the convolution.
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
    """Return the kernel rows i = residue (mod S), in reverse, as ``(F*C, m*K)``: columns, channels x rows, filters."""
    F, _, C, K = W.shape
    rows = W[residue::S][::-1]
    return rows.transpose(1, 2, 0, 3).reshape(F * C, len(rows) * K)
