"""``source: images``: a folder of images, one subfolder a class.

Without split folders, and without a split file of an earlier run, the images to test with are drawn at random, of
each class alike.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.dataset import Dataset, PredefinedSplits, Splits
from cnntrain.data.image_folder import split_file
from cnntrain.data.image_folder.cache import CachedImages, load_images
from cnntrain.data.image_folder.discovery import ImageFolder, discover
from cnntrain.data.image_folder.groups import ImageFile, check_whole, numbers
from cnntrain.data.image_folder.walk import FileStamp
from cnntrain.data.image_spec import FitMode, ImageSpec
from cnntrain.data.labels import to_class_names
from cnntrain.data.names import join_names, match_names
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.data.stratified import describe_missing_classes, sample_mask
from cnntrain.errors import DataError, visible

TEST = 0.2
"""Share of the images that is set apart for the test where the folder has no splits."""
TEST_STREAM = 6
"""The spawn key of the random numbers that draw the test samples."""
SIDE = 64
"""Rows and columns where the config names no size and the images are not smaller."""
SAMPLE = 500
"""Images whose headers are read to see whether they are smaller."""
MAX_NAMED = 1000
"""Unreadable images that are named, each on a line of its own."""
FEW_NAMED = 5
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
    seed: int = 0,
    reporter: ProgressReporter = NO_PROGRESS,
) -> Splits | PredefinedSplits:
    """Read the images in the folder ``path``.

    Args:
        path: The folder.
        size: (H, W) that every image is brought to; by default 64 x 64, or smaller where the images are.
        channels: 1 or 3.
        fit: How images of other proportions are brought to size.
        test: Share of the images that is drawn for the test, where the folder has none of its own.
        split: A split file; images that it does not name are left out.
        labels: A CSV file with the labels of the images.
        label: Its column of labels.
        group: Its column of groups, or a regular expression that finds the group in an image's path.
        on_bad: What to do about unreadable images.
        seed: Decides which images are drawn.
        reporter: Who is told how far it is, and what was left out.

    Raises:
        DataError: The folder, an image or the split file cannot be used.
    """
    found = discover(path, labels, label, group)
    for note in found.notes:
        reporter.note(note)
    known, gone = _known(split, found)
    H, W = size or size_of(path, found.images)
    files = [FileStamp(image.name, image.size, image.times_ns) for image in found.images]
    pixels = load_images(path, files, ImageSpec(channels, H, W, fit), reporter)
    chosen = _chosen(path, found, pixels, known, gone, split, on_bad, reporter)
    names = tuple(found.images[i].name for i in chosen.tolist())
    class_of = {name: class_name for name, (class_name, _) in known.items()} if known is not None else {}
    classes = found.classes if known is None else to_class_names(sorted(set(class_of.values())), str(split))
    number = {class_name: label for label, class_name in enumerate(classes)}
    of = [found.images[i].label if known is None else number[class_of[found.images[i].name]] for i in chosen]
    everything = Dataset(
        pixels.images, np.array(of, np.int64), chosen, names, numbers(found.images, chosen) if group else None
    )
    if known is not None:
        parts = _parts(everything, [known[name][1] for name in names])
    else:
        parts = _parts(everything, [found.images[i].split or "train" for i in chosen.tolist()])
        if "test" not in parts:
            share = (0.0 if found.splits else TEST) if test is None else test
            parts |= _test_drawn(parts["train"], share, seed)
            if note := describe_missing_classes(parts["train"], parts.get("test"), classes, "test", share):
                reporter.note(f"data.test: {note}")
        elif test:
            reporter.note(f"data.test: {test:g} plays no part, for the folder has images to test with")
    _check_classes(path, parts["train"], classes)
    check_whole(parts, found.images)
    choices = found.choices
    if everything.groups is not None:
        choices += (f"groups: {len(np.unique(everything.groups)):,} by data.group, none of them in two splits",)
    _note_duplicates(found.images, pixels, parts, reporter)
    if known is None and "validation" not in parts:
        return Splits(parts["train"], parts.get("test"), classes, choices)
    return PredefinedSplits(parts["train"], parts.get("validation"), parts.get("test"), classes, choices)


def _known(split: Path | None, found: ImageFolder) -> tuple[dict[str, tuple[str, str]] | None, list[str]]:
    """Class and split of each image that a split file names, and the names that no image has any more."""
    if split is None:
        return None, []
    known = split_file.read(split)
    names = match_names(known, (image.name for image in found.images))
    return {there: known[name] for name, there in names.items()}, sorted(known.keys() - names.keys())


def size_of(root: Path, images: Sequence[ImageFile]) -> tuple[int, int]:
    """(H, W) where the config names none: that of the images if all have one, and it is at most ``SIDE`` a side;
    otherwise a square of ``SIDE``, or of the middle one (median) of their shorter sides if that is less.
    """
    from cnntrain.data.image_folder.decode import sample_sizes  # imported late, for Pillow

    sizes = sample_sizes(root, [image.name for image in images], SAMPLE)
    if not sizes:
        return SIDE, SIDE
    if len(set(sizes)) == 1 and max(sizes[0]) <= SIDE:
        return sizes[0]
    side = min(SIDE, int(median(min(size) for size in sizes)))
    return side, side


def _chosen(
    root: Path,
    found: ImageFolder,
    pixels: CachedImages,
    known: dict[str, tuple[str, str]] | None,
    gone: list[str],
    split: Path | None,
    on_bad: OnBad,
    reporter: ProgressReporter,
) -> NDArray[np.intp]:
    """The places of the images that are used."""
    images = found.images
    wanted = [i for i, image in enumerate(images) if known is None or image.name in known]
    bad = [f"{visible(str(root / images[i].name))}: {pixels.unreadable[i]}" for i in wanted if i in pixels.unreadable]
    lost = [f"{visible(str(root / name))}: it is gone, but {split} names it" for name in gone[: MAX_NAMED + 1]]
    if known is not None:
        for i in wanted:
            class_name = known[images[i].name][0]
            if class_name != found.classes[images[i].label]:
                raise DataError(
                    f"{split}: {images[i].name!r} is of the class {class_name!r} there, but lies in the folder of "
                    f"{found.classes[images[i].label]!r}"
                )
        if len(wanted) < len(images):
            left = len(images) - len(wanted)
            what = "1 image that" if left == 1 else f"{left:,} images that"
            reporter.note(f"{what} {split} does not name {'is' if left == 1 else 'are'} left out")
    if (bad or gone) and on_bad == "error":
        lines = _cut(sorted(bad + lost), MAX_NAMED, len(bad) + len(gone))
        raise DataError("\n".join([*lines, _fix(len(bad), len(gone))]))
    if bad:
        reporter.note(f"{_count(len(bad))} left out: {'; '.join(_cut(sorted(bad), FEW_NAMED))}")
    if gone:
        reporter.note(f"{_missing(len(gone))}: {'; '.join(_cut(lost, FEW_NAMED, len(gone)))}")
    return np.array([i for i in wanted if i not in pixels.unreadable], np.intp)


def _cut(texts: list[str], most: int, count: int | None = None) -> list[str]:
    """The first texts, and how many there are beyond them; ``count`` is that of all, where not all are made."""
    count = len(texts) if count is None else count
    return texts if count <= most else [*texts[:most], f"and {count - most:,} more"]


def _count(number: int) -> str:
    return "1 unreadable image is" if number == 1 else f"{number:,} unreadable images are"


def _missing(number: int) -> str:
    return "1 image is gone" if number == 1 else f"{number:,} images are gone"


def _fix(bad: int, gone: int) -> str:
    it = "it" if bad + gone == 1 else "them"
    what = f"{_count(bad)} in the folder; fix or remove {it}" if bad else f"{_missing(gone)}; put {it} back"
    return f"data.path: {what}, or go on without {it} by data.on_bad=skip"


def _parts(everything: Dataset, split: list[str]) -> dict[str, Dataset]:
    """The samples in the splits that ``split`` names for each; ``train`` is one of them."""
    names = np.array(split)
    parts = {name: everything.take(np.flatnonzero(names == name)) for name in sorted({"train", *split})}
    if len(parts["train"]) == 0:
        raise DataError("data.path: none of the images to train on can be read")
    return parts


def _test_drawn(train: Dataset, share: float, seed: int) -> dict[str, Dataset]:
    """``train`` and ``test``, once a share of the samples is drawn; of each class one at least remains."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(TEST_STREAM,)))
    held = sample_mask(train, round(share * len(train)), rng, keep=1) if share else np.zeros(len(train), bool)
    if not held.any():
        return {}
    return {"train": train.take(np.flatnonzero(~held)), "test": train.take(np.flatnonzero(held))}


def _check_classes(root: Path, train: Dataset, classes: tuple[str, ...]) -> None:
    counts = np.bincount(train.labels, minlength=len(classes))
    missing = [classes[i] for i in np.flatnonzero(counts == 0)]
    if missing:
        raise DataError(f"{root}: there is no image to train on of {join_names(map(repr, missing))}; add some")


def _note_duplicates(
    images: Sequence[ImageFile], pixels: CachedImages, parts: dict[str, Dataset], reporter: ProgressReporter
) -> None:
    """Note images that are in train and in test or validation, or under two classes."""
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
    for found, place in ((both, "in more than one of train, validation and test"), (mixed, "in more than one class")):
        if found:
            count = "1 image is" if len(found) == 1 else f"{len(found):,} images are"
            reporter.note(f"{count} {place}: {', '.join(_cut(found, FEW_NAMED))}")
