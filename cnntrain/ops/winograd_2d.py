"""Convolution with Winograd's minimal filtering along the height and the width, for 3 x 3 kernels with stride 1.

A tile of 4 x 4 outputs depends on 6 x 6 pixels and takes 36 multiplications instead of 144:

    z = A^T [ (G W G^T) ⊙ (B^T x B) ] A

For each of the 36 points, ⊙ is a matrix product: filters x channels times channels x tiles. The tiles of 4 output rows
are computed together: B^T along the height is one product with the image's rows, then the columns are copied to where
the tiles along the width want them, and B^T along the width is the next product. The backward pass is the adjoint of
each step.

Reference: Lavin & Gray 2015, "Fast algorithms for convolutional neural networks", arXiv:1509.09308.
"""

from collections.abc import Sequence
from functools import cached_property, partial
from typing import final

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.ops.geometry import Geometry, columns
from cnntrain.ops.matmul import best_width, pieces
from cnntrain.ops.winograd import ROWS, Winograd
from cnntrain.ops.workspace import workspace
from cnntrain.types import Array, Shape

MIN_CHANNELS = 32
"""Minimum number of channels, and of filters, for which it is faster than filtering along the height only."""


def pays(geometry: Geometry) -> bool:
    """Return whether this algorithm is the fastest, if Winograd's algorithm pays off at all."""
    g = geometry
    return g.F == 3 and min(g.C, g.K) >= MIN_CHANNELS and g.OW >= ROWS


@final
class Winograd2D(Winograd):
    """Winograd's algorithm along both axes, in tiles of 6 x 6 pixels and 4 x 4 outputs."""

    def __init__(self, geometry: Geometry, n: int, dtype: DTypeLike):
        super().__init__(geometry, n, dtype)
        self.across = -(-geometry.OW // ROWS)
        """Tiles along the width."""
        self.columns = columns(geometry.W, self.across, self.tile, geometry.P, ROWS)
        """For each column of a tile, the tiles in which it lies in the image, and its pixels."""

    @workspace
    def v(self) -> Shape:
        """B^T x of a row of tiles."""
        g = self.geometry
        return self.tile, g.C, g.W, self.n

    @workspace
    def x1(self) -> Shape:
        """``v``, by columns of the tiles."""
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
        """A^T M A: a row of tiles of z, by their columns."""
        return ROWS, ROWS, self.geometry.K, self.across, self.n

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
    def dV_pieces(self) -> Array:
        """``dV``, in pieces of the width at which the product for it is fastest."""
        return pieces(self.dV, best_width(self.geometry.C, self.geometry.K, self.across * self.n))

    @cached_property
    def dM_pieces(self) -> Array:
        """``M``, in the same pieces."""
        return pieces(self.M, self.dV_pieces.shape[-1])

    @cached_property
    def M_pieces(self) -> Array:
        """``M``, in pieces of the width at which the forward product is fastest."""
        return pieces(self.M, best_width(self.geometry.K, self.geometry.C, self.across * self.n))

    @cached_property
    def V_pieces(self) -> Array:
        """``V``, in the same pieces."""
        return pieces(self.V, self.M_pieces.shape[-1])

    def forward(self, x: Array, W: Array) -> Array:
        return self.compute(x, W, range(self.tiles))

    def infer(self, x: Array, W: Array) -> Array:
        return self.compute(x, W, [0] * self.tiles)  # one V for all: it stays in the processor's cache

    def compute(self, x: Array, W: Array, places: Sequence[int]) -> Array:
        """Return z.

        Args:
            x: The image.
            W: The kernels.
            places: For each row of tiles, the index in ``V`` where it is written.
        """
        self.transform_kernels(W)
        if not self.is_padded:
            self.x1.fill(0)
            self.is_padded = True
        for t in range(self.tiles):
            self.transform_image(x, t, self.V[places[t]])
            np.matmul(self.U_T[:, :, None], self.V_pieces[places[t]], out=self.M_pieces)
            np.matmul(self.A_T, self.M.reshape(self.tile, self.tile, -1), out=self.m1.reshape(self.tile, ROWS, -1))
            z = self.z[ROWS * t : ROWS * t + ROWS]
            A_T, y = self.A_T[: len(z)], self.y[: len(z)]
            np.matmul(A_T, self.m1.reshape(self.tile, -1), out=y.reshape(len(z), -1))
            for s in range(ROWS):
                of_column = z[:, :, s::ROWS]
                of_column[...] = y[:, s, :, : of_column.shape[2]]
        return self.z

    def transform_kernels(self, W: Array) -> None:
        """Write U and its copy, which makes the forward product faster than a transposed view does."""
        np.matmul(self.G, W.reshape(len(W), -1), out=self.by_rows)
        np.matmul(self.G, self.by_rows.reshape(self.tile, len(W), -1), out=self.U.reshape(self.tile, self.tile, -1))
        np.copyto(self.U_T, self.U.swapaxes(-1, -2))

    def transform_image(self, x: Array, t: int, V: Array) -> None:
        """Write B^T x B of a row of tiles."""
        low, high, _ = self.spans[t]
        if low == high:  # nothing but padding
            V[...] = 0
            return
        self.transform(x, t, self.v)
        for j, (tiles, w) in enumerate(self.columns):
            self.x1[:, j, :, tiles] = self.v[:, :, w]
        shape = self.tile, self.tile, -1
        np.matmul(self.B_T, self.x1.reshape(shape), out=V.reshape(shape))

    def backward(self, delta: Array, W: Array, dW: Array, want_delta: bool) -> Array | None:
        done = 0
        for t in range(self.tiles):
            self.transform_delta(delta[ROWS * t : ROWS * t + ROWS])
            np.matmul(self.V[t], self.M.swapaxes(-1, -2), out=self.products[t])
            if want_delta:
                done = self.transform_back(t, done)
        dU = np.add.reduce(self.products, axis=0, out=self.U).reshape(self.tile, self.tile, -1)
        np.matmul(self.G.T, dU, out=self.by_rows.reshape(self.tile, len(dW), -1))
        np.matmul(self.G.T, self.by_rows, out=dW.reshape(len(dW), -1))
        return self.delta_prev if want_delta else None

    def transform_delta(self, dz: Array) -> None:
        """Write dM = A dz A^T of a row of tiles into ``M``."""
        dy = self.y[: len(dz)]
        for s in range(ROWS):
            of_column = dz[:, :, s::ROWS]
            dy[:, s, :, : of_column.shape[2]] = of_column
            dy[:, s, :, of_column.shape[2] :] = 0
        A = self.A_T[: len(dz)].T
        np.matmul(A, dy.reshape(len(dz), -1), out=self.m1.reshape(self.tile, -1))
        np.matmul(self.A_T.T, self.m1.reshape(self.tile, ROWS, -1), out=self.M.reshape(self.tile, self.tile, -1))

    def transform_back(self, t: int, done: int) -> int:
        """Add the contribution of a row of tiles to delta_prev, whose first ``done`` rows are already written.

        Returns:
            The number of rows that are written now.
        """
        low, high, _ = self.spans[t]
        if low == high:
            return done
        np.matmul(self.U[:, :, None], self.dM_pieces, out=self.dV_pieces)
        shape = self.tile, self.tile, -1
        np.matmul(self.B_T.T, self.dV.reshape(shape), out=self.dx1.reshape(shape))
        self.raise_columns(self.dx1)
        return self.add_to_delta_prev(self.v, t, done)

    def raise_columns(self, dx1: Array) -> None:
        """Write the sum of all contributions to each column of the image into ``v``."""
        P = self.geometry.P
        # Columns P .. P + 3 of all tiles are different columns of the image, the first ones.
        own = range(P, P + ROWS) if self.tile >= P + ROWS else range(0)
        self.v[:, :, ROWS * self.across if own else 0 :] = 0
        for j in sorted(range(self.tile), key=lambda j: j not in own):
            tiles, w = self.columns[j]
            part = self.v[:, :, w]
            if j in own:
                part[...] = dx1[:, j, :, tiles]
            else:
                np.add(part, dx1[:, j, :, tiles], out=part)
