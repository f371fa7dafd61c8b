"""Holding out whole groups of samples: of one person, or of one burst of a camera, all are on one side."""

import numpy as np
from numpy.typing import NDArray

from cnntrain.types import Labels


def drawn_by_group(labels: Labels, groups: Labels, total: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw about ``total`` samples, whole groups at random, of each class by its share as far as groups allow.

    A group is drawn if that brings the classes closer to their shares, then, where classes are too small for that, if
    it brings the total closer. Every class keeps a sample that is not drawn.

    Shape:
        labels ``(N,)``; groups ``(N,)``, whole numbers -> chosen ``(N,)``, True for the samples drawn
    """
    counts = np.bincount(labels)
    wanted, taken = total * counts / len(labels), np.zeros(len(counts))
    _, sizes_of = np.unique(groups, return_counts=True)
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(sizes_of)[:-1])
    chosen = np.zeros(len(labels), bool)
    left: list[tuple[float, int]] = []
    for group in rng.permutation(len(members)).tolist():
        classes, sizes = np.unique(labels[members[group]], return_counts=True)
        change = (sizes * (2 * (taken - wanted)[classes] + sizes) / counts[classes]).sum()
        if (taken[classes] + sizes >= counts[classes]).any():
            continue
        if change < 0:
            chosen[members[group]] = True
            taken[classes] += sizes
        else:
            left.append((change / len(members[group]), group))
    raised = np.zeros(len(counts), bool)
    for _, group in sorted(left, key=lambda item: item[0]):  # those that change alike stay in random order
        classes, sizes = np.unique(labels[members[group]], return_counts=True)
        missing = total - taken.sum()
        fits = len(members[group]) < 2 * missing or not chosen.any()
        if fits and not raised[classes].any() and (taken[classes] + sizes < counts[classes]).all():
            chosen[members[group]] = True
            taken[classes] += sizes
            raised[classes] = True
    return chosen
