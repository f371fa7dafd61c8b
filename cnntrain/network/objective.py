"""The objective J of a batch: the losses of its samples, and penalties on W."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.network.array_layout import class_indices
from cnntrain.ops.losses import Loss, training_loss
from cnntrain.types import Array, Labels, Shape

CHUNK = 2**17
"""Entries of W per step of the penalty, which keeps temporary arrays small."""


@dataclass(frozen=True, slots=True)
class Objective:
    """J = the samples' losses, summed or averaged, + l2/2 sum W² + l1 sum |W|.

    The loss of a sample is computed with its smoothed label and multiplied by its class weight.
    """

    loss: Literal["cross_entropy", "mse"] = "cross_entropy"
    reduction: Literal["mean", "sum"] = "mean"
    l1: float = 0.0
    l2: float = 0.0
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    """The weight of each class; None if all are 1."""

    def scale(self, batch: int) -> float:
        """Return the factor of one sample's loss in J."""
        return 1 / batch if self.reduction == "mean" else 1.0

    def training_loss(self, out_shape: Shape, dtype: DTypeLike) -> Loss:
        """Return the loss function of a sample, for outputs with the network's internal shape."""
        weights = None
        if self.class_weights is not None:
            weights = np.empty(len(self.class_weights), dtype)
            with np.errstate(over="ignore"):  # the next loss detects an overflow
                weights[class_indices(out_shape)] = self.class_weights
        return training_loss(self.loss, self.label_smoothing, weights)

    def penalty(self, W: Array) -> float:
        """Return the penalties, l2/2 sum W² + l1 sum |W|, of all W in one vector."""
        J = 0.0
        if self.l2:
            J += self.l2 / 2 * float(np.dot(W, W))
        if self.l1:
            J += self.l1 * float(np.abs(W).sum())
        return J

    def add_penalty_gradient(self, W: Array, dW: Array) -> None:
        """Add l2 W + l1 sign(W) to dW."""
        for start in range(0, len(W), CHUNK):
            part = slice(start, start + CHUNK)
            if self.l2:
                dW[part] += W[part] * dW.dtype.type(self.l2)
            if self.l1:
                dW[part] += np.sign(W[part]) * dW.dtype.type(self.l1)


def balanced_weights(labels: Labels, classes: int) -> tuple[float, ...]:
    """Return balanced weights N / (C n_c), with n_c samples of class c and C classes with samples (as scikit-learn).

    The mean weight of a sample is 1. A class without samples gets weight 1, which only other splits use.
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    return tuple(len(labels) / (present * int(count)) if count else 1.0 for count in counts)
