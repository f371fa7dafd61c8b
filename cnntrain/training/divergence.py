"""What to say when a run diverges: where it happened, which layer came first, and what to try."""

import numpy as np

from cnntrain.config import TrainingOptions
from cnntrain.network import Network
from cnntrain.training.loading import TrainingSamples
from cnntrain.training.progress import Progress
from cnntrain.types import Labels


def of_batch(
    network: Network, samples: TrainingSamples, here: Progress, places: Labels, options: TrainingOptions
) -> str:
    """One sentence about the batch behind ``here``, whose loss is not finite."""
    where, what_to_try = f"iteration {here.iteration}, batch {here.batch + 1}", advice(options, here)
    for part in network.slices(len(places)):
        memory = network.memory(part.stop - part.start)
        samples.load(memory, here.iteration, places[part])
        layer = network.first_not_finite(memory)
        if layer:
            return f"{where}: the loss is not finite; the first output that is not is that of {layer}; {what_to_try}"
    return f"{where}: the loss is not finite, though every layer's output is; {what_to_try}"


def of_parameters(network: Network, here: Progress, options: TrainingOptions) -> str:
    """One sentence about parameters that are not finite after the batches in ``here``."""
    names = [name for name, value in network.state().items() if not np.isfinite(value).all()]
    return (
        f"after iteration {here.iteration}, batch {here.batch}: {', '.join(names)} overflowed; {advice(options, here)}"
    )


def of_loss(split: str, here: Progress, options: TrainingOptions) -> str:
    """One sentence about a split whose loss is not finite after the batches in ``here``."""
    where = f"iteration {here.iteration}, batch {here.batch}" if here.batch else f"iteration {here.iteration - 1}"
    return f"after {where}: the {split} loss is not finite; {advice(options, here)}"


def advice(options: TrainingOptions, here: Progress) -> str:
    """What to try: an alpha below the one that failed, of which a rollback may have left but a part."""
    words = [f"try a smaller training.alpha than {here.alpha_factor * options.alpha:g}"]
    if options.reduction == "sum":
        words.append("training.reduction: mean")
    if options.momentum:
        words.append(f"a smaller training.momentum than {options.momentum:g}")
    return ", or ".join(words)
