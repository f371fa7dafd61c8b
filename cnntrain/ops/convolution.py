"""Convolution as one matrix product over overlapping rows.

Images are ``(H, C, W, N)``: rows first, samples last. ``lower`` copies the input F times, each time shifted by one
column. F neighbouring rows of that copy are then one contiguous ``(F*F*C, OW*N)`` matrix, and ``row_blocks`` views the
rows of the output as such overlapping matrices without copying anything more. Kernels are ``(F, F, C, K)``: row,
column, channel, filter.

Reference: Cho & Brand 2017, "MEC: memory-efficient convolution for deep neural network", arXiv:1706.06873.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.ops.geometry import Geometry
from cnntrain.ops.products import best_width, pieces, strided
from cnntrain.types import Array


class Convolution(ABC):
    """One way to compute a convolution forward and back, with all the memory that it needs for n samples.

    Shape:
        x ``(H, C, W, n)`` -> z ``(OH, K, OW, n)``; W ``(F, F, C, K)``.
    """

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

    def __init__(self, geometry: Geometry, n: int, dtype: DTypeLike):
        g = self.geometry = geometry
        self.n = n
        self.x1 = np.zeros((g.H + 2 * g.P, g.F, g.C, g.OW, n), dtype)  # the padding in it stays zero
        self.blocks = row_blocks(self.x1, g)
        self.z = np.empty((g.OH, g.K, g.OW, n), dtype)
        width = best_width(g.K, g.F * g.F * g.C, g.OW * n)
        self.block_pieces = pieces(self.blocks, width)
        self.z_pieces = pieces(self.z.reshape(g.OH, g.K, -1), width)

    @cached_property
    def products(self) -> Array:
        """One product an output row, to be summed to dW."""
        g = self.geometry
        return np.empty((g.OH, g.F * g.F * g.C, g.K), self.z.dtype)

    @cached_property
    def spread(self) -> Array:
        """Shares of delta_prev before they are moved to their columns; rows that no kernel reads stay zero."""
        g = self.geometry
        return np.zeros((g.H, g.F, g.C, g.OW, self.n), self.z.dtype)

    @cached_property
    def delta_prev(self) -> Array:
        """What ``backward`` returns."""
        g = self.geometry
        return np.empty((g.H, g.C, g.W, self.n), self.z.dtype)

    def forward(self, x: Array, W: Array) -> Array:
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
        spread: Scratch, ``(H, F, C, OW, N)``; the rows that no kernel reads must be zero and are left alone.
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
    raise_columns(spread, delta_prev, geometry)


def flip_rows(W: Array, residue: int, S: int) -> Array:
    """The kernel's rows i = residue (mod S), last one first, as ``(F*C, m*K)``: columns, channels by rows, filters."""
    F, _, C, K = W.shape
    rows = W[residue::S][::-1]
    return rows.transpose(1, 2, 0, 3).reshape(F * C, len(rows) * K)
