"""Layers for evaluation: batch normalization folded into the convolution before it.

In evaluation mode, mean and variance are constants. With s = gamma / sqrt(var + eps),

    gamma (W * a - mean) / sqrt(var + eps) + b = (s W) * a + (b - s mean)

so a convolution with other kernels and an activation with another bias do the work of three layers. A max pool between
them changes nothing: adding a constant commutes with it. Batch normalization behind anything but a convolution stays:
behind fc it costs next to nothing, and behind an activation it cannot be folded.

The layers keep their positions: a batch normalization that is folded returns its input. So each layer has the cache
that it has in training.

Reference: Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", arXiv:1712.05877, section 3.2.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.layers.conv import Conv
from cnntrain.layers.pool import MaxPool
from cnntrain.layers.residual import Residual
from cnntrain.layers.row import Row, walk


def folded(layers: Sequence[Layer[Any]]) -> Row:
    """Return the layers for an evaluation with the parameters that they have now.

    When parameters change, the row is out of date: some of its layers have copies of them.

    Args:
        layers: The layers of a network, in the order of the forward pass.
    """
    result = list(layers)
    for i, layer in enumerate(layers):
        if isinstance(layer, Residual):
            result[i] = layer.with_rows(folded(layer.F.layers), folded(layer.shortcut.layers))
        elif isinstance(layer, Conv):
            norm, *others = [*layers[i + 1 :], None]
            pools = list(takewhile(lambda other: isinstance(other, MaxPool), others))
            activation = others[len(pools)] if others else None
            if isinstance(norm, BatchNorm) and isinstance(activation, Activation):
                scale, shift = norm.affine()
                result[i], result[i + 1] = layer.for_evaluation(scale), norm.skipped()
                result[i + 2 + len(pools)] = activation.shifted(shift)
            else:
                result[i] = layer.for_evaluation()
    return Row(result)


def folded_bytes(layers: Sequence[Layer[Any]], dtype: Any) -> int:
    """Return the maximum bytes of memory of what ``folded`` adds to the layers."""
    return sum(layer.evaluation_bytes(dtype) for _, layer in walk(layers) if isinstance(layer, Conv))
