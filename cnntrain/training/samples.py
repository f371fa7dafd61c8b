"""Training samples as the network sees them: gathered, augmented, mixed and standardized per micro-batch."""

from collections.abc import Iterable, Iterator

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
        changes, mean = options.augmentation, data.preprocessing.mean
        self._augment = Augmentation(changes, options.seed, mean) if changes.changes_single_images else None
        self._mix = Mixing(options.augmentation, options.seed) if options.augmentation.mixes_images else None
        self._rng = CounterRng(options.seed, (VIEWS,))

    def __len__(self) -> int:
        return len(self._data.train)

    def read_ahead(self, batches: Iterable[Labels]) -> Iterator[Labels]:
        """Return batches of samples; while one is used, the images of the next one are read from disk."""
        return self._read_ahead(batches) if self._data.train.is_mapped else iter(batches)

    def _read_ahead(self, batches: Iterable[Labels]) -> Iterator[Labels]:
        before: Labels | None = None
        for batch in batches:
            self._data.train.read_ahead(batch)
            if before is not None:
                yield before
            before = batch
        if before is not None:
            yield before

    def load(self, workspace: MicroBatchWorkspace, epoch: int, samples: Labels) -> Targets:
        """Write samples, augmented as in ``epoch``, into the input of a micro-batch; return their labels.

        Args:
            workspace: Buffers of a micro-batch of this size.
            epoch: Epoch, from 1.
            samples: Indices in the training set, ``(N,)``.
        """
        workspace.sample_ids.epoch, workspace.sample_ids.samples = epoch, samples
        train = self._data.train
        pixels = train.gather(samples, self._views(workspace.sample_ids) if train.views > 1 else None)
        labels: Targets = train.labels[samples]
        if self._augment is not None:
            pixels = self._augment(pixels, workspace.sample_ids)
        if self._mix is not None:
            pixels, labels = self._mix(pixels, train.labels[samples], workspace.sample_ids)
        self._data.preprocessing.columns(pixels, workspace.x)
        return labels

    def _views(self, ids: SampleIds) -> NDArray[np.intp]:
        """Return the view of each sample in this epoch, random: a function of the seed, the epoch and the sample."""
        return (self._rng.uniform(ids, 1)[:, 0] * self._data.train.views).astype(np.intp)
