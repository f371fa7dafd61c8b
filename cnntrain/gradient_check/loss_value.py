"""J of one small batch, evaluated again and again while single parameters are perturbed."""

from typing import Any

import numpy as np

from cnntrain.layers.base import Layer
from cnntrain.network.network import Network
from cnntrain.network.workspaces import MicroBatchWorkspace
from cnntrain.types import Array, Labels

MAX_CACHED = 2**25
"""Maximum number of cached input values of layers: 256 MB."""


class LossValue:
    """J, with its penalties, in training mode.

    Perturbing the parameters of a layer does not change the layers before it: the forward pass starts at that layer,
    with its cached input.

    Args:
        network: The network; its theta may be perturbed between calls.
        x: The batch ``(N, C, H, W)``; may be perturbed, too.
        y: The labels ``(N,)``.
    """

    def __init__(self, network: Network, x: Array, y: Labels):
        self.network, self.x, self.y = network, x, y
        self.parts = network.micro_batches(len(x))
        self.inputs: list[dict[int, Array]] = [{} for _ in self.parts]
        cached = 0
        for part, inputs in zip(self.parts, self.inputs, strict=True):
            workspace = network.load_micro_batch(x, part)
            cached += workspace.x.size
            outputs = 0

            def cache_output(layer: Layer[Any], y: Array, inputs: dict[int, Array] = inputs) -> None:
                nonlocal cached, outputs
                if layer is not network.layers[outputs]:
                    return  # it is inside a residual block
                cached, outputs = cached + y.size, outputs + 1
                if outputs < network.training_stop and cached <= MAX_CACHED:
                    inputs[outputs] = y.copy()

            network.forward_micro_batch(workspace, cache_output)

    def __call__(self, position: int = 0) -> tuple[float, bytes]:
        """Return J, and the side of every kink that the forward pass took from a layer on.

        Args:
            position: Index in ``network.layers``; no layer before it has changed.
        """
        network = self.network
        scale = network.objective.scale(len(self.x))
        J, pattern = 0.0, b""
        for part, inputs in zip(self.parts, self.inputs, strict=True):
            workspace = network.load_micro_batch(self.x, part)
            first = max((i for i in inputs if i <= position), default=0)
            value = inputs[first].copy() if first else workspace.x
            value = network.run(value, workspace, first, network.training_stop)
            J += network.compute_loss(value, self.y[part], network.training_loss)[0] * scale
            pattern += self.pattern(workspace, first)
        return J + network.objective.penalty(network.theta[: network.layout.W_count]), pattern

    def pattern(self, workspace: MicroBatchWorkspace, first: int) -> bytes:
        """Return the side of every kink that the last forward pass took, including the kink of L1 at W = 0."""
        parts = self.network.row.patterns(workspace.caches, max(first, self.network.frozen), self.network.training_stop)
        if self.network.objective.l1:
            parts.append(self.network.theta[: self.network.layout.W_count] > 0)
        return b"".join(np.packbits(part != 0).tobytes() for part in parts)
