"""``source: npz``: one file of NumPy arrays, as ``numpy.savez`` or ``numpy.savez_compressed`` writes it.

It holds ``x_train, y_train, x_val, y_val, x_test, y_test``, or ``images, labels`` and other common names
(``array_names.py``); validation and test arrays are optional. An array ``class_names`` (or ``classes``) may name the
classes. Other arrays are ignored.
"""

from pathlib import Path
from typing import Literal

from cnntrain.data.dataset import Arrays, PredefinedSplits, Splits, assemble
from cnntrain.data.formats.array_names import Pair, class_names, pairs
from cnntrain.data.formats.npz_archive import Archive
from cnntrain.data.labels import decode_texts, to_class_names
from cnntrain.data.names import join_names
from cnntrain.data.pixels import Scale
from cnntrain.errors import DataError
from cnntrain.types import Array

Layout = Literal["NHWC", "NCHW"]
"""Channels last, or channels first."""

CHANNELS = (1, 3)
"""Sizes that identify the channel axis if ``layout`` is not given."""


def load(path: Path, layout: Layout | None = None, scale: Scale | None = None) -> Splits | PredefinedSplits:
    """Read the file ``path``.

    Args:
        path: The .npz file.
        layout: ``NHWC`` or ``NCHW``; by default the axis of size 1 or 3 is the channel axis.
        scale: As in ``assemble``.

    Raises:
        DataError: An array is missing or malformed, its layout is ambiguous, or two do not match.
    """
    with Archive(path) as archive:
        names = class_names(archive.names)
        found = pairs(archive.names - {names}, str(path))
        arrays = {split: _read_split(archive, pair, layout) for split, pair in found.items()}
        taken = {name for pair in found.values() for name in pair} | {names}
        choice = "; ".join(f"{pair.images}, {pair.labels} as {split}" for split, pair in found.items())
        unread = archive.names - taken
        return assemble(
            str(path),
            arrays["train"],
            arrays.get("test"),
            None if names is None else _read_class_names(archive, names),
            arrays.get("validation"),
            (f"splits: {choice}" + (f"; not read: {join_names(unread)}" if unread else ""),),
            scale,
        )


def _read_split(archive: Archive, pair: Pair, layout: Layout | None) -> Arrays:
    label = f"{archive.path}: {pair.images}"
    images = archive.read(pair.images)
    if images.dtype.kind in "US":
        raise DataError(f"{label} holds text; images are numbers")
    labels = archive.read(pair.labels, "store numbers, or text by labels.astype(str)")
    return Arrays(_channels_first(images, label, layout), labels, pair.images, pair.labels)


def _channels_first(images: Array, name: str, layout: Layout | None) -> Array:
    """Return a view in the layout (N, C, H, W)."""
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
            f"{name} has the shape {shape}: {why} the channels; add data.layout=NHWC if the channels come last, "
            "or data.layout=NCHW if they come before the rows"
        )
    channels_last = last if layout is None else layout == "NHWC"
    return images.transpose(0, 3, 1, 2) if channels_last else images


def _read_class_names(archive: Archive, name: str) -> tuple[str, ...]:
    label = f"{archive.path}: {name}"
    array = archive.read(name, "store text: np.array(names, dtype=str)")
    if array.ndim != 1 or array.dtype.kind not in "USiu":
        raise DataError(
            f"{label} has the shape {array.shape} and the type {array.dtype}; it must be one row of texts, the name of "
            "each class"
        )
    return to_class_names(decode_texts(array, label), label)
