"""Labels as files store them -> classes numbered from 0, with names."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from cnntrain.errors import DataError
from cnntrain.types import Array, Labels

MAX_CLASSES = 65_536


def to_labels(array: Array, name: str) -> Labels:
    """Check labels and make them int64 (N,).

    Args:
        array: (N,) or, as Keras stores CIFAR's, (N, 1); whole numbers of any type.
        name: What holds them, to begin a message with.

    Raises:
        DataError: Another shape, or labels that are negative, not whole, or too large to number classes with.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        raise DataError(
            f"{name} has the shape {array.shape}, but a label is one whole number a sample; turn one-hot rows into "
            "numbers by labels.argmax(axis=1)"
        )
    if array.ndim != 1:
        raise DataError(f"{name} has the shape {array.shape}, but labels are (N,): one whole number a sample")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name} holds labels of the type {array.dtype}, but a label is a whole number from 0 on")
    if array.dtype.kind == "f":
        odd = np.flatnonzero(~np.isfinite(array) | (array != np.floor(array)))
        if odd.size:
            raise DataError(f"{name} holds the label {array[odd[0]]:g}, but a label is a whole number from 0 on")
    lowest, highest = array.min().item(), array.max().item()  # as Python's numbers: 65,536 is beyond float16
    if lowest < 0:
        raise DataError(f"{name} holds the label {lowest}, but labels count from 0")
    if highest >= MAX_CLASSES:
        raise DataError(f"{name} holds the label {highest}, but labels count from 0 to {MAX_CLASSES - 1:,} at most")
    return np.ascontiguousarray(array, dtype=np.int64)


def number_classes(
    train: Labels, test: Labels | None, names: tuple[str, ...] | None, train_name: str, test_name: str
) -> tuple[int, tuple[str, ...]]:
    """Decide which label is class 0, and what the classes are called.

    A label is the number of its class, so that the classes are 0 .. the greatest training label. The one exception:
    where no split holds a 0 and the smallest label is 1 (EMNIST's letters are 1..26), label 1 is class 0. Without
    names of their own, classes are called by the labels that the file holds.

    Args:
        train: Labels of the training samples (N,).
        test: Labels of the test samples, if there are any.
        names: Names of the classes, if the file has any.
        train_name: What holds the training labels, to begin a message with.
        test_name: What holds the test labels.

    Returns:
        The label of class 0 (0 or 1), and the name of each class.

    Raises:
        DataError: A label lies outside the classes.
    """
    smallest = min(int(split.min()) for split in (train, test) if split is not None)
    highest = int(train.max())
    if names is None:
        first = 1 if smallest == 1 else 0
        names = tuple(str(label) for label in range(first, highest + 1))
    else:
        first = 1 if smallest == 1 and highest == len(names) else 0
    last = first + len(names) - 1
    for split, name in ((train, train_name), (test, test_name)):
        if split is not None and split.max() > last:
            raise DataError(f"{name} holds the label {split.max()}, but the classes are {first} to {last}")
    return first, names


def to_class_names(names: Sequence[str], name: str) -> tuple[str, ...]:
    """Check the names that a file gives its classes.

    Args:
        names: One a class, in the order of the labels.
        name: What holds them, to begin a message with.

    Raises:
        DataError: There are too many, or one is there twice, is empty or cannot be shown.
    """
    if len(names) > MAX_CLASSES:
        raise DataError(f"{name} names {len(names):,} classes; {MAX_CLASSES:,} are possible")
    for text, times in Counter(names).items():
        if times > 1 or not text.strip() or not text.isprintable():
            if times > 1:
                raise DataError(f"{name} holds the name {text[:80]!r}, {times} times; give every class one of its own")
            raise DataError(f"{name} holds the name {text[:80]!r}, which cannot be shown; give the class another")
    return tuple(names)
