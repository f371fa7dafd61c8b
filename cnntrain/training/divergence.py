"""What to say when a run diverges: where it happened, which layer came first, and what to try."""

import numpy as np

from cnntrain.config import TrainingOptions
from cnntrain.network import Network
from cnntrain.training.loading import TrainingSamples
from cnntrain.types import Labels


def of_batch(
    network: Network, samples: TrainingSamples, iteration: int, batch: int, places: Labels, options: TrainingOptions
) -> str:
    """One sentence about a batch whose loss is not finite."""
    where = f"iteration {iteration}, batch {batch}"
    for part in network.slices(len(places)):
        memory = network.memory(part.stop - part.start)
        samples.load(memory, iteration, places[part])
        layer = network.first_not_finite(memory)
        if layer:
            return (
                f"{where}: the loss is not finite; the first output that is not is that of {layer}; {advice(options)}"
            )
    return f"{where}: the loss is not finite, though every layer's output is; {advice(options)}"


def of_parameters(network: Network, where: str, options: TrainingOptions) -> str:
    """One sentence about parameters that are not finite."""
    names = [name for name, value in network.state().items() if not np.isfinite(value).all()]
    return f"after {where}: {', '.join(names)} overflowed; {advice(options)}"


def advice(options: TrainingOptions) -> str:
    """What to try."""
    words = [f"try a smaller training.alpha than {options.alpha:g}"]
    if options.reduction == "sum":
        words.append("training.reduction: mean")
    if options.momentum:
        words.append(f"a smaller training.momentum than {options.momentum:g}")
    return ", or ".join(words)
