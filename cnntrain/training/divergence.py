"""Messages about a diverged run: where it happened, which layer came first, and what to try."""

import numpy as np

from cnntrain.config import TrainingOptions
from cnntrain.network.network import Network
from cnntrain.training.samples import TrainingSamples
from cnntrain.training.state import TrainState
from cnntrain.types import Labels


def batch_message(
    network: Network, samples: TrainingSamples, state: TrainState, indices: Labels, options: TrainingOptions
) -> str:
    """Return a sentence on the batch after ``state``, whose loss is not finite."""
    where, hint = f"epoch {state.epoch}, batch {state.batch + 1}", advice(options, state)
    for part in network.micro_batches(len(indices)):
        workspace = network.workspace(part.stop - part.start)
        samples.load(workspace, state.epoch, indices[part])
        layer = network.first_nonfinite(workspace)
        if layer:
            return f"{where}: the loss is not finite; the first non-finite output is that of {layer}; {hint}"
    return f"{where}: the loss is not finite, though the outputs of all layers are; {hint}"


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
