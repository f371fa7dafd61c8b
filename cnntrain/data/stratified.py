"""Holding out a share of the training samples."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.dataset import Dataset
from cnntrain.data.names import join_names
from cnntrain.errors import DataError
from cnntrain.types import Labels


def hold_out(dataset: Dataset, share: float, rng: np.random.Generator, keep: int = 0) -> tuple[Dataset, Dataset | None]:
    """Split off a ``share`` of the samples, drawn at random, of each class alike; whole groups where there are some.

    Both parts keep the order of the samples.

    Args:
        dataset: The training samples.
        share: 0..1; 0 holds out nothing. Rounded to whole samples, but one at least.
        rng: Decides which samples of a class are held out.
        keep: So many samples of each class remain, even if fewer are then held out.

    Returns:
        The samples that remain, and those held out, or None.

    Raises:
        DataError: No sample would remain to train on.
    """
    if share == 0:
        return dataset, None
    total = max(1, round(share * len(dataset)))
    if total >= len(dataset):
        raise DataError(
            f"data.validation: {share:g} of {len(dataset):,} training samples leaves none to train on; choose a "
            "smaller share"
        )
    held = sample_mask(dataset, total, rng, keep)
    if not held.any():
        return dataset, None
    return dataset.take(np.flatnonzero(~held)), dataset.take(np.flatnonzero(held))


def sample_mask(dataset: Dataset, total: int, rng: np.random.Generator, keep: int = 0) -> NDArray[np.bool_]:
    """Draw ``total`` samples, ``(N,)``, True for those drawn: by class, or about as many in whole groups."""
    if dataset.groups is not None:
        return grouped_mask(dataset.labels, dataset.groups, total, rng)
    return stratified_mask(dataset.labels, total, rng, keep)


def stratified_mask(labels: Labels, total: int, rng: np.random.Generator, keep: int = 0) -> NDArray[np.bool_]:
    """Draw ``total`` samples, of each class by its share, within one sample.

    A class gives ``total * n_class / n`` samples, rounded down; those that are still missing come from the classes that
    lost most by rounding (the method of the largest remainder), drawn at random where several lost as much. Of each
    class, ``keep`` samples are never drawn.

    Shape:
        labels ``(N,)`` -> chosen ``(N,)``, True for the samples that are drawn
    """
    counts = np.bincount(labels)
    quotas, remainders = np.divmod(total * counts, len(labels))
    most = np.maximum(counts - keep, 0)
    shuffled = rng.permutation(len(labels))
    # Drawn after the samples are shuffled: where no classes are tied, this order decides nothing.
    order = np.lexsort((rng.permutation(len(counts)), -remainders))
    order = order[(quotas < most)[order]]
    quotas[order[: total - int(quotas.sum())]] += 1
    quotas = np.minimum(quotas, most)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    rank_in_class = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen = np.zeros(len(labels), bool)
    chosen[by_class[rank_in_class < np.repeat(quotas, counts)]] = True
    return chosen


def grouped_mask(labels: Labels, groups: Labels, total: int, rng: np.random.Generator) -> NDArray[np.bool_]:
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


def describe_missing_classes(
    train: Dataset, held: Dataset | None, classes: Sequence[str], split: str, share: float
) -> str:
    """A sentence about the classes that gave no sample to a ``share`` that was drawn; empty if each gave one."""
    if held is None:
        of = "group" if train.groups is not None else "sample"
        return f"no class has a {of} to spare for {split}" if share else ""
    there = np.union1d(train.labels, held.labels)
    missing = np.setdiff1d(there, held.labels).tolist()
    if not missing:
        return ""
    names = join_names(classes[label] for label in missing)
    have = "has" if len(missing) == 1 else "have"
    return f"{len(missing):,} of {len(there):,} classes {have} no {split} sample: {names}"
