"""Batch normalization, dropout and residual blocks, which the article does not cover.

Ioffe & Szegedy 2015, arXiv:1502.03167; Srivastava et al. 2014; He et al. 2016, arXiv:1512.03385. Batch normalization is
the only layer that mixes samples: ``a`` and ``delta`` are lists of the samples of a micro-batch, images (C, H, W) or
vectors (C,). A channel c has m values in them; ``gamma``, ``b``, ``mean`` and ``var`` are ``(C,)``.
"""

from collections.abc import Sequence

import numpy as np
from numpy import ndindex
from numpy.typing import NDArray

Array = NDArray[np.float64]


def channel(a: Sequence[Array], c: int) -> list[float]:
    """The m values of a channel: its pixels in all samples."""
    return [float(value) for sample in a for value in np.ravel(sample[c])]


def batch_norm_statistics(a: Sequence[Array]) -> tuple[Array, Array]:
    """mean_c = 1/m sum_i x_i and var_c = 1/m sum_i (x_i - mean_c)^2 over the m values x_i of channel c."""
    values = [channel(a, c) for c in range(len(a[0]))]
    mean = [sum(x) / len(x) for x in values]
    var = [sum((x_i - mean_c) ** 2 for x_i in x) / len(x) for x, mean_c in zip(values, mean, strict=True)]
    return np.array(mean), np.array(var)


def running_average(average: Array, batch: Array, momentum: float) -> Array:
    """average = momentum average + (1 - momentum) batch; for the variance, batch is m / (m - 1) var (unbiased)."""
    return momentum * average + (1 - momentum) * batch


def batch_norm_evaluation(gamma: Array, b: Array, mean: Array, var: Array, a: Array, eps: float) -> Array:
    """z_c = gamma_c x_hat_c + b_c with x_hat_c = (x_c - mean_c) / sqrt(var_c + eps). One sample, of the shape of z."""
    z = np.zeros(a.shape)
    for c, *pixel in ndindex(a.shape):
        at = (c, *pixel)
        z[at] = gamma[c] * (a[at] - mean[c]) / np.sqrt(var[c] + eps) + b[c]
    return z


def batch_norm_forward(gamma: Array, b: Array, a: Sequence[Array], eps: float) -> list[Array]:
    """The same in training, with the mean and var of the micro-batch."""
    mean, var = batch_norm_statistics(a)
    return [batch_norm_evaluation(gamma, b, mean, var, sample, eps) for sample in a]


def batch_norm_dgamma(a: Sequence[Array], delta: Sequence[Array], eps: float) -> Array:
    """dJ/dgamma_c = sum_i delta_i x_hat_i over the values of channel c."""
    one, zero = np.ones(len(a[0])), np.zeros(len(a[0]))
    x_hat = batch_norm_forward(one, zero, a, eps)
    products = [delta_n * x_n for delta_n, x_n in zip(delta, x_hat, strict=True)]
    return np.array([sum(channel(products, c)) for c in range(len(one))])


def batch_norm_db(delta: Sequence[Array]) -> Array:
    """dJ/db_c = sum_i delta_i over the values of channel c."""
    return np.array([sum(channel(delta, c)) for c in range(len(delta[0]))])


def delta_through_batch_norm(gamma: Array, a: Sequence[Array], delta: Sequence[Array], eps: float) -> list[Array]:
    """dJ/dx_i, by the chain rule, as in the paper: x_i affects J directly, through var and through mean.

    dJ/dx_hat_i = delta_i gamma
    dJ/dvar  = sum_i dJ/dx_hat_i (x_i - mean) (-1/2) (var + eps)^(-3/2)
    dJ/dmean = sum_i dJ/dx_hat_i (-1) / sqrt(var + eps) + dJ/dvar 1/m sum_i -2 (x_i - mean)
    dJ/dx_i  = dJ/dx_hat_i / sqrt(var + eps) + dJ/dvar 2 (x_i - mean) / m + dJ/dmean / m
    """
    mean, var = batch_norm_statistics(a)
    result = [np.zeros(sample.shape) for sample in a]
    for c in range(len(gamma)):
        x, d = channel(a, c), [delta_i * gamma[c] for delta_i in channel(delta, c)]
        m, v = len(x), var[c] + eps
        dvar = sum(d_i * (x_i - mean[c]) for d_i, x_i in zip(d, x, strict=True)) * -0.5 * v**-1.5
        dmean = -sum(d) / np.sqrt(v) + dvar * sum(-2 * (x_i - mean[c]) for x_i in x) / m
        for sample, delta_n, x_n in zip(result, delta, a, strict=True):
            sample[c] = delta_n[c] * gamma[c] / np.sqrt(v) + dvar * 2 * (x_n[c] - mean[c]) / m + dmean / m
    return result


def dropout_forward(mask: Array, a: Array) -> Array:
    """z = mask ⊙ a in training, with mask_i = 0 with probability ``rate``, else 1 / (1 - rate); z = a in evaluation."""
    return mask * a


def delta_through_dropout(mask: Array, delta: Array) -> Array:
    """dJ/da = mask ⊙ delta: no gradient where the value was dropped."""
    return mask * delta


def residual_forward(f: Array, s: Array) -> Array:
    """z = F(x) + x, with ``f`` = F(x); the shortcut's output ``s`` is x, or a convolution of x with 1 x 1 kernels."""
    return f + s


def delta_through_residual(through_F: Array, through_shortcut: Array) -> Array:
    """dJ/dx = (delta through F) + (delta through the shortcut): x affects J both ways; through x itself delta stays."""
    return through_F + through_shortcut
