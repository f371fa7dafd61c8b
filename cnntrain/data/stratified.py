"""Holding out a share of the training samples."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.dataset import Dataset
from cnntrain.data.groups import drawn_by_group
from cnntrain.data.name_list import listing
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
    held = drawn(dataset, total, rng, keep)
    if not held.any():
        return dataset, None
    return dataset.take(np.flatnonzero(~held)), dataset.take(np.flatnonzero(held))


def drawn(dataset: Dataset, total: int, rng: np.random.Generator, keep: int = 0) -> NDArray[np.bool_]:
    """Draw ``total`` samples, ``(N,)``, True for those drawn: by class, or about as many in whole groups."""
    if dataset.groups is not None:
        return drawn_by_group(dataset.labels, dataset.groups, total, rng)
    return stratified(dataset.labels, total, rng, keep)


def stratified(labels: Labels, total: int, rng: np.random.Generator, keep: int = 0) -> NDArray[np.bool_]:
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


def without_sample(train: Dataset, held: Dataset | None, classes: Sequence[str], split: str, share: float) -> str:
    """A sentence about the classes that gave no sample to a ``share`` that was drawn; empty if each gave one."""
    if held is None:
        of = "group" if train.groups is not None else "sample"
        return f"no class has a {of} to spare for {split}" if share else ""
    there = np.union1d(train.labels, held.labels)
    missing = np.setdiff1d(there, held.labels).tolist()
    if not missing:
        return ""
    names = listing(classes[label] for label in missing)
    have = "has" if len(missing) == 1 else "have"
    return f"{len(missing):,} of {len(there):,} classes {have} no {split} sample: {names}"
