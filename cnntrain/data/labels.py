"""Converts the labels of files to class indices and class names."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cnntrain.data.names import is_allowed, join_names, nfc
from cnntrain.errors import DataError, visible
from cnntrain.types import Array, Labels

MAX_CLASSES = 65_536
MAX_NAME = 255
"""Maximum characters of a class name."""
MAX_EMPTY = 100
"""Maximum number of classes without training samples among numbers from 0 or 1; with more, the labels are codes."""


class TextLabels(NamedTuple):
    """Text labels: the class of sample i is ``texts[numbers[i]]``."""

    numbers: Labels
    texts: tuple[str, ...]
    """Distinct texts, in any order."""


class Classes(NamedTuple):
    """Class indices of the samples, and class names."""

    labels: list[Labels]
    """Class indices of each split."""
    names: tuple[str, ...]
    choice: str | None
    """How ambiguous labels were interpreted."""


def to_labels(array: Array, name: str) -> Labels | TextLabels:
    """Check labels and convert them to int64 (N,) or texts.

    Args:
        array: (N,) or, as Keras stores CIFAR's, (N, 1); integers of any type, or texts. Texts that are all integers
            are read as numbers.
        name: Name of the array, for error messages.

    Raises:
        DataError: The shape is wrong, or labels are negative, not integers, or too large for class indices.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        is_one_hot = array.dtype.kind in "biuf" and bool(((array != 0).sum(axis=1) == 1).all())
        raise DataError(
            f"{name} has the shape {array.shape}, but a label is one whole number or text a sample; "
            + (
                "turn one-hot rows into numbers by labels.argmax(axis=1)"
                if is_one_hot
                else "several labels for one image cannot be trained on"
            )
        )
    if array.ndim != 1:
        raise DataError(f"{name} has the shape {array.shape}, but labels are (N,): one whole number or text a sample")
    if array.dtype.kind in "US":
        return _texts(array, name)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name} holds labels of the type {array.dtype}, but a label is a whole number from 0 on")
    if array.dtype.kind == "f":
        odd = np.flatnonzero(~np.isfinite(array) | (array != np.floor(array)))
        if odd.size:
            raise DataError(f"{name} holds the label {array[odd[0]]:g}, but a label is a whole number from 0 on")
    lowest, highest = array.min().item(), array.max().item()  # as Python numbers: 65,536 exceeds float16
    if lowest < 0:
        raise DataError(f"{name} holds the label {lowest}, but labels count from 0")
    if highest >= MAX_CLASSES:
        raise DataError(f"{name} holds the label {highest}, but labels count from 0 to {MAX_CLASSES - 1:,} at most")
    return np.ascontiguousarray(array, dtype=np.int64)


def _texts(array: Array, name: str) -> Labels | TextLabels:
    found, numbers = np.unique(array, return_inverse=True)
    texts = decode_texts(found, name)
    if all(text.strip().isascii() and text.strip().isdigit() and len(text) < MAX_NAME for text in texts):
        return to_labels(np.array([min(int(text), 2**62) for text in texts])[numbers], name)
    return TextLabels(numbers, texts)


def decode_texts(array: Array, name: str) -> tuple[str, ...]:
    """Decode an array of texts or UTF-8 bytes.

    Raises:
        DataError: Bytes are not UTF-8.
    """
    try:
        return tuple(text.decode() if isinstance(text, bytes) else str(text) for text in array.tolist())
    except UnicodeDecodeError:
        raise DataError(f"{name} holds bytes that are not text in UTF-8; store it as text: array.astype(str)") from None


def number_classes(splits: Sequence[tuple[Labels | TextLabels, str]], names: tuple[str, ...] | None = None) -> Classes:
    """Map labels to class indices and name the classes.

    Without given names, classes are named by the labels in the file.

    - Texts: the classes are those of the training samples, in sorted order.
    - Numbers that count: a label is the number of its class, so that the classes are 0 .. the greatest training label;
      or 1 .. the greatest, where no split holds a 0 (EMNIST's letters are 1 .. 26).
    - Numbers that are codes: where the smallest is above 1, or counting would leave more than ``MAX_EMPTY`` classes
      without a training sample, each label of the training samples is a class.

    Args:
        splits: Labels and array names for error messages; training first.
        names: Class names, if the file has any.

    Raises:
        DataError: A label lies outside the classes.
    """
    if any(isinstance(labels, TextLabels) for labels, _ in splits):
        return _by_text(splits, names)
    numbers = [labels for labels, _ in splits if not isinstance(labels, TextLabels)]
    smallest, highest = min(int(labels.min()) for labels in numbers), int(numbers[0].max())
    if names is not None:
        first = 1 if smallest == 1 and highest == len(names) else 0
        choice = f"classes: label 1 is {names[0]!r}, the first of the names" if first else None
    else:
        first, choice = min(smallest, 1), None
        present, _ = np.unique(numbers[0], return_counts=True)  # without counts, it imports numpy.ma
        if smallest > 1 or highest + 1 - first - len(present) > MAX_EMPTY:
            return _by_code(splits, present)
        names = tuple(str(label) for label in range(first, highest + 1))
    last = first + len(names) - 1
    for labels, (_, name) in zip(numbers, splits, strict=True):
        if labels.max() > last:
            raise DataError(f"{name} holds the label {labels.max()}, but the classes are {first} to {last}")
    return Classes([labels - first for labels in numbers], names, choice)


def _by_code(splits: Sequence[tuple[Labels | TextLabels, str]], present: Labels) -> Classes:
    texts = tuple(map(str, present.tolist()))
    choice = f"classes: only the {len(texts):,} labels that training samples have: {join_names(texts, sort=False)}"
    return _by_text(splits, texts)._replace(choice=choice)


def _by_text(splits: Sequence[tuple[Labels | TextLabels, str]], names: tuple[str, ...] | None) -> Classes:
    """Number classes by text: ``names``, or the labels of the training samples."""
    parts = [_as_text(labels) for labels, _ in splits]
    choice = None
    if names is None:
        train = parts[0]
        used = np.unique(train.numbers).tolist()
        names = to_class_names(sorted({nfc(train.texts[number]) for number in used}), splits[0][1])
        choice = f"classes: {len(names):,} labels that are text, in sorted order"
    number_of = {name: number for number, name in enumerate(names)}
    numbered = []
    for (numbers, texts), (_, name) in zip(parts, splits, strict=True):
        table = np.array([number_of.get(nfc(text), -1) for text in texts], np.int64)
        labels = table[numbers]
        if (labels < 0).any():
            text = texts[numbers[int((labels < 0).argmax())]]
            raise DataError(
                f"{name} holds the label {text[:80]!r}, but the {len(names):,} classes of the training samples are "
                f"{join_names(names, sort=False)}"
            )
        numbered.append(labels)
    return Classes(numbered, names, choice)


def _as_text(labels: Labels | TextLabels) -> TextLabels:
    if isinstance(labels, TextLabels):
        return labels
    found, numbers = np.unique(labels, return_inverse=True)
    return TextLabels(numbers, tuple(map(str, found.tolist())))


def to_class_names(names: Sequence[str], name: str) -> tuple[str, ...]:
    """Check the class names of a file.

    Args:
        names: One per class, in the order of the labels.
        name: Name of the file or array, for error messages.

    Returns:
        The names in NFC.

    Raises:
        DataError: There are too many names, or a name is duplicate, empty or not printable.
    """
    if len(names) > MAX_CLASSES:
        raise DataError(f"{name} names {len(names):,} classes; {MAX_CLASSES:,} are possible")
    for text, times in Counter(map(nfc, names)).items():
        if len(text) > MAX_NAME:
            long = f"{len(text):,} characters; {MAX_NAME} are possible"
            raise DataError(f"{name} holds the name {quoted(text)}... of {long}")
        if times > 1:
            raise DataError(f"{name} holds the name {quoted(text)}, {times} times; give every class one of its own")
        if not is_allowed(text):
            raise DataError(f"{name} holds the name {quoted(text)}, which cannot be shown; give the class another")
    return tuple(map(nfc, names))


def quoted(name: str) -> str:
    """Quote and truncate a name for a message."""
    return f"'{visible(name[:80])}'"
