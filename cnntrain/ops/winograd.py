"""Convolution with stride 1 and fewer multiplications: Winograd's minimal filtering along the height.

m = 4 output rows depend on m + F - 1 input rows, a tile. Interpolating the product of two polynomials from m + F - 1
points reduces the m*F products of kernel rows with image rows to m + F - 1:

    z = A^T [ (G W) ⊙ (B^T x) ]        with the rows of W, x and z as vectors

That is 6 instead of 12 for a 3 x 3 kernel, and 8 instead of 20 for 5 x 5. Along the width the image is lowered as in
``cnntrain.ops.convolution``. With rows first, the rows of a tile are one matrix, so each transform is one small matrix
product. The backward pass is the adjoint of each step: its gradients are those of the function that the forward pass
computes.

Reference: Lavin & Gray 2015, "Fast algorithms for convolutional neural networks", arXiv:1509.09308.
"""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cache, cached_property, partial
from typing import final

import numpy as np
from numpy.polynomial.polynomial import polyfromroots
from numpy.typing import DTypeLike

from cnntrain.ops.convolution import Convolution, Copies, clear_columns, raising
from cnntrain.ops.geometry import Geometry
from cnntrain.ops.matmul import best_width, pieces
from cnntrain.ops.workspace import ViewsOf, workspace
from cnntrain.types import Array, Shape

POINTS = {3: (0.0, 1.0, -1.0, 2.0, -2.0), 5: (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)}
"""The interpolation points for each supported F; infinity is one more."""
ROWS = 4
"""Output rows per tile, m."""
MIN_COUNT = 6
"""Minimum number of channels, and of filters, for which the transforms can pay off."""
MIN_WORK = 480
"""Minimum of channels x filters x F for which the saved multiplications outweigh the transforms (on Zen 5)."""


def pays(geometry: Geometry) -> bool:
    """Return whether Winograd's algorithm is faster than direct convolution, at least along the height only."""
    g = geometry
    return g.S == 1 and g.F in POINTS and min(g.C, g.K) >= MIN_COUNT and g.C * g.K * g.F >= MIN_WORK and g.OH >= ROWS


@cache
def matrices(F: int, dtype: np.dtype[np.floating]) -> tuple[Array, Array, Array]:
    """Return A^T ``(m, tile)``, G ``(tile, F)`` and B^T ``(tile, tile)`` (Toom and Cook's construction)."""
    points, tile = POINTS[F], ROWS + F - 1
    A_T, G, B_T = np.zeros((ROWS, tile)), np.zeros((tile, F)), np.zeros((tile, tile))
    for k, point in enumerate(points):
        others = [other for other in points if other != point]
        A_T[:, k] = point ** np.arange(ROWS)
        G[k] = point ** np.arange(F) / np.prod([point - other for other in others])
        B_T[k, :-1] = polyfromroots(others)
    A_T[-1, -1] = G[-1, -1] = 1
    B_T[-1] = polyfromroots(points)
    return A_T.astype(dtype), G.astype(dtype), B_T.astype(dtype)


class Winograd(Convolution):
    """Base of the algorithms in tiles of m + F - 1 input rows and m output rows."""

    parts = 1
    """The number of matrices into which a tile is cut for the transform along the height."""

    def __init__(self, geometry: Geometry, n: int, dtype: DTypeLike):
        super().__init__(geometry, n, dtype)
        self.tile = ROWS + geometry.F - 1
        self.A_T, self.G, self.B_T = matrices(geometry.F, self.dtype)
        self.tiles = -(-geometry.OH // ROWS)
        self.spans = [self.image_rows(t) for t in range(self.tiles)]
        self.image_views = ViewsOf(self.tile_views)
        self.tiles_of = ViewsOf(self.output_tiles)

    @partial(workspace, use="delta")
    def rows(self) -> Shape:
        """The contribution of a tile to delta_prev."""
        _, Q, C, V = self.geometry.image
        return self.tile, Q, C, V, self.n

    @abstractmethod
    def transform_kernels(self, W: Array) -> Array:
        """Write ``U``, and return its transposed matrices, in memory of this workspace."""

    @abstractmethod
    def compute(self, x: Array, U_T: Array, places: Sequence[int]) -> Array:
        """Return z for transformed kernels; ``places`` are the indices where the transformed rows of tiles are kept."""

    def forward(self, x: Array, W: Array) -> Array:
        return self.compute(x, self.transform_kernels(W), range(self.tiles))

    def infer(self, x: Array, W: Array) -> Array:
        return self.infer_transformed(x, self.transform_kernels(W))

    def transformed(self, W: Array) -> Array:
        return np.array(self.transform_kernels(W), order="C")

    def infer_transformed(self, x: Array, kernels: Array) -> Array:
        return self.compute(x, kernels, [0] * self.tiles)  # one place for all: it stays in the processor's cache

    def image_rows(self, tile: int) -> tuple[int, int, int]:
        """Return the first and last + 1 image row of a tile, and the number of padding rows before them."""
        first = ROWS * tile - self.geometry.P
        low = min(max(0, first), self.geometry.H)
        return low, max(low, min(self.geometry.H, first + self.tile)), low - first

    def in_parts(self, rows: Array) -> Array:
        """View rows ``(rows, ...)`` as ``(parts, rows, values)``."""
        return rows.reshape(len(rows), self.parts, -1).swapaxes(0, 1)

    def tile_views(self, x: Array) -> list[tuple[Array, Array]]:
        """Return for each tile the columns of B^T for its image rows, and these rows as matrices."""
        x = self.of_image(x)
        return [
            (self.B_T[:, padding : padding + high - low], self.in_parts(x[low:high])) if high > low else (x, x)
            for low, high, padding in self.spans
        ]

    def output_tiles(self, z: Array) -> list[Array]:
        """Return the rows of z, or of delta, of each tile: ``(m, values)``, fewer in the last."""
        rows = z.reshape(self.geometry.OH, -1)
        return [rows[ROWS * t : ROWS * t + ROWS] for t in range(self.tiles)]

    def transform(self, x: Array, t: int, out: Array) -> None:
        """Write B^T x of a tile into ``(parts, tile, values)``."""
        B_T, rows = self.image_views(x)[t]
        np.matmul(B_T, rows, out=out)

    def add_to_delta_prev(self, dv: Array, t: int, done: int) -> int:
        """Add the contribution B dv of a tile to delta_prev, whose first ``done`` rows are already written.

        Args:
            dv: The gradient with respect to B^T x, ``(parts, tile, values)``.
            t: Index of the tile.
            done: Number of rows.

        Returns:
            The number of rows that are written now.
        """
        low, high, padding = self.spans[t]
        share = self.rows[: high - low]
        B = self.B_T[:, padding : padding + high - low].T
        np.matmul(B, dv, out=self.in_parts(share))
        delta_prev = self.of_image(self.delta_prev)
        delta_prev[low:done] += share[: done - low]
        delta_prev[done:high] = share[done - low :]
        return high


@final
class WinogradConvolution(Winograd):
    """Winograd's algorithm along the height only."""

    def __init__(self, geometry: Geometry, n: int, dtype: DTypeLike):
        self.parts = geometry.Q
        super().__init__(geometry, n, dtype)

    @workspace
    def v1(self) -> Shape:
        """B^T x of each tile, lowered."""
        g = self.geometry
        return self.tiles, self.tile, g.OQ, g.F, g.C, g.OV, self.n

    @workspace
    def v(self) -> Shape:
        """B^T x of a tile, if no lowered column has the width of the image."""
        _, Q, C, V = self.geometry.image
        return self.tile, Q, C, V if self.geometry.center is None else 0, self.n

    @workspace
    def U(self) -> Shape:
        """G W."""
        g = self.geometry
        return self.tile, g.F * g.C, g.K

    @workspace
    def M(self) -> Shape:
        """The products of a tile."""
        g = self.geometry
        return self.tile, g.OQ, g.K, g.OV * self.n

    @partial(workspace, use="training")
    def products(self) -> Shape:
        """One product per tile, phase and point; their sum over tiles and phases is dU."""
        g = self.geometry
        return self.tiles, g.OQ, self.tile, g.F * g.C, g.K

    @partial(workspace, use="delta")
    def dv1(self) -> Shape:
        """Contributions to the gradient of v before they are added to its columns."""
        g = self.geometry
        return self.tile, g.OQ, g.F, g.C, g.OV, self.n

    @cached_property
    def blocks(self) -> Array:
        """``v1`` as matrices."""
        g = self.geometry
        return self.v1.reshape(self.tiles, self.tile, g.OQ, g.F * g.C, g.OV * self.n)

    @cached_property
    def block_pieces(self) -> Array:
        """``blocks``, in the same pieces as ``M``."""
        return pieces(self.blocks, self.M_pieces.shape[-1])

    @cached_property
    def delta_pieces(self) -> tuple[Array, Array]:
        """``M`` and ``dv1``, in pieces of the width at which the product for delta_prev is fastest."""
        g = self.geometry
        width = best_width(g.F * g.C, g.K, g.OV * self.n)
        return pieces(self.M, width), pieces(self.dv1.reshape(self.tile, g.OQ, g.F * g.C, -1), width)

    @cached_property
    def M_pieces(self) -> Array:
        """``M``, in pieces of the width at which the forward product is fastest."""
        g = self.geometry
        return pieces(self.M, best_width(g.K, g.F * g.C, g.OV * self.n))

    @property
    def transformed_bytes(self) -> int:
        return WinogradConvolution.U.nbytes(self)

    def transform_kernels(self, W: Array) -> Array:
        np.matmul(self.G, W.reshape(self.geometry.F, -1), out=self.U.reshape(self.tile, -1))
        return self.U.transpose(0, 2, 1)

    def compute(self, x: Array, U_T: Array, places: Sequence[int]) -> Array:
        if not self.is_padded:
            for v1 in self.v1:
                clear_columns(v1, self.geometry)  # ``lower`` does not write them
            self.is_padded = True
        U_T = U_T[:, None, None]
        for t, z in enumerate(self.tiles_of(self.z)):
            self.lower(x, t, places[t])
            np.matmul(U_T, self.block_pieces[places[t]], out=self.M_pieces)
            np.matmul(self.A_T[: len(z)], self.M.reshape(self.tile, -1), out=z)
        return self.z

    @cached_property
    def lowering(self) -> list[tuple[Array, Copies]]:
        """For each tile, where B^T x is written, and the copies that lower it."""
        g = self.geometry
        lowered = []
        for v1 in self.v1:
            v = self.v if g.center is None else v1[:, :, g.center]
            copies = [(v1[:, m.q, j, :, m.windows], v[:, m.phase, :, m.pixels]) for j, m in g.moves if j != g.center]
            lowered.append((self.in_parts(v), copies))
        return lowered

    def lower(self, x: Array, t: int, place: int) -> None:
        """Lower B^T x of a tile into ``v1[place]``."""
        low, high, _ = self.spans[t]
        if low == high:  # nothing but padding
            self.v1[place] = 0
            return
        v, copies = self.lowering[place]
        self.transform(x, t, v)
        for target, pixels in copies:
            target[...] = pixels

    def backward(self, delta: Array, W: Array, dW: Array, want_delta: bool) -> Array | None:
        g, dM = self.geometry, self.M
        dM_flat, dM_T, U = dM.reshape(self.tile, -1), dM.swapaxes(-1, -2), self.U[:, None, None]
        done = 0
        for t, dz in enumerate(self.tiles_of(delta)):
            np.matmul(self.A_T[: len(dz)].T, dz, out=dM_flat)
            np.matmul(self.blocks[t], dM_T, out=self.products[t].swapaxes(0, 1))
            if want_delta:
                dM_pieces, shares = self.delta_pieces
                np.matmul(U, dM_pieces, out=shares)
                done = self.transform_back(t, done)
        dU = np.add.reduce(self.products.reshape(-1, *self.U.shape), axis=0, out=self.U)
        np.matmul(self.G.T, dU.reshape(self.tile, -1), out=dW.reshape(g.F, -1))
        return self.delta_prev if want_delta else None

    def transform_back(self, t: int, done: int) -> int:
        """Add the contribution of a tile in ``dv1`` to delta_prev, whose first ``done`` rows are already written.

        Returns:
            The number of rows that are written now.
        """
        low, high, _ = self.spans[t]
        if low == high:
            return done
        dv, additions = self.raising
        if self.geometry.center is None:
            dv.fill(0)
        for column, share in additions:
            np.add(column, share, out=column)
        return self.add_to_delta_prev(self.in_parts(dv), t, done)

    @cached_property
    def raising(self) -> tuple[Array, Copies]:
        """The gradient with respect to v of a tile, and the additions that give it."""
        g = self.geometry
        dv = self.v if g.center is None else self.dv1[:, :, g.center]
        return dv, raising(self.dv1, dv, g)
