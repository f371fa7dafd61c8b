"""Decoded images of a folder: decoded once, then memory-mapped from a file in the user's cache folder.

The file name encodes the folder, the image spec, and the names, sizes and change times of all files. An added, changed
or removed image therefore gives a new file, and the old one is removed. Nothing else is ever removed
(``cache_cleanup.py``).
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.cache_folder import ENVIRONMENT_VARIABLE
from cnntrain.data.duplicates import pixel_digest
from cnntrain.data.image_folder import cache_cleanup, cache_file
from cnntrain.data.image_folder.decoder_versions import decoders
from cnntrain.data.image_folder.walk import FileStamp
from cnntrain.data.image_spec import ImageSpec
from cnntrain.data.progress import ProgressReporter
from cnntrain.parallel.cores import available_cores

FORMAT = 2
"""Version of the cache files and of the decoded pixels; increase it when either changes."""


class CachedImages(NamedTuple):
    """The decoded images of a folder."""

    images: NDArray[np.uint8] | NDArray[np.float32]
    """(N, C, H, W); zeros for unreadable images. Features: ``(N * views, C, H, W)``, float32."""
    unreadable: dict[int, str]
    """Index -> reason of unreadable images."""
    duplicates: list[list[int]]
    """Groups of indices of images with identical pixels."""


def load_images(root: Path, files: Sequence[FileStamp], spec: ImageSpec, reporter: ProgressReporter) -> CachedImages:
    """Return the decoded images of ``files`` in the folder ``root``, from the cache if possible."""
    shape = (len(files), spec.channels, spec.H, spec.W)
    slot = _digest([os.path.abspath(root), spec.channels, spec.H, spec.W, spec.fit])
    path = cache_cleanup.images_folder() / f"{slot}-{_digest([FORMAT, decoders(), list(files)])}.npy"
    cached = cache_file.read(path, shape)
    if cached is not None:
        found = _pixels(*cached)
        if not is_readable_again(root, files, spec, found):
            with suppress(OSError):
                os.utime(path)
            return found
    try:
        _write(path, root, files, spec, reporter)
        cache_cleanup.remove_unused(path)
        cached = cache_file.read(path, shape)
    except OSError as error:
        reporter.note(
            f"the decoded images are kept in memory only and will be decoded again next time: "
            f"{error.filename or path}: {error.strerror or error}; "
            f"set the environment variable {ENVIRONMENT_VARIABLE} to another cache folder"
        )
    if cached is not None:
        return _pixels(*cached)
    images = np.empty(shape, np.uint8)

    def keep(start: int, pixels: NDArray[np.uint8]) -> None:
        images[start : start + len(pixels)] = pixels

    return _pixels(images, _decode(root, files, spec, reporter, keep))


def is_readable_again(root: Path, files: Sequence[FileStamp], spec: ImageSpec, found: CachedImages) -> bool:
    """Return whether an unreadable image is readable now: permissions and free memory may change without a trace."""
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
    """Decode all ``files``; call ``keep`` with the start index and the pixels of each chunk."""
    from cnntrain.data.image_folder.parallel_decode import decode, threads_for  # late: a warm cache needs no Pillow

    unreadable: list[tuple[int, str]] = []
    indices: defaultdict[bytes, list[int]] = defaultdict(list)
    done = 0
    reporter.progress(0, len(files), "decoding images")
    names, threads = [file.name for file in files], threads_for([file.size for file in files])
    for pixels, failed in decode(root, names, spec, threads):
        keep(done, pixels)
        reasons = dict(failed)
        unreadable += [(done + i, reason) for i, reason in failed]
        for i, image in enumerate(pixels):
            if i not in reasons:
                indices[pixel_digest(image)].append(done + i)
        done += len(pixels)
        reporter.progress(done, len(files), "decoding images")
    return cache_file.DecodeReport(unreadable, [group for group in indices.values() if len(group) > 1])


def _write(path: Path, root: Path, files: Sequence[FileStamp], spec: ImageSpec, reporter: ProgressReporter) -> None:
    """Decode into a new cache file."""

    def write(file: BinaryIO) -> None:
        writer = cache_file.Writer(file, (len(files), spec.channels, spec.H, spec.W))
        writer.close(_decode(root, files, spec, reporter, lambda _, pixels: writer.add(pixels)))

    cache_cleanup.write_new(path, write)
