"""Mixing training images and their labels in pairs, within a micro-batch.

::

    mixup    x = s x1 + (1 - s) x2                        (Zhang et al. 2018, arXiv:1710.09412)
    cutmix   x = x1, with a rectangle of x2 pasted in     (Yun et al. 2019, arXiv:1905.04899)
    label    s y1 + (1 - s) y2,  s in Beta(a, a); for cutmix s is the share of x1's pixels that remain

Each sample gets another one of its micro-batch as its partner, as the seed, the epoch and the sample decide.
Micro-batches follow from the config, so mixed images do not depend on the number of processes. With both mixup and
cutmix, each sample takes one of them with probability 1/2.
"""

import math

import numpy as np

from cnntrain.config.schema.augmentation import AugmentationOptions
from cnntrain.data.pixels import Images, cast_like
from cnntrain.ops.counter_rng import CounterRng, SampleIds
from cnntrain.types import Labels, MixedLabels

MIXING = 9
"""Spawn key of the random numbers."""


class Mixing:
    """Mixes the images of micro-batches.

    Args:
        options: ``mixup`` and ``cutmix``.
        seed: Seed of the run.
    """

    def __init__(self, options: AugmentationOptions, seed: int):
        self._options = options
        self._rng = CounterRng(seed, (MIXING,))

    def __call__(self, pixels: Images, labels: Labels, ids: SampleIds) -> tuple[Images, MixedLabels]:
        """Return the mixed images of a micro-batch, and their labels.

        Args:
            pixels: ``(n, C, H, W)``, uint8 or float32.
            labels: ``(n,)``.
            ids: Epoch and sample indices.
        """
        mixed, partners, shares = pixels.copy(), np.arange(len(pixels)), np.ones(len(pixels))
        if len(pixels) > 1:
            for i, sample in enumerate(ids.samples.tolist()):
                rng = self._rng.generator(ids.epoch, sample)
                partners[i] = (i + 1 + int(rng.random() * (len(pixels) - 1))) % len(pixels)
                shares[i] = self._mix(mixed[i], pixels[partners[i]], rng)
        return mixed, MixedLabels(labels, labels[partners], shares)

    def _mix(self, x: Images, other: Images, rng: np.random.Generator) -> float:
        """Mix ``other`` into ``x``; return the share of x."""
        mixup, cutmix = self._options.mixup, self._options.cutmix
        if mixup and (not cutmix or rng.random() < 0.5):
            share = float(rng.beta(mixup, mixup))
            blend = x.astype(np.float32)
            blend *= np.float32(share)
            blend += np.float32(1 - share) * other
            x[...] = cast_like(x, blend)
            return share
        H, W = x.shape[1:]
        rows, columns = rectangle(math.sqrt(1 - rng.beta(cutmix, cutmix)), rng.random(), rng.random(), H, W)
        x[:, rows, columns] = other[:, rows, columns]
        pasted: int = (rows.stop - rows.start) * (columns.stop - columns.start)
        return 1.0 - pasted / float(H * W)


def rectangle(side: float, u: float, v: float, H: int, W: int) -> tuple[slice, slice]:
    """Return rows and columns of a rectangle whose center is any pixel, as far as it is inside the image.

    Args:
        side: Share of the image's height and width.
        u: Position of the center, 0..1, among the rows.
        v: The same among the columns.
        H: Rows of the image.
        W: Columns.
    """
    rows, columns = (
        slice(max(0, center - half), min(size, center + half))
        for size, center, half in ((H, int(u * H), int(side * H) // 2), (W, int(v * W), int(side * W) // 2))
    )
    return rows, columns
