"""Finds the images and labels of each split in an npz file by the names of the arrays, ignoring case.

A name is a word for images or labels, optionally with one for a split, in either order: ``x_train``, ``X_train``,
``trainX``, ``train_images``, ``images_val``. Without a split, the arrays are the training samples.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from cnntrain.data.names import join_names
from cnntrain.errors import DataError

IMAGES = {"x": "y", "images": "labels", "image": "label", "imgs": "labels", "data": "target", "features": "labels"}
"""Words for images, and the usual counterparts for labels."""
LABELS = {"y": "x", "labels": "images", "label": "image", "target": "data", "targets": "data"}
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
CLASS_NAMES = ("classnames", "classes", "labelnames", "targetnames", "labelsnames")


class Pair(NamedTuple):
    """The names of two arrays."""

    images: str
    labels: str


class _Array(NamedTuple):
    name: str
    split: str
    """Empty if the name has none."""
    word: str
    """Of ``IMAGES`` or ``LABELS``."""


def pairs(names: Iterable[str], where: str) -> dict[str, Pair]:
    """Return the arrays of each existing split: ``train``, ``validation``, ``test``.

    Args:
        names: Names of all arrays.
        where: The file, for error messages.

    Raises:
        DataError: Images or labels are missing, or more than one array could be them.
    """
    names = sorted(names)
    arrays = [array for array in map(_read, names) if array is not None]
    found = {split: _pair(arrays, split, names, where) for split in ("train", "validation", "test")}
    plain = [array for array in arrays if not array.split]
    if found["train"] is None:
        found["train"] = _pair(arrays, "", names, where)
    elif len({array.word in IMAGES for array in plain}) == 2:
        both = " and ".join(array.name for array in sorted(plain, key=lambda array: array.word not in IMAGES))
        raise DataError(
            f"{where} holds both {' and '.join(found['train'])} and {both}, and only one pair can be the training "
            "samples; leave the other out"
        )
    if found["train"] is None:
        raise DataError(
            f"{where}: no training samples; looked for the arrays x_train and y_train, or images and labels; the file "
            f"holds {join_names(names)}"
        )
    return {split: pair for split, pair in found.items() if pair is not None}


def images_of(names: Iterable[str]) -> dict[str, str]:
    """Return the image array of each split (empty if the name has none); the last of several."""
    arrays = [array for array in map(_read, sorted(names)) if array is not None]
    return {array.split: array.name for array in arrays if array.word in IMAGES}


def class_names(names: Iterable[str]) -> str | None:
    """Return the array of class names, if any."""
    plain = {_plain(name): name for name in sorted(names)}
    return next((plain[name] for name in CLASS_NAMES if name in plain), None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _read(name: str) -> _Array | None:
    plain = _plain(name)
    for word in (*IMAGES, *LABELS):
        if plain == word:
            return _Array(name, "", word)
        for split, meaning in SPLITS.items():
            if plain in (split + word, word + split, f"{split}set{word}"):
                return _Array(name, meaning, word)
    return None


def _pair(arrays: list[_Array], split: str, names: list[str], where: str) -> Pair | None:
    matching = [array for array in arrays if array.split == split]
    images = [array for array in matching if array.word in IMAGES]
    labels = [array for array in matching if array.word in LABELS]
    if not matching:
        return None
    for several, what in ((images, "images"), (labels, "labels")):
        if len(several) > 1:
            both = " and ".join(array.name for array in several)
            raise DataError(f"{where}: {both} could all be the {what} of {split or 'train'}; leave all but one out")
        if not several:
            (other,) = matching
            partner = (IMAGES | LABELS)[other.word]
            missing = re.sub(other.word, partner, other.name, flags=re.IGNORECASE)
            raise DataError(f"{where}: there is {other.name}, but no {missing}; the file holds {join_names(names)}")
    return Pair(images[0].name, labels[0].name)
