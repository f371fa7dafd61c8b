"""Convolution with Winograd's minimal filtering along the height and the width, for square kernels with stride 1.

A tile of 4 x 4 outputs depends on (4 + F - 1)² pixels. For 3 x 3 kernels it takes 36 multiplications instead of 144,
for 5 x 5 kernels 64 instead of 400:

    z = A^T [ (G W G^T) ⊙ (B^T x B) ] A

For each of the 36 or 64 points, ⊙ is a matrix product: filters x channels times channels x tiles. The tiles of 4 output
rows are computed together, and each transform is one matrix product along the height and one along the width. Column s
of all tiles is phase s of an image that is stored in 4 phases (``cnntrain.ops.phases``): such images are transformed
where they are, others are copied. The backward pass is the adjoint of each step.

Reference: Lavin & Gray 2015, "Fast algorithms for convolutional neural networks", arXiv:1509.09308.
"""

from collections.abc import Sequence
from functools import cached_property, partial
from typing import final

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.ops.convolution import Copies
from cnntrain.ops.geometry import Geometry, columns, moves_of
from cnntrain.ops.matmul import best_width, pieces, times_transposed
from cnntrain.ops.winograd import ROWS, Winograd
from cnntrain.ops.workspace import ViewsOf, workspace
from cnntrain.types import Array, Shape

MIN_CHANNELS = 12
"""Minimum number of channels, and of filters, for which it is faster than filtering along the height only.

This and the next constants hold for OpenBLAS's AVX-512 and AVX2 kernels, on Zen 4.
"""
MIN_CHANNELS_COPIED = {3: 64, 5: 32}
"""The same for each F, if the columns of the tiles are not phases of the image and the output."""
MIN_COLUMNS_COPIED = 8
"""Minimum number of output columns, likewise."""


def pays(geometry: Geometry) -> bool:
    """Return whether this algorithm is the fastest, if Winograd's algorithm pays off at all."""
    g, channels = geometry, min(geometry.C, geometry.K)
    if g.Q == g.OQ == ROWS:
        return channels >= MIN_CHANNELS
    fits = g.F == 5 or g.OW % ROWS == g.OH % ROWS == 0  # tiles that reach beyond the output cost what they save
    return fits and channels >= MIN_CHANNELS_COPIED[g.F] and g.OW >= MIN_COLUMNS_COPIED


@final
class Winograd2D(Winograd):
    """Winograd's algorithm along both axes, in tiles of 4 x 4 outputs."""

    def __init__(self, geometry: Geometry, n: int, dtype: DTypeLike):
        super().__init__(geometry, n, dtype)
        g = geometry
        self.across = -(-g.OW // ROWS)
        """Tiles along the width."""
        self.moves = list(moves_of(columns(g.W, self.across, self.tile, g.P, ROWS), 1, g.Q))
        """For each column of a tile, the tiles in which it lies in the image, and its pixels."""
        self.stores = list(moves_of(columns(g.OW, self.across, ROWS, 0, ROWS), 1, g.OQ))
        """For each column of the outputs of a tile, the tiles that have it, and its place in z."""
        self.reads_phases = g.Q == ROWS and ROWS * self.across == g.W and self.tile >= g.P + ROWS
        """Whether columns P .. P + 3 of the tiles are the phases of the image."""
        self.writes_phases = g.OQ == ROWS
        """Whether the columns of a tile's outputs are the phases of z."""
        self.z_copies, self.delta_copies = ViewsOf(self.copies_of), ViewsOf(self.copies_of)

    @workspace
    def v(self) -> Shape:
        """B^T x of a row of tiles, if it is not written into ``x1``."""
        _, Q, C, V = self.geometry.image
        return 0 if self.reads_phases else self.tile, Q, C, V, self.n

    @workspace
    def x1(self) -> Shape:
        """B^T x of a row of tiles, by columns of the tiles."""
        return self.tile, self.tile, self.geometry.C, self.across, self.n

    @workspace
    def V(self) -> Shape:
        """B^T x B of each row of tiles."""
        return self.tiles, self.tile, self.tile, self.geometry.C, self.across * self.n

    @workspace
    def U(self) -> Shape:
        """G W G^T."""
        g = self.geometry
        return self.tile, self.tile, g.C, g.K

    @workspace
    def U_T(self) -> Shape:
        """The transposed matrices of ``U``."""
        g = self.geometry
        return self.tile, self.tile, g.K, g.C

    @cached_property
    def by_rows(self) -> Array:
        """G W, between the two products of a transform; in the memory of ``U_T``, which is not in use then."""
        g = self.geometry
        return self.U_T.reshape(-1)[: self.tile * g.F * g.C * g.K].reshape(self.tile, -1)

    @workspace
    def M(self) -> Shape:
        """The products of a row of tiles."""
        return self.tile, self.tile, self.geometry.K, self.across * self.n

    @workspace
    def m1(self) -> Shape:
        """M A."""
        return self.tile, ROWS, self.geometry.K, self.across, self.n

    @workspace
    def y(self) -> Shape:
        """A^T M A: a row of tiles of z by their columns, if it is not written into z."""
        return 0 if self.writes_phases else ROWS, ROWS, self.geometry.K, self.across, self.n

    @partial(workspace, use="training")
    def products(self) -> Shape:
        """dU of each row of tiles."""
        return self.tiles, *self.U.shape

    @partial(workspace, use="delta")
    def dV(self) -> Shape:
        """The gradient with respect to V of a row of tiles."""
        return self.tile, self.tile, self.geometry.C, self.across * self.n

    @partial(workspace, use="delta")
    def dx1(self) -> Shape:
        """The gradient with respect to ``x1``."""
        return self.tile, self.tile, self.geometry.C, self.across, self.n

    @cached_property
    def dV_pieces(self) -> tuple[Array, Array]:
        """``M`` and ``dV``, in pieces of the width at which the product for dV is fastest."""
        width = best_width(self.geometry.C, self.geometry.K, self.across * self.n)
        return pieces(self.M, width), pieces(self.dV, width)

    @cached_property
    def dU_pieces(self) -> list[tuple[Array, Array, Array]]:
        """For each row of tiles ``V``, the transposed ``M`` and ``products``, in the best pieces."""
        return [times_transposed(V, self.M, dU) for V, dU in zip(self.V, self.products, strict=True)]

    @cached_property
    def M_pieces(self) -> Array:
        """``M``, in pieces of the width at which the forward product is fastest."""
        return pieces(self.M, best_width(self.geometry.K, self.geometry.C, self.across * self.n))

    @cached_property
    def V_pieces(self) -> Array:
        """``V``, in the same pieces."""
        return pieces(self.V, self.M_pieces.shape[-1])

    def own_columns(self, x1: Array) -> Array:
        """View the columns of ``x1`` that are the phases of the image as ``(tile, 4, C, tiles, n)``."""
        P = self.geometry.P
        return x1[:, P : P + ROWS]

    @cached_property
    def lowering(self) -> tuple[Array, Copies]:
        """Where B^T x is written, and the copies that write the other columns of ``x1``."""
        v = self.own_columns(self.x1) if self.reads_phases else self.v
        return self.in_parts(v), self.other_columns(self.x1, v)

    @cached_property
    def raising(self) -> tuple[Array, Copies]:
        """The gradient with respect to v, and the additions of the other columns of ``dx1``."""
        v = self.own_columns(self.dx1) if self.reads_phases else self.v
        return v, [(pixels, column) for column, pixels in self.other_columns(self.dx1, v)]

    def other_columns(self, x1: Array, v: Array) -> Copies:
        """Return pairs of columns of ``x1`` that are not in ``v``, and the columns of v that they are copies of."""
        P = self.geometry.P
        own = range(P, P + ROWS) if self.reads_phases else ()
        return [(x1[:, j, :, m.windows], v[:, m.phase, :, m.pixels]) for j, m in self.moves if j not in own]

    def copies_of(self, z: Array) -> list[Copies]:
        """Return for each row of tiles the pairs of columns of z, or of delta, and of ``y``."""
        g = self.geometry
        rows = z.reshape(g.OH, g.OQ, g.K, g.OV, self.n)
        tiles = [rows[ROWS * t : ROWS * t + ROWS] for t in range(self.tiles)]
        return [
            [(z[:, m.phase, :, m.pixels], self.y[: len(z), s, :, m.windows]) for s, m in self.stores] for z in tiles
        ]

    @property
    def transformed_bytes(self) -> int:
        return Winograd2D.U_T.nbytes(self)

    def compute(self, x: Array, U_T: Array, places: Sequence[int]) -> Array:
        if not self.is_padded:
            self.x1.fill(0)
            self.is_padded = True
        U_T, M, m1 = U_T[:, :, None], self.M.reshape(self.tile, self.tile, -1), self.m1
        for t, z in enumerate(self.tiles_of(self.z)):
            self.transform_image(x, t, self.V[places[t]])
            np.matmul(U_T, self.V_pieces[places[t]], out=self.M_pieces)
            np.matmul(self.A_T, M, out=m1.reshape(self.tile, ROWS, -1))
            A_T, m = self.A_T[: len(z)], m1.reshape(self.tile, -1)
            if self.writes_phases:
                np.matmul(A_T, m, out=z)
                continue
            np.matmul(A_T, m, out=self.y[: len(z)].reshape(len(z), -1))
            for column, part in self.z_copies(self.z)[t]:
                column[...] = part
        return self.z

    def transform_kernels(self, W: Array) -> Array:
        np.matmul(self.G, W.reshape(len(W), -1), out=self.by_rows)
        np.matmul(self.G, self.by_rows.reshape(self.tile, len(W), -1), out=self.U.reshape(self.tile, self.tile, -1))
        np.copyto(self.U_T, self.U.swapaxes(-1, -2))  # a copy makes the forward product faster than a view does
        return self.U_T

    def transform_image(self, x: Array, t: int, V: Array) -> None:
        """Write B^T x B of a row of tiles."""
        low, high, _ = self.spans[t]
        if low == high:  # nothing but padding
            V[...] = 0
            return
        v, copies = self.lowering
        self.transform(x, t, v)
        for target, pixels in copies:
            target[...] = pixels
        shape = self.tile, self.tile, -1
        np.matmul(self.B_T, self.x1.reshape(shape), out=V.reshape(shape))

    def backward(self, delta: Array, W: Array, dW: Array, want_delta: bool) -> Array | None:
        done = 0
        for t, dz in enumerate(self.tiles_of(delta)):
            self.transform_delta(delta, t, dz)
            np.matmul(*self.dU_pieces[t])
            if want_delta:
                done = self.transform_back(t, done)
        dU = np.add.reduce(self.products, axis=0, out=self.U).reshape(self.tile, self.tile, -1)
        np.matmul(self.G.T, dU, out=self.by_rows.reshape(self.tile, len(dW), -1))
        np.matmul(self.G.T, self.by_rows, out=dW.reshape(len(dW), -1))
        return self.delta_prev if want_delta else None

    def transform_delta(self, delta: Array, t: int, dz: Array) -> None:
        """Write dM = A dz A^T of a row of tiles into ``M``."""
        if not self.writes_phases:
            dy = self.y[: len(dz)]
            dy[:, :, :, -1] = 0  # the last tile may reach beyond the output
            for column, part in self.delta_copies(delta)[t]:
                part[...] = column
            dz = dy.reshape(len(dz), -1)
        A = self.A_T[: len(dz)].T
        np.matmul(A, dz, out=self.m1.reshape(self.tile, -1))
        np.matmul(self.A_T.T, self.m1.reshape(self.tile, ROWS, -1), out=self.M.reshape(self.tile, self.tile, -1))

    def transform_back(self, t: int, done: int) -> int:
        """Add the contribution of a row of tiles to delta_prev, whose first ``done`` rows are already written.

        Returns:
            The number of rows that are written now.
        """
        low, high, _ = self.spans[t]
        if low == high:
            return done
        M_pieces, shares = self.dV_pieces
        np.matmul(self.U[:, :, None], M_pieces, out=shares)
        shape = self.tile, self.tile, -1
        np.matmul(self.B_T.T, self.dV.reshape(shape), out=self.dx1.reshape(shape))
        dv, additions = self.raising
        if not self.reads_phases:
            dv.fill(0)
        for pixels, column in additions:
            np.add(pixels, column, out=pixels)
        return self.add_to_delta_prev(self.in_parts(dv), t, done)
