"""The forward pass in evaluation mode, for as many micro-batches as an evaluation has."""

from collections.abc import Sequence
from typing import Any

from cnntrain.layers.base import Layer
from cnntrain.layers.folding import folded
from cnntrain.network.workspaces import MicroBatchWorkspace
from cnntrain.types import Array


class EvaluationPass:
    """The forward pass of a network in evaluation mode, with the parameters that it has now.

    It prepares its layers once (see ``cnntrain.layers.folding``); for parameters that have changed, make another.

    Args:
        layers: The layers of the network.
        loss_input: Index of the layer whose input is that of the loss; see ``Network.training_stop``.
    """

    def __init__(self, layers: Sequence[Layer[Any]], loss_input: int):
        self.row, self.loss_input = folded(layers), loss_input

    def logits(self, workspace: MicroBatchWorkspace) -> Array:
        """Return the input of the loss for the micro-batch in ``workspace.x``, which is overwritten."""
        return self.row.infer(workspace.x, workspace.caches, stop=self.loss_input)

    def output(self, workspace: MicroBatchWorkspace, logits: Array | None = None) -> Array:
        """Return the output of the network for the micro-batch in ``workspace.x``, or for its ``logits``."""
        logits = self.logits(workspace) if logits is None else logits
        return self.row.infer(logits, workspace.caches, start=self.loss_input)
