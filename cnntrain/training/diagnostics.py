"""How well the layers are: sizes of weights and gradients, dead and saturated units.

Gradients that fade from layer to layer, weights that do not move, ReLUs that are always 0 and sigmoids that are always
0 or 1 are the usual reasons why a network does not learn.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.network.network import Network
from cnntrain.ops.activations import ReLU, Sigmoid, Tanh
from cnntrain.training.samples import TrainingSamples
from cnntrain.types import Array

FLAT = 0.01
"""A sigmoid within this of 0 or 1, or a tanh within it of -1 or 1, is saturated: sigma' is below 0.01 or 0.02 there."""


@dataclass(frozen=True, slots=True)
class LayerDiagnostics:
    """Of one entry of ``network.layers`` that has W, b or an activation."""

    index: int
    kind: str
    W: float | None
    """Mean |W|; None for an entry without W."""
    dW: float | None
    """Mean |dJ/dW| of the samples that were looked at."""
    ratio: float | None
    """dW / W."""
    dead: float | None
    """Share of the filters or units whose ReLU is 0 for every sample and pixel; None without a ReLU."""
    saturated: float | None
    """Share of the values at which sigmoid or tanh is flat; None without either."""


def diagnose_layers(network: Network, samples: TrainingSamples, epoch: int) -> list[LayerDiagnostics]:
    """Look at the first slice of the training set, as it is in an epoch.

    Weights, gradients and everything else stay as they are.
    """
    part = next(iter(network.micro_batches(len(samples))))
    memory = network.workspace(part.stop - part.start)
    indices = np.arange(part.start, part.stop)
    with np.errstate(over="ignore", invalid="ignore"):
        samples.load(memory, epoch, indices)
        dead: dict[int, float] = {}
        saturated: dict[int, float] = {}

        def look(layer: Layer[Any], y: Array) -> None:
            match layer.sigma if isinstance(layer, Activation) else None:
                case ReLU():
                    dead[layer.index] = dead_share(y)
                case Sigmoid():
                    saturated[layer.index] = float(np.mean(np.abs(y - 0.5) > 0.5 - FLAT))
                case Tanh():
                    saturated[layer.index] = float(np.mean(np.abs(y) > 1 - FLAT))

        network.row.forward(memory.x, memory.caches, on_output=look)
        gradient = np.zeros_like(network.theta)
        labels = samples.load(memory, epoch, indices)
        network.forward_backward(memory, labels, network.objective.scale(len(indices)), network.layout.views(gradient))
        weights = {
            place.layer.index: (mean_size(network.theta[place.slice]), mean_size(gradient[place.slice]))
            for place in network.layout.parameters.values()
            if place.key == "W"
        }
    kinds = {layer.index: layer.kind for layer in network.layers}
    rows = []
    for index in sorted(weights.keys() | dead.keys() | saturated.keys()):
        W, dW = weights.get(index, (None, None))
        ratio = None if W is None or dW is None or W == 0 else dW / W
        rows.append(LayerDiagnostics(index, kinds[index], W, dW, ratio, dead.get(index), saturated.get(index)))
    return rows


def mean_size(values: Array) -> float:
    """Mean of |values|."""
    return float(np.mean(np.abs(values), dtype=np.float64))


def dead_share(a: Array) -> float:
    """Share of the filters of ``(H, K, W, N)``, or of the units of ``(units, N)``, that are 0 throughout."""
    alive = a.max(axis=(0, 2, 3) if a.ndim == 4 else 1) > 0
    return 1 - float(np.mean(alive))
