"""Prefetching: several threads decode images ahead of the network and deliver them in order.

Pillow releases the GIL while it decodes, so threads use all cores. Only a few images are prefetched at a time.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from cnntrain.data.image_folder.decode import read_image
from cnntrain.data.image_folder.in_memory import fit_image, is_pillow_image
from cnntrain.data.image_folder.open_image import HEADER, open_image
from cnntrain.data.image_folder.skipped import SkippedFiles
from cnntrain.data.image_spec import ImageSpec
from cnntrain.data.names import unicode_forms
from cnntrain.data.pixels import BYTES, Images, Scale
from cnntrain.errors import DataError, ImageError, UsageError
from cnntrain.inference.arrays import images_in
from cnntrain.inference.tables import is_table, table_images
from cnntrain.inference.walk import walk
from cnntrain.parallel import available_cores
from cnntrain.parallel.ordered_results import ordered_results
from cnntrain.types import Shape

MAX_THREADS = 8
"""Maximum number of threads that only decode: more are not needed to feed the network, which runs on one."""
MAX_PREFETCHED = 16
"""Maximum number of prefetched images per thread."""
MAX_PREFETCHED_BYTES = 1 << 26
"""Maximum bytes of prefetched pixels, if there is more than one image per thread."""


class Image(NamedTuple):
    """An image."""

    name: str | None
    """Its file; None if it has none."""
    pixels: Images | ImageError
    """``(C, H, W)``, or why it cannot be read."""
    sample: int | None = None
    """Its index in a file of many images."""


def read_images(
    images: Any,
    in_shape: Shape,
    spec: ImageSpec | None,
    scale: Scale,
    on_note: Callable[[str], None],
    label: int | str | None = None,
    features: Callable[[Images], Images] | None = None,
) -> Iterator[Image]:
    """Yield the given images in order.

    Args:
        images: One of the following or an iterable of them: the path of an image, of a folder of images or of a table,
            a Pillow image, or an array that ``images_in`` accepts.
        in_shape: The input shape of the network.
        spec: The shape and fit of resized images; None if the network does not take 1 or 3 channels.
        scale: The scale of the pixels in an array.
        on_note: Called with a sentence on what is skipped in a folder or file.
        label: The label column of the run's data, if they are a CSV file.
        features: Turns the pixels of an image into features; called by the threads that decode.

    Raises:
        DataError: An array has a wrong shape or type, or the network cannot take images.
        UsageError: An item has another type.
    """
    is_one = isinstance(images, (str, os.PathLike, np.ndarray)) or is_pillow_image(images)
    if not (is_one or isinstance(images, Iterable)):
        raise UsageError(wrong_type(images))
    sources = _sources([images] if is_one else images, in_shape, spec, scale, on_note, label)
    threads = available_cores() if features else min(available_cores(), MAX_THREADS)
    ahead = threads * max(1, min(MAX_PREFETCHED, MAX_PREFETCHED_BYTES // (threads * math.prod(in_shape))))
    pool = ThreadPoolExecutor(threads)

    def finished(source: str | Image) -> Image:
        image = _read(source, spec, scale == BYTES) if isinstance(source, str) else source
        if features is None or isinstance(image.pixels, ImageError):
            return image
        return image._replace(pixels=features(image.pixels))

    tasks = (
        pool.submit(finished, source) if isinstance(source, str) or features is not None else source
        for source in sources
    )
    yield from ordered_results(pool, tasks, ahead)


def _read(file: str, spec: ImageSpec | None, takes_bytes: bool) -> Image:
    assert spec is not None
    try:
        if not takes_bytes:
            with open_image(file, HEADER) as image:
                deep = is_deep(image)
            check_depth(deep, file)
        return Image(file, read_image(file, spec))
    except ImageError as error:
        return Image(file, error)


def _sources(
    images: Iterable[Any],
    in_shape: Shape,
    spec: ImageSpec | None,
    scale: Scale,
    on_note: Callable[[str], None],
    label: int | str | None,
) -> Iterator[str | Image]:
    """Yield the paths of images to decode, and images that need no decoding."""
    for item in images:
        if isinstance(item, np.ndarray):
            yield from (Image(None, pixels) for pixels in images_in(item, in_shape, spec, scale))
        elif isinstance(item, (str, os.PathLike)) and is_table(os.fsdecode(item)):
            path, (C, H, W) = os.fsdecode(item), in_shape
            rows = table_images(path, (C, H, W), scale, label, on_note)
            yield from (Image(path, pixels, sample) for sample, pixels in enumerate(rows))
        elif spec is None:
            raise DataError(
                f"the network takes images of {in_shape[0]} channels, but images have 1 or 3; give it arrays"
            )
        elif isinstance(item, (str, os.PathLike)):
            yield from _files(os.fsdecode(item), on_note)
        elif is_pillow_image(item):
            yield _shown(item, spec, scale == BYTES)
        else:
            raise UsageError(wrong_type(item))


def _shown(image: Any, spec: ImageSpec, takes_bytes: bool) -> Image:
    name = os.fsdecode(getattr(image, "filename", "")) or None
    try:
        if not takes_bytes:
            check_depth(is_deep(image), name or "an image")
        return Image(name, fit_image(image, spec))
    except ImageError as error:
        return Image(name, error)


def is_deep(image: Any) -> bool:
    """Return whether a Pillow image has 16 bits per channel, even if Pillow will read only 8 of them."""
    return image.mode.startswith("I") or ";16" in str(getattr(image, "tile", ""))


def check_depth(deep: bool, name: str) -> None:
    """Raise ImageError for an image of 16 bits per channel: with 8 bits it would differ from the training data."""
    if deep:
        raise ImageError(
            name, "reading it would keep 8 of its 16 bits, and the network was trained on arrays; give an array"
        )


def wrong_type(given: object) -> str:
    """Return the message for something that is not an image."""
    return f"images are paths, images of Pillow or NumPy arrays, but one is of type {type(given).__name__}"


def _files(path: str, on_note: Callable[[str], None]) -> Iterator[str | Image]:
    if not os.path.lexists(path):  # a list from another system may use another Unicode normalization
        path = next(filter(os.path.lexists, unicode_forms(path)), path)
    if not os.path.isdir(path):
        yield path
        return
    skipped = SkippedFiles()
    for image in walk(path, skipped):
        yield image if isinstance(image, str) else Image(os.fsdecode(image.path), image)
    for sentence in skipped.sentences():
        on_note(f"{path}: {sentence}")
