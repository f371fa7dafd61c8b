"""J of one small batch, again and again, while one parameter after the other is moved a little."""

from typing import Any

import numpy as np

from cnntrain.layers.base import Layer
from cnntrain.network.network import Network
from cnntrain.network.workspaces import MicroBatchWorkspace
from cnntrain.types import Array, Labels

MAX_KEPT = 2**25
"""Values of layers' inputs that are kept, at most: 256 MB."""


class LossValue:
    """J, with its penalties, in training mode.

    What comes before a step of the network does not change when only that step's parameters do: the forward pass begins
    there, with the input that the step got the first time.

    Args:
        network: Its theta may be moved between two calls.
        x: The batch ``(N, C, H, W)``; may be moved, too.
        y: Its labels.
    """

    def __init__(self, network: Network, x: Array, y: Labels):
        self.network, self.x, self.y = network, x, y
        self.parts = list(network.micro_batches(len(x)))
        self.inputs: list[dict[int, Array]] = [{} for _ in self.parts]
        kept = 0
        for part, inputs in zip(self.parts, self.inputs, strict=True):
            memory = network.load(x, part)
            kept += memory.x.size
            outputs = 0

            def keep(_: Layer[Any], y: Array, inputs: dict[int, Array] = inputs) -> None:
                nonlocal kept, outputs
                kept, outputs = kept + y.size, outputs + 1
                if outputs < network.training_stop and kept <= MAX_KEPT:
                    inputs[outputs] = y.copy()

            network.forward_micro_batch(memory, keep)

    def __call__(self, step: int = 0) -> tuple[float, bytes]:
        """Return J, and on which side of every kink the forward pass lay from a step on.

        Args:
            step: Place in ``network.layers``; nothing before it has changed.
        """
        network = self.network
        scale = network.objective.scale(len(self.x))
        J, pattern = 0.0, b""
        for part, inputs in zip(self.parts, self.inputs, strict=True):
            memory = network.load(self.x, part)
            first = max((kept for kept in inputs if kept <= step), default=0)
            value = inputs[first].copy() if first else memory.x
            value = network.row.forward(value, memory.caches, first, network.training_stop)
            J += network.compute_loss(value, self.y[part], network.training_loss)[0] * scale
            pattern += self.pattern(memory, first)
        return J + network.objective.penalty(network.theta[: network.layout.W_count]), pattern

    def pattern(self, memory: MicroBatchWorkspace, first: int) -> bytes:
        """Which side of every kink the last forward of a slice took; of W = 0, too, where L1 bends there."""
        parts = self.network.row.patterns(memory.caches, first, self.network.training_stop)
        if self.network.objective.l1:
            parts.append(self.network.theta[: self.network.layout.W_count] > 0)
        return b"".join(np.packbits(part != 0).tobytes() for part in parts)
