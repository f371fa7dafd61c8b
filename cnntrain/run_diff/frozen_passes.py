"""The arrays of a training step of a network whose first layers are frozen, which ``Network.trace`` refuses.

Delta only goes back to the first layer that is trained.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.layers.row import walk
from cnntrain.layers.softmax import Softmax
from cnntrain.network.network import Network
from cnntrain.types import Array, Labels

LOSSES = "losses"
"""Name of the losses of the samples."""


def passes(network: Network, x: Array, y: Labels) -> Iterator[tuple[str, str, Array]]:
    """Yield stage, name and value of each array of a micro-batch, in the order in which they are computed."""
    names = {layer: name for name, layer in walk(network.layers)}
    outputs: list[tuple[str, Array]] = []
    deltas: list[tuple[str, Array]] = []

    def on_output(layer: Layer[Any], value: Array) -> None:
        key = "a" if isinstance(layer, Activation | Softmax) or not layer.params else "z"
        outputs.append((f"{names[layer]}.{key}", value.copy()))

    def on_delta(layer: Layer[Any], delta: Array | None) -> None:
        if delta is not None:
            deltas.append((f"{names[layer]}.{'delta' if isinstance(layer, Activation) else 'dx'}", delta.copy()))

    workspace, partial = network.load_micro_batch(x, slice(0, len(x))), np.zeros_like(network.theta)
    output = network.forward_micro_batch(workspace, on_output)
    yield from (("forward", name, value) for name, value in outputs)
    losses, delta = network.training_loss(output.reshape(-1, workspace.n), network.class_indices[y])
    yield "loss", LOSSES, losses
    delta *= network.objective.scale(len(x))
    delta = delta.reshape(output.shape)
    yield "backward", f"{names[network.layers[network.training_stop - 1]]}.delta", delta.copy()
    grads = network.layout.views(partial)
    network.row.backward(delta, workspace.caches, grads, network.frozen, network.training_stop, False, on_delta)
    yield from (("backward", name, value) for name, value in deltas)
    for name, gradient in reversed(network.layout.named(partial, network.layout.trained).items()):
        entry, _, key = name.rpartition(".")
        yield "backward", f"{entry}.d{key}", gradient
