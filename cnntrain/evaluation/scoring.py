"""Loss and accuracy of a network on a dataset, and its predictions: forward passes only."""

from dataclasses import dataclass

import numpy as np

from cnntrain.data import Dataset, Preprocessing
from cnntrain.evaluation.predictions import Predictions
from cnntrain.network.network import Network
from cnntrain.parallel import Communicator


@dataclass(frozen=True, slots=True)
class Score:
    """Mean loss per sample (without penalties on W), accuracy, and number of samples."""

    loss: float
    accuracy: float
    samples: int


def score(
    network: Network,
    dataset: Dataset,
    preprocessing: Preprocessing,
    comm: Communicator,
    predictions: Predictions | None = None,
) -> Score:
    """Return loss and accuracy of ``network`` on ``dataset``; each rank evaluates its micro-batches.

    Args:
        network: Network, evaluated in inference mode.
        dataset: Samples with labels.
        preprocessing: Preprocessing that the network was trained with.
        comm: Communicator of this rank.
        predictions: Collects the predictions on this rank's micro-batches.
    """
    parts = network.micro_batches(len(dataset))
    with np.errstate(over="ignore", invalid="ignore"):
        evaluation = network.evaluation()
    for i in comm.micro_batches(len(parts)):
        part = parts[i]
        workspace = network.workspace(part.stop - part.start)
        preprocessing.columns(dataset.gather(np.arange(part.start, part.stop)), workspace.x)
        with np.errstate(over="ignore", invalid="ignore"):
            output = evaluation.logits(workspace)
            loss, correct, _ = network.compute_loss(output, dataset.labels[part])
            if predictions is not None:
                predictions.add(part, output.reshape(-1, workspace.n), dataset.labels[part])
        comm.record(i, loss, correct)
    loss, correct = comm.allreduce(len(parts))
    return Score(loss / len(dataset), correct / len(dataset), len(dataset))
