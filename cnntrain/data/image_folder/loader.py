"""``source: images``: a folder of images, one subfolder per class.

Without split folders, and without a split file of an earlier run, a stratified random share of the images becomes the
test split.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnntrain.backbones.backbone import load_backbone
from cnntrain.data.dataset import Dataset, PredefinedSplits, Splits
from cnntrain.data.image_folder import split_file
from cnntrain.data.image_folder.cache import CachedImages, load_images
from cnntrain.data.image_folder.discovery import ImageFolder, discover
from cnntrain.data.image_folder.feature_cache import load_features
from cnntrain.data.image_folder.groups import ImageFile, check_groups, group_ids
from cnntrain.data.image_folder.walk import FileStamp
from cnntrain.data.image_spec import FitMode, ImageSpec
from cnntrain.data.labels import to_class_names
from cnntrain.data.names import join_names, match_names
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.data.stratified import describe_missing_classes, sample_mask
from cnntrain.errors import DataError, visible
from cnntrain.parallel.cores import available_cores

TEST = 0.2
"""Share of the images held out for testing if the folder has no splits."""
TEST_STREAM = 6
"""Spawn key of the random group_ids that choose the test samples."""
SIDE = 64
"""Default rows and columns, unless the images are smaller."""
SAMPLE = 500
"""Maximum number of images whose headers are read to find out their size."""
MAX_NAMED = 1000
"""Maximum number of unreadable images in an error, one per line."""
FEW_NAMED = 5
"""Maximum number of images in a note."""
OnBad = Literal["error", "skip"]


def load(
    path: Path,
    size: tuple[int, int] | None = None,
    channels: int = 3,
    fit: FitMode = "crop",
    test: float | None = None,
    split: Path | None = None,
    labels: Path | None = None,
    label: str | None = None,
    group: str | None = None,
    on_bad: OnBad = "error",
    features: Mapping[str, Any] | None = None,
    seed: int = 0,
    reporter: ProgressReporter = NO_PROGRESS,
) -> Splits | PredefinedSplits:
    """Load a folder of images.

    Args:
        path: The folder.
        size: (H, W) to which every image is resized; by default 64 x 64, or smaller if the images are.
        channels: 1 or 3.
        fit: How images with a different aspect ratio are resized.
        test: Share of the images to hold out for testing, if the folder has no test split.
        split: A split file; images that it does not list are skipped.
        labels: A CSV file with the labels of the images.
        label: The label column of that file.
        group: The group column of that file, or a regular expression that finds the group in an image's path.
        on_bad: What to do with unreadable images.
        features: The keys of ``data.features``, if a pretrained network computes features of the images.
        seed: Seed of the split.
        reporter: Receives progress and notes, such as what was skipped.

    Raises:
        DataError: The folder, an image or the split file is unusable.
    """
    backbone = load_backbone(features, size, channels) if features else None
    found = discover(path, labels, label, group)
    for note in found.notes:
        reporter.note(note)
    known, gone = _read_split_file(split, found)
    H, W = backbone.spec.image_shape[1:] if backbone else size or size_of(path, found.images)
    files = [FileStamp(image.name, image.size, image.times_ns) for image in found.images]
    spec = ImageSpec(channels, H, W, fit)
    if backbone is None:
        pixels = load_images(path, files, spec, reporter)
    else:
        pixels = load_features(path, files, spec, backbone, reporter)
    chosen = _usable_images(path, found, pixels, known, gone, split, on_bad, reporter)
    names = tuple(found.images[i].name for i in chosen.tolist())
    class_of = {name: class_name for name, (class_name, _) in known.items()} if known is not None else {}
    classes = found.classes if known is None else to_class_names(sorted(set(class_of.values())), str(split))
    number = {class_name: label for label, class_name in enumerate(classes)}
    labels_of_chosen = [
        found.images[i].label if known is None else number[class_of[found.images[i].name]] for i in chosen
    ]
    views = backbone.spec.views if backbone else 1
    everything = Dataset(
        pixels.images,
        np.array(labels_of_chosen, np.int64),
        chosen * views,
        names,
        group_ids(found.images, chosen) if group else None,
        views,
        partial(_decode, path, spec) if backbone else None,
    )
    if known is not None:
        parts = _parts(everything, [known[name][1] for name in names])
    else:
        parts = _parts(everything, [found.images[i].split or "train" for i in chosen.tolist()])
        if "test" not in parts:
            share = (0.0 if found.splits else TEST) if test is None else test
            parts |= _hold_out_test(parts["train"], share, seed)
            if note := describe_missing_classes(parts["train"], parts.get("test"), classes, "test", share):
                reporter.note(f"data.test: {note}")
        elif test:
            reporter.note(f"data.test: {test:g} has no effect, because the folder has its own test images")
    _check_classes(path, parts["train"], classes)
    check_groups(parts, found.images)
    choices = found.choices
    if everything.groups is not None:
        choices += (f"groups: {len(np.unique(everything.groups)):,} by data.group, each within one split",)
    _note_duplicates(found.images, pixels, parts, reporter)
    by = backbone.spec if backbone else None
    choices += backbone.choices if backbone else ()
    if known is None and "validation" not in parts:
        return Splits(parts["train"], parts.get("test"), classes, choices, features=by)
    return PredefinedSplits(parts["train"], parts.get("validation"), parts.get("test"), classes, choices, features=by)


def _decode(root: Path, spec: ImageSpec, names: Sequence[str]) -> NDArray[np.uint8]:
    """Return the pixels ``(N, C, H, W)`` of images whose features are known; zeros for unreadable ones."""
    from cnntrain.data.image_folder.parallel_decode import decode  # imported late, for Pillow

    return np.concatenate([part.pixels for part in decode(root, names, spec, available_cores())])


def _read_split_file(split: Path | None, found: ImageFolder) -> tuple[dict[str, tuple[str, str]] | None, list[str]]:
    """Return class and split of each image in a split file, and the listed images that no longer exist."""
    if split is None:
        return None, []
    known = split_file.read(split)
    names = match_names(known, (image.name for image in found.images))
    return {image: known[name] for name, image in names.items()}, sorted(known.keys() - names.keys())


def size_of(root: Path, images: Sequence[ImageFile]) -> tuple[int, int]:
    """Return the default (H, W).

    It is the size of the images if they all share one and no side exceeds ``SIDE``; otherwise a square of ``SIDE``, or
    of the median of their shorter sides if that is less.
    """
    from cnntrain.data.image_folder.decode import sample_sizes  # imported late, for Pillow

    sizes = sample_sizes(root, [image.name for image in images], SAMPLE)
    if not sizes:
        return SIDE, SIDE
    if len(set(sizes)) == 1 and max(sizes[0]) <= SIDE:
        return sizes[0]
    side = min(SIDE, int(median(min(size) for size in sizes)))
    return side, side


def _usable_images(
    root: Path,
    found: ImageFolder,
    pixels: CachedImages,
    known: dict[str, tuple[str, str]] | None,
    gone: list[str],
    split: Path | None,
    on_bad: OnBad,
    reporter: ProgressReporter,
) -> NDArray[np.intp]:
    """Return the indices of the images to use."""
    images = found.images
    wanted = [i for i, image in enumerate(images) if known is None or image.name in known]
    bad = [f"{visible(str(root / images[i].name))}: {pixels.unreadable[i]}" for i in wanted if i in pixels.unreadable]
    missing = [f"{visible(str(root / name))}: it is gone, but {split} lists it" for name in gone[: MAX_NAMED + 1]]
    if known is not None:
        for i in wanted:
            class_name = known[images[i].name][0]
            if class_name != found.classes[images[i].label]:
                raise DataError(
                    f"{split}: {images[i].name!r} has the class {class_name!r} there, but is in the folder of "
                    f"{found.classes[images[i].label]!r}"
                )
        if len(wanted) < len(images):
            left = len(images) - len(wanted)
            what = "1 image" if left == 1 else f"{left:,} images"
            reporter.note(f"skipped {what} not listed in {split}")
    if (bad or gone) and on_bad == "error":
        lines = _cut(sorted(bad + missing), MAX_NAMED, len(bad) + len(gone))
        error = DataError("\n".join(map(visible, [*lines, _fix(len(bad), len(gone))])))
        error.has_lines = True
        raise error
    if bad:
        reporter.note(f"skipped {_count(len(bad))}: {'; '.join(_cut(sorted(bad), FEW_NAMED))}")
    if gone:
        reporter.note(f"{_missing(len(gone))}: {'; '.join(_cut(missing, FEW_NAMED, len(gone)))}")
    return np.array([i for i in wanted if i not in pixels.unreadable], np.intp)


def _cut(texts: list[str], most: int, count: int | None = None) -> list[str]:
    """Return the first texts and how many more there are; ``count``: the total, if ``texts`` is already shortened."""
    count = len(texts) if count is None else count
    return texts if count <= most else [*texts[:most], f"and {count - most:,} more"]


def _count(number: int) -> str:
    return "1 unreadable image" if number == 1 else f"{number:,} unreadable images"


def _missing(number: int) -> str:
    return "1 image is gone" if number == 1 else f"{number:,} images are gone"


def _fix(bad: int, gone: int) -> str:
    it = "it" if bad + gone == 1 else "them"
    what = f"{_count(bad)} in the folder; fix or remove {it}" if bad else f"{_missing(gone)}; restore {it}"
    return f"data.path: {what}, or skip {it} with data.on_bad=skip"


def _parts(everything: Dataset, split: list[str]) -> dict[str, Dataset]:
    """Group the samples by split; ``split`` holds one name per sample. ``train`` is always a key."""
    names = np.array(split)
    parts = {name: everything.take(np.flatnonzero(names == name)) for name in sorted({"train", *split})}
    if len(parts["train"]) == 0:
        raise DataError("data.path: none of the training images can be read")
    return parts


def _hold_out_test(train: Dataset, share: float, seed: int) -> dict[str, Dataset]:
    """Split ``train`` and ``test``; at least one sample of each class stays in ``train``."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(TEST_STREAM,)))
    held_out = sample_mask(train, round(share * len(train)), rng, keep=1) if share else np.zeros(len(train), bool)
    if not held_out.any():
        return {}
    return {"train": train.take(np.flatnonzero(~held_out)), "test": train.take(np.flatnonzero(held_out))}


def _check_classes(root: Path, train: Dataset, classes: tuple[str, ...]) -> None:
    counts = np.bincount(train.labels, minlength=len(classes))
    missing = [classes[i] for i in np.flatnonzero(counts == 0)]
    if missing:
        raise DataError(f"{root}: no training images of {join_names(map(repr, missing))}; add some")


def _note_duplicates(
    images: Sequence[ImageFile], pixels: CachedImages, parts: dict[str, Dataset], reporter: ProgressReporter
) -> None:
    """Note identical images in more than one split or class."""
    where = {name: split for split, dataset in parts.items() for name in dataset.names or ()}
    both: list[str] = []
    mixed: list[str] = []
    for group in pixels.duplicates:
        duplicates = [images[i] for i in group if images[i].name in where]
        elsewhere = next(
            (duplicate for duplicate in duplicates if where[duplicate.name] != where[duplicates[0].name]), None
        )
        otherwise = next((duplicate for duplicate in duplicates if duplicate.label != duplicates[0].label), None)
        for duplicate, pairs in ((elsewhere, both), (otherwise, mixed)):
            if duplicate is not None:
                pairs.append(f"{duplicates[0].name!r} = {duplicate.name!r}")
    for found, where_found in (
        (both, "in more than one of train, validation and test"),
        (mixed, "in more than one class"),
    ):
        if found:
            count = "1 image is" if len(found) == 1 else f"{len(found):,} images are"
            reporter.note(f"{count} {where_found}: {', '.join(_cut(found, FEW_NAMED))}")
