"""The forward and backward pass of each layer: fc, conv and pool.

Shapes of one sample, with indices counted from 0 where the article counts from 1:

- an image ``a`` is ``(C, H, W)``, a vector ``(features,)``; ``z`` and ``delta`` = dJ/dz have the shape of their ``a``;
- conv: ``W`` is ``(K, C, F, F)``, ``b`` ``(K,)``; fc: ``W`` is ``(units, features)``, ``b`` ``(units,)``.
"""

import numpy as np
from numpy import ndindex
from numpy.typing import NDArray

Array = NDArray[np.float64]


def fc_forward(W: Array, b: Array, a: Array) -> Array:
    """z_u = sum_v W_uv a_v + b_u, that is z = W a + b (section 5). ``a`` (features,) -> ``z`` (units,).

    >>> fc_forward(np.array([[1.0, 2.0]]), np.array([0.5]), np.array([3.0, 4.0])).tolist()
    [11.5]
    """
    return np.array([sum(W[u, v] * a[v] for v in range(len(a))) + b[u] for u in range(len(b))])


def conv_forward(W: Array, b: Array, a: Array, P: int = 0, S: int = 1) -> Array:
    """z_kij = sum_cpq W_kcpq a_c,Si+p-P,Sj+q-P + b_k, that is z = a * W + b (section 3).

    ``a`` (C, H, W) -> ``z`` (K, OH, OW) with OH = (H + 2P - F) // S + 1. Pixels outside the image are 0. The kernel is
    not flipped: the article's ``*`` is what mathematics calls a cross-correlation.
    """
    (K, C, F, _), a = W.shape, np.pad(a, ((0, 0), (P, P), (P, P)))
    z = np.zeros((K, (a.shape[1] - F) // S + 1, (a.shape[2] - F) // S + 1))
    for k, i, j in ndindex(z.shape):
        z[k, i, j] = sum(W[k, c, p, q] * a[c, S * i + p, S * j + q] for c, p, q in ndindex(C, F, F)) + b[k]
    return z


def pool_forward(a: Array, k: int | str, S: int, type: str, P: int = 0) -> Array:
    """z_cij = max or average of the k x k region of a_c whose first pixel is Si - P, Sj - P (section 5).

    ``a`` (C, H, W) -> ``z`` (C, OH, OW) with OH = (H + 2P - k) // S + 1: regions that do not fit are ignored. With k
    "all", the only region is the whole image. Max ignores the padding, average takes it for zeros.

    >>> pool_forward(np.arange(4.0).reshape(1, 2, 2), 2, 2, "max").tolist()
    [[[3.0]]]
    """
    (C, H, width), (rows, columns) = a.shape, region_shape(a, k)
    z = np.zeros((C, (H + 2 * P - rows) // S + 1, (width + 2 * P - columns) // S + 1))
    for c, i, j in ndindex(z.shape):
        region = [a[c, *pixel] for pixel in region_pixels(a, i, j, k, S, P)]
        z[c, i, j] = max(region) if type == "max" else sum(region) / (rows * columns)
    return z


def region_pixels(a: Array, i: int, j: int, k: int | str, S: int, P: int = 0) -> list[tuple[int, int]]:
    """The pixels of the image ``a`` (C, H, W) in region i, j, row by row; those of the padding are left out."""
    pixels = [(S * i + p - P, S * j + q - P) for p, q in ndindex(*region_shape(a, k))]
    return [(h, w) for h, w in pixels if 0 <= h < a.shape[1] and 0 <= w < a.shape[2]]


def region_shape(a: Array, k: int | str) -> tuple[int, int]:
    """Rows and columns of a region: k x k, or the size of the image ``a`` (C, H, W) if k is "all"."""
    return (a.shape[1], a.shape[2]) if k == "all" else (int(k), int(k))


def rot180(W: Array) -> Array:
    """W flipped up-down and left-right: each kernel rotated by 180 degrees (section 3).

    >>> rot180(np.array([[1, 2], [3, 4]])).tolist()
    [[4, 3], [2, 1]]
    """
    return W[..., ::-1, :][..., ::-1]


def true_convolution(x: Array, w: Array) -> Array:
    """The true convolution, x_i-p,j-q w_pq summed over p and q. ``x`` (H, W) -> (H + F - 1, W + F - 1).

    The article writes it as (x padded by F - 1 zeros) * rot180(w), which is why its section 3 rotates the kernel.
    """
    result = np.zeros(np.add(x.shape, w.shape) - 1)
    for i, j, p, q in ndindex(*x.shape, *w.shape):
        result[i + p, j + q] += x[i, j] * w[p, q]
    return result


def delta_through_fc(W: Array, delta: Array) -> Array:
    """dJ/da_v = sum_u W_uv delta_u, that is W^T delta (section 1). ``delta`` (units,) -> (features,)."""
    return np.array([sum(W[u, v] * delta[u] for u in range(len(delta))) for v in range(W.shape[1])])


def delta_through_conv(W: Array, delta: Array, a_shape: tuple[int, ...], P: int = 0, S: int = 1) -> Array:
    """dJ/da = delta * rot180(W) (section 3). ``delta`` (K, OH, OW) -> ``a_shape`` (C, H, W).

    delta is dilated, S - 1 zeros between its values, and padded by F - 1 zeros (more at the end if a stride leaves rows
    or columns unread). Its convolution with the rotated kernels is dJ/d(padded a), from which the padding is removed.
    """
    (K, C, F, _), (_, H, width) = W.shape, a_shape
    spread = np.zeros((K, H + 2 * P + F - 1, width + 2 * P + F - 1))
    for k, i, j in ndindex(delta.shape):
        spread[k, F - 1 + S * i, F - 1 + S * j] = delta[k, i, j]
    padded = conv_forward(rot180(W).swapaxes(0, 1), np.zeros(C), spread)  # a sum over the K filters
    return padded[:, P : P + H, P : P + width]


def upsample(delta: Array, a: Array, k: int | str, S: int, type: str, P: int = 0) -> Array:
    """dJ/da = upsample(delta) (section 3). ``delta`` (C, OH, OW), the pool's input ``a`` (C, H, W) -> (C, H, W).

    Max puts a value at the position of the maximum, in a tie the first in row-major order. Average puts 1 / k^2 of it
    on each pixel of its region. Overlapping regions add up; a pixel in no region gets 0.
    """
    result, (rows, columns) = np.zeros(a.shape), region_shape(a, k)
    for c, i, j in ndindex(delta.shape):
        region = [(c, *pixel) for pixel in region_pixels(a, i, j, k, S, P)]
        if type == "max":
            result[max(region, key=lambda pixel: a[pixel])] += delta[c, i, j]
        else:
            for pixel in region:
                result[pixel] += delta[c, i, j] / (rows * columns)
    return result


def fc_dW(a: Array, delta: Array) -> Array:
    """dJ/dW_uv = delta_u a_v, that is delta a^T (section 1). ``delta`` (units,) -> (units, features)."""
    return np.array([[delta_u * a_v for a_v in a] for delta_u in delta])


def fc_db(delta: Array) -> Array:
    """dJ/db = delta (section 1)."""
    return delta.copy()


def conv_dW(a: Array, delta: Array, F: int, P: int = 0, S: int = 1) -> Array:
    """dJ/dW_kcpq = sum_ij delta_kij a_c,Si+p-P,Sj+q-P, that is a * delta, not flipped (section 4).

    ``a`` (C, H, W), ``delta`` (K, OH, OW) -> (K, C, F, F).
    """
    (K, OH, OW), a = delta.shape, np.pad(a, ((0, 0), (P, P), (P, P)))
    dW = np.zeros((K, len(a), F, F))
    for k, c, p, q in ndindex(dW.shape):
        dW[k, c, p, q] = sum(delta[k, i, j] * a[c, S * i + p, S * j + q] for i, j in ndindex(OH, OW))
    return dW


def conv_db(delta: Array) -> Array:
    """dJ/db_k = sum_uv delta_kuv (section 4). ``delta`` (K, OH, OW) -> (K,)."""
    return np.array([sum(delta_k[u, v] for u, v in ndindex(delta_k.shape)) for delta_k in delta])
