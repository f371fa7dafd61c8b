"""Stratified random splits of the training samples, optionally by group."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.dataset import Dataset
from cnntrain.data.names import join_names
from cnntrain.errors import DataError
from cnntrain.types import Labels


def hold_out(dataset: Dataset, share: float, rng: np.random.Generator, keep: int = 0) -> tuple[Dataset, Dataset | None]:
    """Split off a stratified random ``share`` of the samples; groups, if any, stay whole.

    Both parts keep the sample order.

    Args:
        dataset: The training samples.
        share: Fraction to hold out, 0..1, rounded to at least one sample; 0 holds out nothing.
        rng: Chooses the samples.
        keep: Minimum number of samples of each class that remain, even if fewer are then held out.

    Returns:
        The remaining samples, and those held out, or None.

    Raises:
        DataError: No training sample would remain.
    """
    if share == 0:
        return dataset, None
    total = max(1, round(share * len(dataset)))
    if total >= len(dataset):
        raise DataError(
            f"data.validation: {share:g} of {len(dataset):,} training samples leaves none to train on; choose a "
            "smaller share"
        )
    held_out = sample_mask(dataset, total, rng, keep)
    if not held_out.any():
        return dataset, None
    return dataset.take(np.flatnonzero(~held_out)), dataset.take(np.flatnonzero(held_out))


def sample_mask(dataset: Dataset, total: int, rng: np.random.Generator, keep: int = 0) -> NDArray[np.bool_]:
    """Sample ``total`` samples, stratified by class, or about as many in whole groups; return a mask ``(N,)``."""
    if dataset.groups is not None:
        return grouped_mask(dataset.labels, dataset.groups, total, rng)
    return stratified_mask(dataset.labels, total, rng, keep)


def stratified_mask(labels: Labels, total: int, rng: np.random.Generator, keep: int = 0) -> NDArray[np.bool_]:
    """Sample ``total`` samples, each class in proportion to its size, within one sample.

    A class gives ``total * n_class / n`` samples, rounded down; the rest comes from the classes with the largest
    remainders, with ties broken at random. At least ``keep`` samples of each class are not chosen.

    Shape:
        labels ``(N,)`` -> mask ``(N,)``, True for chosen samples
    """
    counts = np.bincount(labels)
    quotas, remainders = np.divmod(total * counts, len(labels))
    most = np.maximum(counts - keep, 0)
    shuffled = rng.permutation(len(labels))
    # Drawn after the shuffle, so that it has no effect if there are no ties.
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
    """Sample about ``total`` samples in whole random groups, stratified as far as groups allow.

    A group is chosen if it brings the classes closer to their shares; then, for classes too small for that, if it
    brings the total closer. At least one sample of each class is not chosen.

    Shape:
        labels ``(N,)``; groups ``(N,)``, integers -> mask ``(N,)``, True for chosen samples
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
    for _, group in sorted(left, key=lambda item: item[0]):  # ties stay in random order
        classes, sizes = np.unique(labels[members[group]], return_counts=True)
        missing = total - taken.sum()
        fits = len(members[group]) < 2 * missing or not chosen.any()
        if fits and not raised[classes].any() and (taken[classes] + sizes < counts[classes]).all():
            chosen[members[group]] = True
            taken[classes] += sizes
            raised[classes] = True
    return chosen


def describe_missing_classes(
    train: Dataset, held_out: Dataset | None, classes: Sequence[str], split: str, share: float
) -> str:
    """Return a message on classes without a held-out sample; an empty string if every class has one."""
    if held_out is None:
        unit = "group" if train.groups is not None else "sample"
        return f"no class has a {unit} to spare for {split}" if share else ""
    trained, held = (np.bincount(dataset.labels, minlength=len(classes)) > 0 for dataset in (train, held_out))
    missing = np.flatnonzero(trained & ~held).tolist()
    if not missing:
        return ""
    names = join_names(classes[label] for label in missing)
    have = "has" if len(missing) == 1 else "have"
    return f"{len(missing):,} of {(trained | held).sum():,} classes {have} no {split} sample: {names}"
