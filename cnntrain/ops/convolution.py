"""Convolution as one matrix product over overlapping rows.

Images are ``(H, C, W, N)``: rows first, samples last. ``lower`` copies the input F times, each time shifted by one
column. F neighbouring rows of that copy are then one contiguous ``(F*F*C, OW*N)`` matrix, and ``row_blocks`` views the
rows of the output as such overlapping matrices without copying anything more. Kernels are ``(F, F, C, K)``: row,
column, channel, filter.

Every function writes into arrays that its caller owns, so that nothing is allocated from one batch to the next.

Reference: Cho & Brand 2017, "MEC: memory-efficient convolution for deep neural network", arXiv:1706.06873.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnntrain.types import Array


@dataclass(frozen=True)
class Geometry:
    """A convolution's sizes: image H x W of C channels, K filters of F x F, padding P, stride S."""

    H: int
    C: int
    W: int
    K: int
    F: int
    P: int
    S: int

    @cached_property
    def OH(self) -> int:
        """Rows of the output."""
        return (self.H + 2 * self.P - self.F) // self.S + 1

    @cached_property
    def OW(self) -> int:
        """Columns of the output."""
        return (self.W + 2 * self.P - self.F) // self.S + 1

    @cached_property
    def columns(self) -> list[tuple[slice, slice]]:
        """For each kernel column j, the output columns whose pixel S*ow + j - P lies in the image, and those pixels."""
        pairs = []
        for j in range(self.F):
            first = max(0, -((j - self.P) // self.S))
            last = min(self.OW - 1, (self.W - 1 + self.P - j) // self.S)
            if first > last:  # this column of the kernel only ever sees padding
                pairs.append((slice(0, 0), slice(0, 0)))
                continue
            left, right = self.S * first + j - self.P, self.S * last + j - self.P
            pairs.append((slice(first, last + 1), slice(left, right + 1, self.S)))
        return pairs

    @cached_property
    def row_groups(self) -> list["RowGroup"]:
        """The image's rows, grouped by the kernel rows through which delta reaches them."""
        groups: list[RowGroup] = []
        for residue in range(self.S):
            for h in range((residue - self.P) % self.S, self.H, self.S):
                low = max(0, -((self.F - 1 - h - self.P) // self.S))
                high = min(self.OH - 1, (h + self.P) // self.S)
                if low > high:  # a row that no kernel reads
                    continue
                kernel_row = h + self.P - self.S * low
                last = groups[-1] if groups else None
                if (
                    last
                    and (last.h + self.S * last.count, last.low + last.count) == (h, low)
                    and (
                        last.kernel_row,
                        last.m,
                    )
                    == (kernel_row, high - low + 1)
                ):
                    groups[-1] = RowGroup(last.h, last.count + 1, last.low, last.m, kernel_row)
                else:
                    groups.append(RowGroup(h, 1, low, high - low + 1, kernel_row))
        return groups


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Image rows h, h + S, ... (``count`` of them), reached by m output rows from ``low`` on, one further each time.

    Output row ``low`` reaches them through row ``kernel_row`` of the kernel, each next one through the row S above.
    """

    h: int
    count: int
    low: int
    m: int
    kernel_row: int


def row_blocks(x1: Array, geometry: Geometry) -> Array:
    """View a lowered image as ``(OH, F*F*C, OW*N)``: block oh is its rows S*oh .. S*oh + F - 1."""
    _, F, C, OW, N = x1.shape
    row, _, channel, _, item = x1.strides
    return as_strided(x1, (geometry.OH, F * F * C, OW * N), (geometry.S * row, channel, item), writeable=False)


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


def convolve(blocks: Array, W: Array, z: Array) -> None:
    """Write z = W * a (cross-correlation): z[oh] = W (K, F*F*C) @ blocks[oh] (F*F*C, OW*N).

    Args:
        blocks: The lowered input, ``(OH, F*F*C, OW*N)``.
        W: ``(F, F, C, K)``.
        z: ``(OH, K, OW*N)``.
    """
    np.matmul(W.reshape(-1, W.shape[-1]).T, blocks, out=z)


def kernel_gradient(blocks: Array, delta: Array, products: Array, dW: Array) -> None:
    """Write dW[i, j, c, k] = sum over pixels and samples of delta times the input under it; no flip.

    Args:
        blocks: The lowered input, ``(OH, F*F*C, OW*N)``.
        delta: ``(OH, K, OW*N)``.
        products: Scratch, ``(OH, F*F*C, K)``.
        dW: ``(F, F, C, K)``.
    """
    np.matmul(blocks, delta.transpose(0, 2, 1), out=products)
    np.add.reduce(products, axis=0, out=dW.reshape(products.shape[1:]))


def delta_through(delta: Array, W: Array, spread: Array, delta_prev: Array, geometry: Geometry) -> None:
    """Write delta_prev = delta * rot180(W), without ever padding delta.

    Row h of the image is reached by at most F rows of delta, which lie side by side: one product of the flipped kernel
    with them gives every column's share, and F additions move the shares to their columns (the adjoint of ``lower``).

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
    flipped = [flip_rows(W, residue, S) for residue in range(min(S, F))]
    for group in geometry.row_groups:
        kernels = flipped[group.kernel_row % S]
        first = (kernels.shape[1] // K - 1 - group.kernel_row // S) * K
        rows = as_strided(
            delta[group.low :], (group.count, group.m * K, OW * N), (row, row // K, item), writeable=False
        )
        np.matmul(kernels[:, first : first + group.m * K], rows, out=shares[group.h : group.h + S * group.count : S])
    delta_prev.fill(0)
    for j, (ow, w) in enumerate(geometry.columns):
        delta_prev[:, :, w] += spread[:, j, :, ow]


def flip_rows(W: Array, residue: int, S: int) -> Array:
    """The kernel's rows i = residue (mod S), last one first, as ``(F*C, m*K)``: columns, channels by rows, filters."""
    F, _, C, K = W.shape
    rows = W[residue::S][::-1]
    return rows.transpose(1, 2, 0, 3).reshape(F * C, len(rows) * K)
