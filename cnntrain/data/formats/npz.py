"""``source: npz``: one file of NumPy arrays, as ``numpy.savez`` or ``numpy.savez_compressed`` writes it.

It holds ``x_train, y_train, x_test, y_test``, as Keras names them, or ``images, labels``; the test arrays may be
missing, and then there is no test split. An array ``class_names`` (or ``classes``) may name the classes. Other arrays
are not read.
"""

from pathlib import Path
from typing import Literal

from cnntrain.data.dataset import Arrays, Splits, assemble
from cnntrain.data.formats.archive import Archive
from cnntrain.data.labels import to_class_names
from cnntrain.data.listing import listing
from cnntrain.errors import DataError
from cnntrain.types import Array

Layout = Literal["NHWC", "NCHW"]
"""Channels last, or channels first."""

TRAIN = (("x_train", "y_train"), ("images", "labels"))
TEST = (("x_test", "y_test"),)
CLASS_NAMES = ("class_names", "classes")
CHANNELS = (1, 3)
"""Lengths that tell the axis of the channels where ``layout`` does not."""


def load(path: Path, layout: Layout | None = None) -> Splits:
    """Read the file ``path``.

    Args:
        path: The .npz file.
        layout: Where the channels of (N, H, W, C) or (N, C, H, W) images are; by default the axis that is 1 or 3 long.

    Raises:
        DataError: An array is missing or malformed, its layout is not clear, or two do not fit each other.
    """
    with Archive(path) as archive:
        train = _read_split(archive, TRAIN, layout)
        if train is None:
            raise DataError(
                f"{path}: no training samples; looked for the arrays x_train and y_train, or images and labels; the "
                f"file holds {listing(archive.names)}"
            )
        test = _read_split(archive, TEST, layout)
        return assemble(str(path), train, test, _read_class_names(archive))


def _read_split(archive: Archive, pairs: tuple[tuple[str, str], ...], layout: Layout | None) -> Arrays | None:
    """The one of the ``pairs`` of images and labels that the archive holds."""
    present = [pair for pair in pairs if not archive.names.isdisjoint(pair)]
    if not present:
        return None
    if len(present) > 1:
        raise DataError(
            f"{archive.path} holds both {' and '.join(present[0])} and {' and '.join(present[1])}, and only one pair "
            "can be the training samples; leave the other out"
        )
    images_name, labels_name = present[0]
    for here, missing in ((images_name, labels_name), (labels_name, images_name)):
        if missing not in archive.names:
            raise DataError(
                f"{archive.path}: there is {here}, but no {missing}; the file holds {listing(archive.names)}"
            )
    images = _channels_first(archive.read(images_name), f"{archive.path}: {images_name}", layout)
    return Arrays(images, archive.read(labels_name), images_name, labels_name)


def _channels_first(images: Array, name: str, layout: Layout | None) -> Array:
    """Any layout -> (N, C, H, W), a view."""
    shape = images.shape
    if images.ndim == 3:
        return images[:, None]
    if images.ndim != 4:
        raise DataError(
            f"{name} has the shape {shape}, but images are N x H x W, N x H x W x C or N x C x H x W; reshape them"
        )
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if layout is None and first == last:
        why = "both its axes 1 and 3 could be" if first else "neither its axis 1 nor its axis 3 is 1 or 3 long as"
        raise DataError(
            f"{name} has the shape {shape}: {why} the channels; write `data.layout: NHWC` if the channels come last, "
            "or `data.layout: NCHW` if they come before the rows"
        )
    channels_last = last if layout is None else layout == "NHWC"
    return images.transpose(0, 3, 1, 2) if channels_last else images


def _read_class_names(archive: Archive) -> tuple[str, ...] | None:
    name = next((name for name in CLASS_NAMES if name in archive.names), None)
    if name is None:
        return None
    array = archive.read(name)
    if array.ndim != 1 or array.dtype.kind not in "Uiu":
        raise DataError(
            f"{archive.path}: {name} has the shape {array.shape} and the type {array.dtype}; it must be one row of "
            "texts, the name of each class"
        )
    return to_class_names(list(map(str, array.tolist())), f"{archive.path}: {name}")
