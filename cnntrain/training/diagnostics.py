"""Diagnostics of the layers: sizes of weights and gradients, dead and saturated units.

A network that does not learn usually has vanishing gradients, weights that do not move, dead ReLUs or saturated
sigmoids.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.layers.residual import Residual
from cnntrain.layers.row import walk
from cnntrain.network.network import Network
from cnntrain.network.parameter_vector import in_order
from cnntrain.ops.activations import ReLU, Sigmoid, Tanh
from cnntrain.training.samples import TrainingSamples
from cnntrain.types import Array

SATURATION_MARGIN = 0.01
"""A sigmoid this close to 0 or 1, or a tanh this close to -1 or 1, is saturated: sigma' < 0.01 or 0.02."""


@dataclass(frozen=True, slots=True)
class LayerDiagnostics:
    """Diagnostics of one entry of ``network.layers`` that has W, b or an activation."""

    name: str
    """Such as ``layers.2``; inside a residual block, ``layers.2.0``."""
    kind: str
    W: float | None
    """Mean |W|; None without W."""
    dW: float | None
    """Mean |dJ/dW| on the samples used."""
    ratio: float | None
    """dW / W."""
    dead: float | None
    """Fraction of filters or units whose ReLU is 0 for every sample and pixel; None without a ReLU."""
    saturated: float | None
    """Fraction of saturated values of sigmoid or tanh; None without either."""


def diagnose_layers(network: Network, samples: TrainingSamples, epoch: int) -> list[LayerDiagnostics]:
    """Compute diagnostics on the first micro-batch of the training set, augmented as in ``epoch``.

    The network does not change.
    """
    part = network.micro_batches(len(samples))[0]
    workspace = network.workspace(part.stop - part.start)
    indices = np.arange(part.start, part.stop)
    with np.errstate(over="ignore", invalid="ignore"):
        samples.load(workspace, epoch, indices)
        entries = list(walk(network.layers))
        names = {layer: name for name, layer in entries}
        dead: dict[str, float] = {}
        saturated: dict[str, float] = {}

        def observe(layer: Layer[Any], y: Array) -> None:
            match layer.sigma if isinstance(layer, Activation | Residual) else None:
                case ReLU():
                    dead[names[layer]] = dead_fraction(y)
                case Sigmoid():
                    saturated[names[layer]] = float(np.mean(np.abs(y - 0.5) > 0.5 - SATURATION_MARGIN))
                case Tanh():
                    saturated[names[layer]] = float(np.mean(np.abs(y) > 1 - SATURATION_MARGIN))

        network.run(workspace.x, workspace, on_output=observe)
        gradient = np.zeros(network.layout.size, network.dtype)
        labels = samples.load(workspace, epoch, indices)
        network.forward_backward(
            workspace, labels, network.objective.scale(len(indices)), network.layout.views(gradient)
        )
        weights = {
            slot.entry: (mean_abs(network.theta[slot.slice]), mean_abs(gradient[slot.slice]))
            for slot in network.layout.trained.values()
            if slot.key == "W"
        }
    rows = []
    for name, kind in {name: layer.kind for name, layer in reversed(entries)}.items():
        W, dW = weights.get(name, (None, None))
        ratio = None if W is None or dW is None or W == 0 else dW / W
        if {name} & (weights.keys() | dead.keys() | saturated.keys()):
            rows.append(LayerDiagnostics(name, kind, W, dW, ratio, dead.get(name), saturated.get(name)))
    rows.sort(key=lambda row: in_order(row.name))
    return rows


def mean_abs(values: Array) -> float:
    """Return the mean of |values|."""
    return float(np.mean(np.abs(values), dtype=np.float64))


def dead_fraction(a: Array) -> float:
    """Return the fraction of filters of ``(rows, K, columns, N)``, or of units of ``(units, N)``, that are always 0."""
    alive = a.max(axis=(0, 2, 3) if a.ndim == 4 else 1) > 0
    return 1 - float(np.mean(alive))
