"""Training samples as the network sees them: gathered, augmented and standardized per micro-batch."""

from cnntrain.config import TrainingOptions
from cnntrain.data import Data
from cnntrain.data.augmentation import Augmentation
from cnntrain.network.workspaces import MicroBatchWorkspace
from cnntrain.types import Labels


class TrainingSamples:
    """The training set with its augmentation."""

    def __init__(self, data: Data, options: TrainingOptions):
        self._data = data
        self._augment = Augmentation(options.augmentation, options.seed, data.preprocessing.mean)

    def __len__(self) -> int:
        return len(self._data.train)

    def load(self, workspace: MicroBatchWorkspace, epoch: int, samples: Labels) -> Labels:
        """Write samples, augmented as in ``epoch``, into the input of a micro-batch; return their labels.

        Args:
            workspace: Buffers of a micro-batch of this size.
            epoch: Epoch, from 1.
            samples: Indices in the training set, ``(N,)``.
        """
        workspace.sample_ids.epoch, workspace.sample_ids.samples = epoch, samples
        pixels = self._augment(self._data.train.gather(samples), workspace.sample_ids)
        self._data.preprocessing.columns(pixels, workspace.x)
        labels: Labels = self._data.train.labels[samples]
        return labels
