"""Training samples as the network sees them: gathered, augmented, mixed and standardized per micro-batch."""

from cnntrain.config import TrainingOptions
from cnntrain.data import Data
from cnntrain.data.augmentation import Augmentation
from cnntrain.data.mixing import Mixing
from cnntrain.network.workspaces import MicroBatchWorkspace
from cnntrain.types import Labels, Targets


class TrainingSamples:
    """The training set with its augmentation."""

    def __init__(self, data: Data, options: TrainingOptions):
        self._data = data
        self._augment = Augmentation(options.augmentation, options.seed, data.preprocessing.mean)
        self._mix = Mixing(options.augmentation, options.seed) if options.augmentation.mixes_images else None

    def __len__(self) -> int:
        return len(self._data.train)

    def load(self, workspace: MicroBatchWorkspace, epoch: int, samples: Labels) -> Targets:
        """Write samples, augmented as in ``epoch``, into the input of a micro-batch; return their labels.

        Args:
            workspace: Buffers of a micro-batch of this size.
            epoch: Epoch, from 1.
            samples: Indices in the training set, ``(N,)``.
        """
        workspace.sample_ids.epoch, workspace.sample_ids.samples = epoch, samples
        pixels = self._augment(self._data.train.gather(samples), workspace.sample_ids)
        labels: Targets = self._data.train.labels[samples]
        if self._mix is not None:
            pixels, labels = self._mix(pixels, self._data.train.labels[samples], workspace.sample_ids)
        self._data.preprocessing.columns(pixels, workspace.x)
        return labels
