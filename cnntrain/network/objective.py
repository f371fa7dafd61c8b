"""What is minimized: J of a batch, from the losses of its samples and the size of W."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.network.array_layout import class_indices
from cnntrain.ops.losses import Loss, training_loss
from cnntrain.types import Array, Labels, Shape

CHUNK = 2**14
"""Entries of W that are penalised at a time: what is made on the way stays small."""


@dataclass(frozen=True, slots=True)
class Objective:
    """J = the samples' losses, summed or averaged, + l2/2 sum W² + l1 sum |W|.

    A sample's loss is that of its smoothed label, times the weight of its class.
    """

    loss: Literal["cross_entropy", "mse"] = "cross_entropy"
    reduction: Literal["mean", "sum"] = "mean"
    l1: float = 0.0
    l2: float = 0.0
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    """Of each class; None where all weigh 1."""

    def scale(self, batch: int) -> float:
        """Weight of one sample's loss in J."""
        return 1 / batch if self.reduction == "mean" else 1.0

    def training_loss(self, out_shape: Shape, dtype: DTypeLike) -> Loss:
        """Return the loss of a sample in J, for outputs of a shape inside the network."""
        weights = None
        if self.class_weights is not None:
            weights = np.empty(len(self.class_weights), dtype)
            with np.errstate(over="ignore"):  # what overflows is found by the next loss
                weights[class_indices(out_shape)] = self.class_weights
        return training_loss(self.loss, self.label_smoothing, weights)

    def penalty(self, W: Array) -> float:
        """Return the penalties, l2/2 sum W² + l1 sum |W|, over all W, in one vector."""
        J = 0.0
        if self.l2:
            J += self.l2 / 2 * float(np.dot(W, W))
        if self.l1:
            J += self.l1 * float(np.abs(W).sum())
        return J

    def add_penalty_gradient(self, W: Array, dW: Array) -> None:
        """Add l2 W + l1 sign(W) to dW."""
        if not (self.l1 or self.l2):
            return
        for start in range(0, len(W), CHUNK):
            part = slice(start, start + CHUNK)
            if self.l2:
                dW[part] += W[part] * dW.dtype.type(self.l2)
            if self.l1:
                dW[part] += np.sign(W[part]) * dW.dtype.type(self.l1)


def balanced_weights(labels: Labels, classes: int) -> tuple[float, ...]:
    """Return weights N / (C n_c), n_c being the samples of class c, C the classes with samples: all count alike.

    The mean weight of a sample is 1. A class without samples gets the weight 1, which only samples of other splits use.
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    return tuple(len(labels) / (present * int(count)) if count else 1.0 for count in counts)
