"""Messages about a diverged run: where it happened, which layer came first, and what to try."""

from typing import Any

import numpy as np

from cnntrain.config import TrainingOptions
from cnntrain.layers.base import Layer
from cnntrain.layers.row import in_config, walk
from cnntrain.network.network import Network
from cnntrain.network.workspaces import MicroBatchWorkspace
from cnntrain.training.samples import TrainingSamples
from cnntrain.training.state import TrainState
from cnntrain.types import Array, Labels


def batch_message(
    network: Network, samples: TrainingSamples, state: TrainState, indices: Labels, options: TrainingOptions
) -> str:
    """Return a sentence on the batch after ``state``, whose loss is not finite."""
    where, hint = f"epoch {state.epoch}, batch {state.batch + 1}", advice(options, state)
    for part in network.micro_batches(len(indices)):
        workspace = network.workspace(part.stop - part.start)
        samples.load(workspace, state.epoch, indices[part])
        layer = first_nonfinite(network, workspace)
        if layer:
            return f"{where}: the loss is not finite; the first non-finite output is that of {layer}; {hint}"
    return f"{where}: the loss is not finite, though the outputs of all layers are; {hint}"


def first_nonfinite(network: Network, workspace: MicroBatchWorkspace) -> str | None:
    """Return the first entry with an infinity or NaN in its output, as ``layers[2] (conv)``, or None."""
    nonfinite: list[str] = []
    names = {layer: name for name, layer in walk(network.layers)}

    def check(layer: Layer[Any], y: Array) -> None:
        if not nonfinite and not np.isfinite(y).all():
            nonfinite.append(f"{in_config(names[layer])} ({layer.kind})")

    with np.errstate(over="ignore", invalid="ignore"):
        network.run(workspace.x, workspace, on_output=check)
    return nonfinite[0] if nonfinite else None


def parameter_message(network: Network, state: TrainState, options: TrainingOptions) -> str:
    """Return a sentence on the parameters that are not finite after the batches in ``state``."""
    names = [name for name, value in network.state().items() if not np.isfinite(value).all()]
    return f"after epoch {state.epoch}, batch {state.batch}: {', '.join(names)} overflowed; {advice(options, state)}"


def loss_message(split: str, state: TrainState, options: TrainingOptions) -> str:
    """Return a sentence on a split whose loss is not finite after the batches in ``state``."""
    where = f"epoch {state.epoch}, batch {state.batch}" if state.batch else f"epoch {state.epoch - 1}"
    return f"after {where}: the {split} loss is not finite; {advice(options, state)}"


def advice(options: TrainingOptions, state: TrainState) -> str:
    """Return what to try: a smaller alpha than the one that failed, which rollbacks may have reduced."""
    words = [f"try a smaller training.alpha than {state.alpha_factor * options.alpha:g}"]
    if options.reduction == "sum":
        words.append("training.reduction: mean")
    if options.momentum:
        words.append(f"a smaller training.momentum than {options.momentum:g}")
    return ", or ".join(words)
