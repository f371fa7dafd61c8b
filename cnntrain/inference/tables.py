"""Images in CSV and npz files; labels are ignored and may be missing."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from cnntrain.data.formats.array_names import images_of
from cnntrain.data.formats.csv_images import read_images
from cnntrain.data.formats.npz_archive import Archive
from cnntrain.data.names import join_names
from cnntrain.data.pixels import Images, Scale, to_pixels
from cnntrain.errors import DataError
from cnntrain.inference.arrays import as_batch
from cnntrain.types import Array

ENDINGS = (".csv", ".csv.gz", ".npz")
CHUNK = 4096
"""Images that are converted to pixels at a time."""


def is_table(path: str) -> bool:
    """Return whether a path names a CSV or npz file."""
    return path.lower().endswith(ENDINGS) and not os.path.isdir(path)


def table_images(
    path: str,
    in_shape: tuple[int, int, int],
    scale: Scale,
    label: int | str | None,
    on_note: Callable[[str], None],
) -> Iterator[Images]:
    """Yield the images of a CSV or npz file, ``(C, H, W)``, in order.

    Args:
        path: The file.
        in_shape: The input shape of the network.
        scale: The scale of the pixels, as in training.
        label: The label column of the run's data, if they are a CSV file.
        on_note: Called with a sentence on what is read, if the file holds more.

    Raises:
        DataError: The file is malformed, or its images do not have the network's shape.
    """
    if path.lower().endswith(".npz"):
        images, name = _of_archive(path, on_note)
        batch = as_batch(images, in_shape)
    else:
        batch, others = read_images(Path(path), in_shape, label)
        name = "its pixels"
        if others:
            on_note(f"{path}: not read: {join_names(others, sort=False)}")
        if scale.floats:  # text has no types: integers may be fractions that are 0 and 1
            batch = batch.astype(np.float32)
    if batch.shape[1:] != in_shape:
        raise DataError(
            f"{path}: {name} are {' x '.join(map(str, batch.shape[1:]))} (channels x rows x columns), but the network "
            f"takes {' x '.join(map(str, in_shape))}"
        )
    for start in range(0, len(batch), CHUNK):
        yield from to_pixels(batch[start : start + CHUNK], f"{path}: {name}", scale)


def _of_archive(path: str, on_note: Callable[[str], None]) -> tuple[Array, str]:
    """Return the images of an npz file (the test images if there are any) and the name of their array."""
    with Archive(Path(path)) as archive:
        arrays = images_of(archive.names)
        if "test" in arrays:
            name = arrays["test"]
        elif len(arrays) == 1:
            (name,) = arrays.values()
        elif not arrays and len(archive.names) == 1:
            (name,) = archive.names
        else:
            raise DataError(
                f"{path} holds {join_names(archive.names)}; name the array to predict x_test, or leave the others out"
            )
        if len(archive.names) > 1:
            on_note(f"{path}: the images are those of {name}")
        return archive.read(name), name
