"""The images of a folder as pixels: decoded once, then mapped from a file in the user's cache folder.

The file's name says which folder and spec it is for, and of which files: their names, sizes and times of change. So
an image that is added, changed or removed makes another file, and the old one goes. Nothing else is ever removed
(``cache_cleanup.py``).
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.cache_folder import ENVIRONMENT_VARIABLE
from cnntrain.data.image_folder import cache_cleanup, cache_file
from cnntrain.data.image_folder.decoder_versions import decoders
from cnntrain.data.image_folder.walk import FileStamp
from cnntrain.data.image_spec import ImageSpec
from cnntrain.data.progress import ProgressReporter
from cnntrain.parallel.cores import available_cores

FORMAT = 2
"""Of the files, and of what ``images`` makes of the same bytes: to be raised when either changes."""


class CachedImages(NamedTuple):
    """The images of a folder."""

    images: NDArray[np.uint8]
    """(N, C, H, W); zeros where an image cannot be read."""
    unreadable: dict[int, str]
    """Places of those, and why."""
    duplicates: list[list[int]]
    """Places of images whose pixels are the same."""


def load_images(root: Path, files: Sequence[FileStamp], spec: ImageSpec, reporter: ProgressReporter) -> CachedImages:
    """The pixels of ``files`` in the folder ``root``; nothing is decoded where the cache holds them already."""
    shape = (len(files), spec.channels, spec.H, spec.W)
    slot = _digest([os.path.abspath(root), spec.channels, spec.H, spec.W, spec.fit])
    path = cache_cleanup.images_folder() / f"{slot}-{_digest([FORMAT, decoders(), list(files)])}.npy"
    cached = cache_file.read(path, shape)
    if cached is not None:
        found = _pixels(*cached)
        if not _is_readable_again(root, files, spec, found):
            with suppress(OSError):
                os.utime(path)
            return found
    try:
        _write(path, root, files, spec, reporter)
        cache_cleanup.remove_unused(path)
        cached = cache_file.read(path, shape)
    except OSError as error:
        reporter.note(
            f"the decoded images are kept in memory alone, and will be decoded again next time: "
            f"{error.filename or path}: {error.strerror or error}; "
            f"the environment variable {ENVIRONMENT_VARIABLE} names another "
            "folder for them"
        )
    if cached is not None:
        return _pixels(*cached)
    images = np.empty(shape, np.uint8)

    def keep(start: int, pixels: NDArray[np.uint8]) -> None:
        images[start : start + len(pixels)] = pixels

    return _pixels(images, _decode(root, files, spec, reporter, keep))


def _is_readable_again(root: Path, files: Sequence[FileStamp], spec: ImageSpec, found: CachedImages) -> bool:
    """Whether an image can be read that could not: permissions and memory come back without a trace in the file."""
    if not found.unreadable:
        return False
    from cnntrain.data.image_folder.parallel_decode import decode  # imported late, as below

    names = [files[i].name for i in found.unreadable]
    return any(len(part.unreadable) < len(part.pixels) for part in decode(root, names, spec, available_cores()))


def _digest(content: object) -> str:
    return blake2b(json.dumps(content).encode(), digest_size=12).hexdigest()


def _pixels(images: NDArray[np.uint8], about: cache_file.DecodeReport) -> CachedImages:
    return CachedImages(images, dict(about.unreadable), about.duplicates)


def _decode(
    root: Path,
    files: Sequence[FileStamp],
    spec: ImageSpec,
    reporter: ProgressReporter,
    keep: Callable[[int, NDArray[np.uint8]], None],
) -> cache_file.DecodeReport:
    """Decode all ``files``; ``keep`` is given the pixels from each place on."""
    from cnntrain.data.image_folder.parallel_decode import (
        decode,  # imported late: Pillow is not needed where the cache has the pixels
    )

    unreadable: list[tuple[int, str]] = []
    indices: defaultdict[bytes, list[int]] = defaultdict(list)
    done = 0
    reporter.progress(0, len(files), "decoding images")
    for pixels, failed in decode(root, [file.name for file in files], spec, available_cores()):
        keep(done, pixels)
        reasons = dict(failed)
        unreadable += [(done + place, reason) for place, reason in failed]
        for place, image in enumerate(pixels):
            if place not in reasons:
                indices[blake2b(image, digest_size=16).digest()].append(done + place)
        done += len(pixels)
        reporter.progress(done, len(files), "decoding images")
    return cache_file.DecodeReport(unreadable, [group for group in indices.values() if len(group) > 1])


def _write(path: Path, root: Path, files: Sequence[FileStamp], spec: ImageSpec, reporter: ProgressReporter) -> None:
    """Decode into a new file, which takes its name when it is whole: two processes at once do no harm."""
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(0o700, exist_ok=True)
    cache_cleanup.remove_leftovers(path.parent)
    temporary = path.with_name(f"{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        with cache_cleanup.create(temporary) as file:
            writer = cache_file.Writer(file, (len(files), spec.channels, spec.H, spec.W))
            writer.close(_decode(root, files, spec, reporter, lambda _, pixels: writer.add(pixels)))
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
