"""Loss and accuracy of a network on a data set, and what it said of each sample: forward only."""

from dataclasses import dataclass

import numpy as np

from cnntrain.data import Dataset, Preprocessing
from cnntrain.evaluation.predictions import Predictions
from cnntrain.network.network import Network
from cnntrain.parallel import Communicator


@dataclass(frozen=True, slots=True)
class Score:
    """Mean loss a sample (without penalties on W), share of samples that are right, and how many there are."""

    loss: float
    accuracy: float
    samples: int


def score(
    network: Network,
    dataset: Dataset,
    preprocessing: Preprocessing,
    comm: Communicator,
    answers: Predictions | None = None,
) -> Score:
    """Return loss and accuracy of ``network`` on ``dataset``; each rank judges its slices.

    Args:
        network: In evaluation mode: ``Layer.infer``.
        dataset: Samples with their labels.
        preprocessing: That of the weights.
        comm: The other ranks.
        answers: Where this rank notes what the network said of the samples in its slices.
    """
    parts = list(network.micro_batches(len(dataset)))
    for i in comm.micro_batches(len(parts)):
        part = parts[i]
        memory = network.workspace(part.stop - part.start)
        preprocessing.columns(dataset.gather(np.arange(part.start, part.stop)), memory.x)
        with np.errstate(over="ignore", invalid="ignore"):
            output = network.infer_micro_batch(memory)
            loss, correct, _ = network.compute_loss(output, dataset.labels[part])
            if answers is not None:
                answers.note(part, output.reshape(-1, memory.n), dataset.labels[part])
        comm.record(i, loss, correct)
    loss, correct = comm.allreduce(len(parts))
    return Score(loss / len(dataset), correct / len(dataset), len(dataset))
