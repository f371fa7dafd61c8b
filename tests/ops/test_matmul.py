"""Products in pieces: the same numbers, and cut by the kernels that NumPy has."""

import numpy as np
import pytest

from cnntrain.ops import matmul


def library(folder, architecture, internal_api="openblas"):
    return {"filepath": f"/lib/{folder}.libs/blas.so", "architecture": architecture, "internal_api": internal_api}


@pytest.mark.parametrize(
    ("libraries", "expected"),
    [
        ([library("numpy", "SkylakeX")], "SkylakeX"),
        ([library("scipy", "Haswell"), library("numpy", "SkylakeX")], "SkylakeX"),
        ([library("numpy", "Haswell"), library("torch", "SkylakeX", "mkl")], "Haswell"),
        ([library("system", "ARMV8")], "ARMV8"),
        ([library("torch", None, "mkl")], None),
        ([], None),
    ],
)
def test_numpys_own_library_decides(monkeypatch, libraries, expected):
    monkeypatch.setattr(matmul, "threadpool_info", lambda: libraries)
    assert matmul.kernels.__wrapped__() == expected


@pytest.mark.parametrize(
    ("here", "sizes", "width"),
    [
        ("SkylakeX", (32, 288, 512), 32),
        ("SkylakeX", (32, 288, 48 * 5), 48),
        ("SkylakeX", (64, 576, 512), 512),
        ("SkylakeX", (32, 288, 7), 7),
        ("SkylakeX", (1250, 25, 512), 32),  # just SMALL_PRODUCT
        ("SkylakeX", (1250, 26, 512), 512),
        ("Haswell", (32, 288, 512), 512),
        (None, (32, 288, 512), 512),
    ],
)
def test_a_product_is_cut_where_that_is_faster(monkeypatch, here, sizes, width):
    monkeypatch.setattr(matmul, "kernels", lambda: here)
    assert matmul.best_width(*sizes) == width


def test_pieces_are_views_that_a_product_can_be_written_to():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(5, 7)), rng.normal(size=(3, 7, 96))
    z = np.empty((3, 5, 96))
    np.matmul(A, matmul.pieces(B, 32), out=matmul.pieces(z, 32))
    np.testing.assert_allclose(z, A @ B, rtol=0, atol=1e-12)


def test_a_strided_view_may_overlap():
    base = np.arange(12.0).reshape(3, 4)
    view = matmul.strided(base, (2, 8), (4 * 8, 8))
    assert view.tolist() == [base.ravel()[:8].tolist(), base.ravel()[4:].tolist()]
    assert np.shares_memory(base, view)
