"""Features of the images of a folder: computed once by a pretrained network, then memory-mapped from a cache file.

The name of a cache file encodes the content of every image (so the file also serves a folder that moved), the SHA-256
of the backbone with all settings, and the versions of ONNX Runtime and the image decoders. If some images are new, only
their features are computed; the others come from the folder's earlier cache file.
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.backbones.backbone import Backbone
from cnntrain.data.cache_folder import ENVIRONMENT_VARIABLE
from cnntrain.data.image_folder import cache_cleanup, cache_file
from cnntrain.data.image_folder.cache import CachedImages, is_readable_again
from cnntrain.data.image_folder.cache_file import FEATURES, DecodeReport
from cnntrain.data.image_folder.content_digests import UNREADABLE, content_digests, stamp_digest
from cnntrain.data.image_folder.decoder_versions import libraries
from cnntrain.data.image_folder.walk import FileStamp
from cnntrain.data.image_spec import ImageSpec
from cnntrain.data.progress import ProgressReporter
from cnntrain.parallel.cores import available_cores

FORMAT = 1
"""Version of the cache files and of the features; increase it when either changes."""
Found = tuple[NDArray[np.float32], DecodeReport]
"""Features and the report on them."""


def load_features(
    root: Path, files: Sequence[FileStamp], spec: ImageSpec, backbone: Backbone, reporter: ProgressReporter
) -> CachedImages:
    """Return the features of all images in the folder ``root``, from the cache if possible.

    Args:
        root: The folder.
        files: The images.
        spec: How they are decoded.
        backbone: The network that computes the features.
        reporter: The receiver of progress and notes.

    Returns:
        The features ``(N * views, C, H, W)``: image i has its views at ``i * views`` and the following indices.
    """
    settings = [FORMAT, backbone.spec.to_dict() | {"backbone": ""}, spec.fit, libraries(), version("onnxruntime")]
    slot = digest_of([os.path.abspath(root), settings])
    last = last_file(slot)
    earlier = None if last is None else read(last, backbone)
    known = dict(pair.split(":", 1) for pair in earlier[1].digests) if earlier else {}
    digests = content_digests(root, files, known, reporter)
    path = cache_cleanup.features_folder() / f"{slot}-{digest_of([settings, digests])}.npy"
    found = earlier if last == path else read(same_content(path), backbone)
    if found is not None and len(found[1].digests) == len(files):
        cached = as_images(found)
        if not is_readable_again(root, files, spec, cached):
            with suppress(OSError):
                os.utime(path)
            return cached
    pairs = [f"{stamp_digest(file)}:{digest}" for file, digest in zip(files, digests, strict=True)]
    rows = reusable_rows(found or earlier, digests, backbone.spec.views)

    def compute(keep: Callable[[NDArray[np.float32]], None]) -> DecodeReport:
        return compute_features(root, files, spec, backbone, rows, pairs, keep, reporter)

    shape = (len(files) * backbone.spec.views, *backbone.spec.shape)
    try:
        cache_cleanup.write_new(path, lambda file: write(file, shape, compute))
        cache_cleanup.remove_unused(path)
        found = read(path, backbone)
        if found is not None:
            return as_images(found)
    except OSError as error:
        reporter.note(
            f"the features are kept in memory only and will be computed again next time: "
            f"{error.filename or path}: {error.strerror or error}; "
            f"set the environment variable {ENVIRONMENT_VARIABLE} to another cache folder"
        )
    parts: list[NDArray[np.float32]] = []
    report = compute(parts.append)
    return as_images((np.concatenate(parts), report))


def digest_of(content: object) -> str:
    """Return a digest of JSON content, as in the names of cache files."""
    return blake2b(json.dumps(content).encode(), digest_size=12).hexdigest()


def last_file(slot: str) -> Path | None:
    """Return the last complete cache file of a folder and backbone."""
    files = cache_cleanup.own_files(cache_cleanup.features_folder())
    own = [file for file in files if file.slot == slot and not file.is_temporary]
    return min(own, key=lambda file: file.age).path if own else None


def same_content(path: Path) -> Path:
    """Return a cache file with the same features, perhaps of a folder that had another name; else ``path``."""
    key = path.name.partition("-")[2]
    files = cache_cleanup.own_files(path.parent)
    return next((file.path for file in files if file.path.name.partition("-")[2] == key), path)


def read(path: Path, backbone: Backbone) -> Found | None:
    """Return the features and the report in a cache file; None if it is missing or invalid."""
    rows = cache_file.images_in_file(path, backbone.spec.shape, FEATURES)
    if rows is None or rows % backbone.spec.views:
        return None
    count = rows // backbone.spec.views
    found = cache_file.read(path, (rows, *backbone.spec.shape), FEATURES, count)
    if found is None or len(found[1].digests) != count or not all(":" in pair for pair in found[1].digests):
        return None
    return found


def reusable_rows(found: Found | None, digests: Sequence[str], views: int) -> dict[int, NDArray[np.float32]]:
    """Return index -> features ``(views, C, H, W)`` of the images whose content is in an earlier cache file."""
    if found is None:
        return {}
    features, report = found
    bad = {index for index, _ in report.unreadable}
    rows = {pair.split(":", 1)[1]: i for i, pair in enumerate(report.digests) if i not in bad}
    rows.pop(UNREADABLE, None)
    return {
        i: features[rows[digest] * views : (rows[digest] + 1) * views]
        for i, digest in enumerate(digests)
        if digest in rows
    }


def compute_features(
    root: Path,
    files: Sequence[FileStamp],
    spec: ImageSpec,
    backbone: Backbone,
    rows: Mapping[int, NDArray[np.float32]],
    digests: list[str],
    keep: Callable[[NDArray[np.float32]], None],
    reporter: ProgressReporter,
) -> DecodeReport:
    """Compute the features of all images; call ``keep`` with those of each chunk, in order."""
    from cnntrain.data.image_folder.extraction import extract  # imported late: a warm cache needs no Pillow

    views, unreadable, done, fresh = backbone.spec.views, [], 0, len(files) - len(rows)
    equal: defaultdict[bytes, list[int]] = defaultdict(list)
    what = f"features by {backbone.spec.backbone}"
    reporter.progress(0, len(files), what)
    for features, failed in extract(root, [file.name for file in files], spec, backbone, rows, available_cores()):
        keep(features)
        reasons = dict(failed)
        unreadable += [(done + place, reason) for place, reason in failed]
        for place, row in enumerate(features[::views]):
            if place not in reasons:  # the same pixels give the same features, bit for bit
                equal[blake2b(row.tobytes(), digest_size=16).digest()].append(done + place)
        done += len(features) // views
        reporter.progress(done, len(files), what)
    if rows:
        new = "1 new image" if fresh == 1 else f"{fresh:,} new images"
        reporter.note(f"computed the features of {new}; those of {len(rows):,} were in the cache")
    return DecodeReport(unreadable, [group for group in equal.values() if len(group) > 1], digests)


def write(file: Any, shape: cache_file.Shape, compute: Callable[[Callable[[Any], None]], DecodeReport]) -> None:
    """Write a cache file."""
    writer = cache_file.Writer(file, shape, FEATURES)
    writer.close(compute(writer.add))


def as_images(found: Found) -> CachedImages:
    """Return features in the form of decoded images."""
    features, report = found
    return CachedImages(features, dict(report.unreadable), report.duplicates)
