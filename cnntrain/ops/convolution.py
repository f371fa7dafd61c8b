"""Convolution as one matrix product over overlapping rows.

Images are ``(H, C, W, N)``: rows first, samples last. ``lowering`` copies the input F times, each time shifted by one
column (im2col along the width only). F neighboring rows of that copy are then one contiguous ``(F*F*C, OW*N)`` matrix;
``row_blocks`` views them as overlapping matrices, one for each output row, without another copy. Kernels are
``(F, F, C, K)``: row, column, channel, filter.

The columns of a wide image lie in memory by phase (``cnntrain.ops.phases``), so there is one such matrix for each of
the OQ phases of the output, with OV = OW / OQ columns.

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
from cnntrain.ops.phases import moves
from cnntrain.ops.workspace import ViewsOf, Workspaces, workspace
from cnntrain.types import Array, Shape

Copies = list[tuple[Array, Array]]
"""Pairs of views: where something is copied or added to, and what."""


class Convolution(Workspaces):
    """An algorithm for the forward and backward pass of a convolution, with its memory for n samples.

    Shape:
        x ``(H, C, W, n)`` -> z ``(OH, K, OW, n)``, both with their columns by phase; W ``(F, F, C, K)``.
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
        return g.OH * g.OQ, g.K, g.OV, self.n

    @partial(workspace, use="delta")
    def delta_prev(self) -> Shape:
        """The output of ``backward``."""
        H, Q, C, V = self.geometry.image
        return H * Q, C, V, self.n

    def of_image(self, x: Array) -> Array:
        """View an image in memory as ``(H, Q, C, W / Q, n)``."""
        return x.reshape(*self.geometry.image, self.n)

    def reclaim(self) -> None:
        self.is_padded = False

    @abstractmethod
    def forward(self, x: Array, W: Array) -> Array:
        """Return z = W * a (cross-correlation)."""

    def infer(self, x: Array, W: Array) -> Array:
        """Return the result of ``forward``, without keeping anything for a backward pass."""
        return self.forward(x, W)

    def transformed(self, W: Array) -> Array:
        """Return W as ``infer_transformed`` takes it: in memory of its own if it differs."""
        return W

    @property
    def transformed_bytes(self) -> int:
        """The bytes of this memory."""
        return 0

    def infer_transformed(self, x: Array, kernels: Array) -> Array:
        """Return the result of ``infer`` for kernels that are ``transformed``."""
        return self.infer(x, kernels)

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

    each for every phase of the output's columns.
    """

    @workspace
    def x1(self) -> Shape:
        """The lowered image."""
        g = self.geometry
        return g.OQ, g.H + 2 * g.P, g.F, g.C, g.OV, self.n

    @partial(workspace, use="training")
    def products(self) -> Shape:
        """One product per output row and phase; their sum is dW."""
        g = self.geometry
        return g.OQ, g.OH, g.F * g.F * g.C, g.K

    @partial(workspace, use="delta")
    def delta_phases(self) -> Shape:
        """A copy of delta, phases first, if there are several: neighboring rows of a phase must be contiguous."""
        g = self.geometry
        return g.OQ if g.OQ > 1 else 0, g.OH, g.K, g.OV * self.n

    @partial(workspace, use="delta")
    def spread(self) -> Shape:
        """Contributions to delta_prev before they are added to its columns."""
        g = self.geometry
        return g.OQ, g.H, g.F, g.C, g.OV, self.n

    def __init__(self, geometry: Geometry, n: int, dtype: DTypeLike):
        super().__init__(geometry, n, dtype)
        self.lowering = ViewsOf(lambda x: lowering(self.of_image(x), self.x1, geometry))
        self.back = ViewsOf(self.backward_views)

    @cached_property
    def blocks(self) -> Array:
        """The lowered image as overlapping matrices; see ``row_blocks``."""
        return row_blocks(self.x1, self.geometry)

    @cached_property
    def forward_pieces(self) -> tuple[Array, Array]:
        """``blocks`` and ``z``, in pieces of the width at which the forward product is fastest."""
        g = self.geometry
        width = best_width(g.K, g.F * g.F * g.C, g.OV * self.n)
        z = self.z.reshape(g.OH, g.OQ, g.K, -1).swapaxes(0, 1)
        return pieces(self.blocks, width), pieces(z, width)

    def backward_views(self, delta: Array) -> tuple[Array, Array, list["RowProduct"]]:
        """Return delta by phase, as the right factor of dW, and the products for delta_prev."""
        g = self.geometry
        rows = delta.reshape(g.OH, g.OQ, g.K, -1).swapaxes(0, 1)
        contiguous = rows if g.OQ == 1 else self.delta_phases
        return rows, rows.swapaxes(-1, -2), row_products(contiguous, self.spread, g)

    @cached_property
    def raising(self) -> tuple[Array, Copies]:
        """The columns that every output has, and the additions to delta_prev; see ``raising``."""
        g = self.geometry
        shares = self.spread.swapaxes(0, 1)
        return shares[:, :, g.center or 0], raising(shares, self.of_image(self.delta_prev), g)

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
        rows, right, products = self.back(delta)
        np.matmul(self.blocks, right, out=self.products)
        of_phases = self.products.reshape(-1, *self.products.shape[2:])
        np.add.reduce(of_phases, axis=0, out=dW.reshape(of_phases.shape[1:]))
        if not want_delta:
            return None
        if len(self.delta_phases):
            np.copyto(self.delta_phases, rows)
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
            self.spread[:, h].fill(0)
        center, additions = self.raising
        if g.center is None:
            self.delta_prev.fill(0)
        else:
            self.of_image(self.delta_prev)[...] = center
        for column, share in additions:
            np.add(column, share, out=column)


def row_blocks(x1: Array, geometry: Geometry) -> Array:
    """View a lowered image as ``(OQ, OH, F*F*C, OV*N)``: block oh is its rows S*oh .. S*oh + F - 1."""
    OQ, _, F, C, OV, N = x1.shape
    phase, row, _, channel, _, item = x1.strides
    return strided(x1, (OQ, geometry.OH, F * F * C, OV * N), (phase, geometry.S * row, channel, item))


def lowering(x: Array, x1: Array, geometry: Geometry) -> Copies:
    """Return the copies that write x1[h, j, c, ow, n] = x_padded[h, c, S*ow + j - P, n].

    Args:
        x: The image, ``(H, Q, C, W / Q, N)``.
        x1: The lowered image, ``(OQ, H + 2P, F, C, OV, N)``; its padding must be zero and is not written.
        geometry: The sizes of the convolution.
    """
    inside = x1[:, geometry.P : geometry.P + geometry.H]
    return [(inside[m.q, :, j, :, m.windows], x[:, m.phase, :, m.pixels]) for j, m in geometry.moves]


def clear_padding(x1: Array, geometry: Geometry) -> None:
    """Write zeros to the entries that ``lowering`` does not write."""
    x1[:, : geometry.P] = 0
    x1[:, geometry.P + geometry.H :] = 0
    clear_columns(x1.swapaxes(0, 1), geometry)


def clear_columns(x1: Array, geometry: Geometry) -> None:
    """Write zeros to the columns of ``(rows, OQ, F, C, OV, N)`` outside the image."""
    outside = [(slice(0, windows.start), slice(windows.stop, geometry.OW)) for windows, _ in geometry.columns]
    for j, sides in enumerate(outside):
        for side in sides:
            for m in moves(side, side, geometry.OQ, geometry.OQ):
                x1[:, m.q, j, :, m.windows] = 0


def raising(shares: Array, delta: Array, geometry: Geometry) -> Copies:
    """Return the additions of the contributions to each column of delta: the adjoint of ``lowering`` (col2im).

    Args:
        shares: The contributions, ``(rows, OQ, F, C, OV, N)``.
        delta: The sums, ``(rows, Q, C, W / Q, N)``; must hold the contributions of the center column, or 0 if there is
            none.
        geometry: The sizes of the convolution.
    """
    others = [(j, m) for j, m in geometry.moves if j != geometry.center]
    return [(delta[:, m.phase, :, m.pixels], shares[:, m.q, j, :, m.windows]) for j, m in others]


@dataclass(frozen=True, slots=True)
class RowProduct:
    """A product of the flipped kernel with rows of delta: the contributions to image rows S apart, from one phase."""

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
        delta: dJ/dz, ``(OQ, OH, K, OV*N)``.
        spread: The contributions, ``(OQ, H, F, C, OV, N)``.
        geometry: The sizes of the convolution.
    """
    _, H, F, C, OV, N = spread.shape
    S, K = geometry.S, geometry.K
    width = best_width(F * C, F * K, OV * N)
    products = []
    for of_phase, shares in zip(delta, spread.reshape(-1, H, F * C, OV * N), strict=True):
        row, _, item = of_phase.strides
        for group in geometry.row_groups:
            residue = group.kernel_row % S
            first = (len(range(residue, F, S)) - 1 - group.kernel_row // S) * K
            rows = strided(of_phase[group.low :], (group.count, group.m * K, OV * N), (row, row // K, item))
            reached = shares[group.h : group.h + S * group.count : S]
            columns = slice(first, first + group.m * K)
            products.append(RowProduct(residue, columns, pieces(rows, width), pieces(reached, width)))
    return products


def flip_rows(W: Array, residue: int, S: int) -> Array:
    """Return the kernel rows i = residue (mod S), in reverse, as ``(F*C, m*K)``: columns, channels x rows, filters."""
    F, _, C, K = W.shape
    rows = W[residue::S][::-1]
    return rows.transpose(1, 2, 0, 3).reshape(F * C, len(rows) * K)
