"""Training samples as the network gets them: read, augmented and standardized, a slice at a time."""

from cnntrain.config import TrainingOptions
from cnntrain.data import Data
from cnntrain.data.augmentation import Augmentation
from cnntrain.network.workspaces import MicroBatchWorkspace
from cnntrain.types import Labels


class TrainingSamples:
    """The training set, and how its images are changed each time they are used."""

    def __init__(self, data: Data, options: TrainingOptions):
        self._data = data
        self._augment = Augmentation(options.augmentation, options.seed, data.preprocessing.mean)

    def __len__(self) -> int:
        return len(self._data.train)

    def load(self, memory: MicroBatchWorkspace, epoch: int, samples: Labels) -> Labels:
        """Write samples into the memory of a slice, as they are in this epoch; return their labels.

        Args:
            memory: Of as many samples.
            epoch: Counted from 1.
            samples: Their places in the training set.
        """
        memory.sample_ids.epoch, memory.sample_ids.samples = epoch, samples
        pixels = self._augment(self._data.train.gather(samples), memory.sample_ids)
        self._data.preprocessing.columns(pixels, memory.x)
        labels: Labels = self._data.train.labels[samples]
        return labels
