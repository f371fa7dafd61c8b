"""Losses of a micro-batch, and the delta that starts the backward pass.

Outputs are ``(features, N)``, labels ``(N,)``; a label stands for its one-hot vector y.
"""

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np

from cnntrain.types import Array, Labels, MixedLabels, Targets


def softmax(z: Array, a: Array) -> None:
    """Write a_k = e^z_k / sum_j e^z_j; the maximum of z is subtracted first, so that no e^z overflows."""
    np.subtract(z, np.maximum.reduce(z), out=a)
    np.exp(a, out=a)
    a /= np.add.reduce(a)


def softmax_backward(delta: Array, a: Array) -> Array:
    """Return delta_z = a ⊙ (delta - sum_k delta_k a_k): delta times Softmax's Jacobian diag(a) - a a^T."""
    delta_z: Array = a * (delta - (delta * a).sum(axis=0))
    return delta_z


def cross_entropy(z: Array, y: Labels) -> tuple[Array, Array]:
    """Cross entropy of softmax: J = ln sum_j e^(z_j - z_y), delta = a - y, with a = softmax(z).

    ``z`` are the logits: the loss is finite even where a probability rounds to 0.
    """
    delta = np.subtract(z, np.maximum.reduce(z), order="C")
    entries, of_y = delta.reshape(-1), y * len(y) + columns(len(y))
    z_y = entries[of_y]
    np.exp(delta, out=delta)
    total = np.add.reduce(delta)
    delta /= total
    entries[of_y] -= 1
    return np.log(total) - z_y, delta


def smoothed_cross_entropy(z: Array, y: Labels, share: float) -> tuple[Array, Array]:
    """Cross entropy with smoothed labels: J = -sum_k t_k ln a_k, delta = a - t.

    The label is t = (1 - share) at the class + share / features everywhere (Szegedy et al. 2016, arXiv:1512.00567).
    """
    each = share / len(z)
    delta = np.subtract(z, np.maximum.reduce(z), order="C")
    entries, of_y = delta.reshape(-1), y * len(y) + columns(len(y))
    loss = -(1 - share) * entries[of_y] - each * np.add.reduce(delta)
    np.exp(delta, out=delta)
    total = np.add.reduce(delta)
    loss += np.log(total)
    delta /= total
    delta -= each
    entries[of_y] -= 1 - share
    return loss, delta


def mse(a: Array, y: Labels) -> tuple[Array, Array]:
    """Squared error: J = 1/2 |a - y|², delta = dJ/da = a - y."""
    delta = a.copy()
    delta.reshape(-1)[y * len(y) + columns(len(y))] -= 1
    return np.add.reduce(delta * delta) / 2, delta


@lru_cache(maxsize=16)
def columns(N: int) -> Labels:
    """Return 0 .. N - 1: the outputs of sample n are column n, so those of label y are entry N y + n of them all."""
    return np.arange(N)


Loss = Callable[[Array, Labels], tuple[Array, Array]]
"""(output, y) -> loss of each sample ``(N,)``, and dJ/d output ``(features, N)``."""


def loss_of_targets(loss_of: Loss, output: Array, y: Targets, index_of: Labels) -> tuple[Array, Array, Labels]:
    """Return the loss of each sample, dJ/d output, and the label that counts as correct, as an index of the outputs.

    Of mixed labels, loss and delta are the means weighted by the shares, and the label with the larger share counts.

    Args:
        loss_of: Loss function.
        output: ``(features, N)``.
        y: Labels, or mixed labels.
        index_of: The index of each class among the outputs.
    """
    if not isinstance(y, MixedLabels):
        labels = index_of[y]
        return *loss_of(output, labels), labels
    first, second, share = index_of[y.first], index_of[y.second], y.share.astype(output.dtype)
    (loss, delta), (loss_2, delta_2) = loss_of(output, first), loss_of(output, second)
    labels = np.where(share < 0.5, second, first)
    return share * loss + (1 - share) * loss_2, share * delta + (1 - share) * delta_2, labels


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "mse": mse}


def training_loss(name: str, label_smoothing: float, weights: Array | None) -> Loss:
    """Return the loss that training minimizes: with smoothed labels, times the class weight of the label.

    Args:
        name: A key of ``LOSSES``.
        label_smoothing: The share of smoothing, for cross entropy only.
        weights: The class weights ``(features,)``; None if all are 1.
    """
    loss_of = LOSSES[name]
    if label_smoothing:
        loss_of = partial(smoothed_cross_entropy, share=label_smoothing)
    if weights is None:
        return loss_of

    def weighted(output: Array, y: Labels) -> tuple[Array, Array]:
        loss, delta = loss_of(output, y)
        of_label = weights[y]
        delta *= of_label
        loss *= of_label
        return loss, delta

    return weighted
