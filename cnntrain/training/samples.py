"""Training samples as the network sees them: gathered, augmented, mixed and standardized per micro-batch."""

import numpy as np
from numpy.typing import NDArray

from cnntrain.config import TrainingOptions
from cnntrain.data import Data
from cnntrain.data.augmentation import Augmentation
from cnntrain.data.mixing import Mixing
from cnntrain.network.workspaces import MicroBatchWorkspace
from cnntrain.ops.counter_rng import CounterRng, SampleIds
from cnntrain.types import Labels, Targets

VIEWS = 7
"""Spawn key of the random numbers that choose the views of features."""


class TrainingSamples:
    """The training set with its augmentation."""

    def __init__(self, data: Data, options: TrainingOptions):
        self._data = data
        self._augment = Augmentation(options.augmentation, options.seed, data.preprocessing.mean)
        self._mix = Mixing(options.augmentation, options.seed) if options.augmentation.mixes_images else None
        self._rng = CounterRng(options.seed, (VIEWS,))

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
        gathered = self._data.train.gather(samples, self._views(workspace.sample_ids))
        pixels = self._augment(gathered, workspace.sample_ids)
        labels: Targets = self._data.train.labels[samples]
        if self._mix is not None:
            pixels, labels = self._mix(pixels, self._data.train.labels[samples], workspace.sample_ids)
        self._data.preprocessing.columns(pixels, workspace.x)
        return labels

    def _views(self, ids: SampleIds) -> NDArray[np.intp] | None:
        """Return the view of each sample in this epoch, random: a function of the seed, the epoch and the sample."""
        count = self._data.train.views
        if count == 1:
            return None
        drawn = [self._rng.generator(ids.epoch, sample).random() for sample in ids.samples.tolist()]
        return (np.array(drawn) * count).astype(np.intp)
