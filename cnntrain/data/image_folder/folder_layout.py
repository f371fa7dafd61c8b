"""Which folders are splits and which are classes: settled by what they hold, and by names that people give splits.

::

    folder/cat/1.jpg                  a folder for each class, or
    folder/train/cat/1.jpg            such folders in those of the splits, whatever these are called

Names alone decide nothing: ``train`` may be a class beside ``bus``. Folders without images of their own that hold the
same folders look like splits, whatever they are called.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from cnntrain.data.image_folder.folder_contents import FolderContents, count_images, list_folder, unwrap
from cnntrain.data.image_folder.split_names import is_either, is_wrapper, split_of
from cnntrain.data.names import join_names, nfc
from cnntrain.errors import DataError, visible

SPLITS = ("train", "validation", "test")
COMPARED = 20
"""Folders in a folder that are compared with those in others."""
RENAME = "rename the folders of splits to train, validation and test"


class NoClasses(DataError):
    """A folder holds no folders of classes, so that only a file can say which image is of which."""


class Layout(NamedTuple):
    """How a folder is read."""

    trees: dict[str, dict[str, list[Path]]]
    """Split -> class -> its folders; the split is empty where there are none."""
    parts: dict[str, Path]
    """The folder of each split."""
    choices: list[str]
    notes: list[str]


class Top(NamedTuple):
    """A folder in the folder."""

    name: str
    path: Path
    inside: FolderContents
    split: str | None
    """The split that its name says."""

    @property
    def folders(self) -> set[str]:
        """Names of the folders in it that hold images."""
        return set(self.inside.folders)


def layout_of(root: Path, tops: dict[str, Path]) -> Layout:
    """Decide how the folder ``root`` is read, which holds the folders ``tops``.

    Raises:
        NoClasses: Its splits hold no folders of classes.
        DataError: It can be read in more than one way.
    """
    contents = {name: unwrap(path) for name, path in tops.items()}
    holding = [Top(name, path, contents[name], split_of(name)) for name, path in tops.items()]
    holding = sorted((top for top in holding if not top.inside.is_empty), key=lambda top: top.name)
    splits = [top for top in holding if top.split and _has_class_folders(top, holding)]
    if any(top.split == "train" for top in splits):
        return _split_layout(root, splits, [top for top in holding if top not in splits])
    _check_not_splits(root, holding, splits)
    return _class_layout(tops, holding)


def _has_class_folders(top: Top, holding: Sequence[Top]) -> bool:
    """Whether a folder whose name is that of a split is one. It may also be a class, or images without classes."""
    is_wrapped = len(top.folders) == 1 and is_wrapper(next(iter(top.folders)), top.inside.path.name)
    if not top.folders or is_wrapped:
        return False
    others = [other for other in holding if other is not top and other.split]
    return not top.inside.has_images or len(holding) == 1 or any(_share(top, other) for other in others)


def _share(one: Top, other: Top) -> bool:
    """Whether two folders hold the same folders: two at least, or all that one of them has."""
    common = one.folders & other.folders
    return bool(common) and len(common) >= min(2, len(one.folders), len(other.folders))


def _split_layout(root: Path, splits: list[Top], others: list[Top]) -> Layout:
    """The layout with ``splits``, a training split among them, after the ``others`` are looked at."""
    by_split = {split: [top for top in splits if top.split == split] for split in SPLITS}
    for split, found in by_split.items():
        if len(found) > 1:
            raise DataError(
                f"{root} holds {_names(found)}, and only one can be the {split} split; move the other elsewhere"
            )
    train, test = by_split["train"][0], next(iter(by_split["test"]), None)
    either = next((top for top in by_split["validation"] if is_either(top.name)), None)
    if either and test:
        raise DataError(
            f"{root}: {visible(either.name)} beside {visible(test.name)} may be meant for validation or for the test; "
            f"rename it to validation, or move it elsewhere"
        )
    for other in others:
        if other.split is None and not other.inside.has_images and _share(train, other):
            raise DataError(
                f"{root}: {visible(other.name)} holds the same folders as {visible(train.name)} "
                f"({join_names(train.folders & other.folders)}), but its name is not that of a split; rename it to "
                "validation or test, or move it elsewhere"
            )
    unnamed = [other for other in others if other.split is None]
    are_classes = [other for other in unnamed if other.name in train.folders]
    if are_classes or (len(splits) == 1 and (len(unnamed) > 1 or any(not top.inside.has_images for top in unnamed))):
        raise DataError(
            f"{root}: {visible(train.name)} holds folders of images ({join_names(train.folders)}), but "
            f"{_names(are_classes or unnamed)} next to it also holds images: is {visible(train.name)} a split or a "
            "class? Move what should not be read elsewhere, or set data.path to the folder to read"
        )
    parts = {split: found[0].inside.path for split, found in by_split.items() if found}
    trees = {split: _class_folders(path) for split, path in parts.items()}
    told = ", ".join(f"{_below(root, path)} as {split}" for split, path in parts.items())
    return Layout(trees, parts, [f"splits: {told}"], [_not_read(root, other) for other in others])


def _not_read(root: Path, other: Top) -> str:
    """A note on a folder beside the splits."""
    count = count_images(other.path)
    images = "1 image" if count == 1 else f"{count:,} images"
    why = "it holds no folders of classes" if other.split else "its name says no split"
    return f"{_below(root, other.path)} ({images}) is not read: {why}"


def _check_not_splits(root: Path, holding: list[Top], named: list[Top]) -> None:
    """Raise DataError where folders that would be read as classes look like splits."""
    no_train = DataError(f"{root} holds {_names(named)}, but no folder to train on; call that folder 'train'")
    flat = [top for top in holding if top.split and top not in named]
    if len({top.split for top in flat}) > 1 or (flat and len(holding) == 1):
        counts = ", ".join(f"{visible(top.name)} {count_images(top.path):,}" for top in flat)
        raise NoClasses(
            f"{root}: the images of {'these splits' if len(flat) > 1 else 'this split'} lie in no folders of classes "
            f"({counts}); give every class a folder, or name a CSV file with a label for each image by data.labels"
        )
    if named and len(named) == len(holding):
        raise no_train
    same = _with_same_folders([top for top in holding if not top.inside.has_images])
    if same:
        common = set.intersection(*(top.folders for top in same)) or same[0].folders & same[1].folders
        if all(split_of(name) for name in common):
            fix = "splits must be above the classes: train/CLASS, and not CLASS/train"
        else:
            fix = f"if they are splits, {RENAME}; otherwise name one of them by data.path, or move their images up"
        raise DataError(f"{root}: {_names(same)} hold the same folders ({join_names(common)}): {fix}")
    if named and not any(top.inside.has_images for top in holding):
        raise no_train
    names = {top.name for top in holding}
    copy = next((top for top in holding if not top.inside.has_images and len(top.folders & names) > 1), None)
    if copy:
        raise DataError(
            f"{root}: {visible(copy.name)} holds folders of the same names as beside it "
            f"({join_names(copy.folders & names)}): is it a copy? Move it elsewhere, or name the folder to read by "
            "data.path"
        )


def _with_same_folders(tops: list[Top]) -> list[Top]:
    """The folders that hold two folders of the same names as another, all of those that share the first two."""
    seen: dict[tuple[str, str], list[Top]] = {}
    for top in tops:
        for pair in combinations(sorted(top.folders)[:COMPARED], 2):
            seen.setdefault(pair, []).append(top)
    return next((found for found in seen.values() if len(found) > 1), [])


def _class_layout(tops: dict[str, Path], holding: list[Top]) -> Layout:
    """The layout in which every folder is a class."""
    choices = []
    named = [top for top in holding if top.split]
    if named and len(holding) > 1:
        choices.append(f"classes: {_names(named)} as {'a class' if len(named) == 1 else 'classes'}, not as a split")
    nested = [top for top in holding if not top.inside.has_images and len(top.folders) > 1]
    if nested and len(holding) > 1:
        choices.append(f"classes: {_names(nested)} with the images of all folders inside")
    return Layout({"": _by_name(tops.values())}, {}, choices, [])


def _class_folders(path: Path) -> dict[str, list[Path]]:
    return _by_name(path / name for name in list_folder(str(path))[1])


def _by_name(folders: Iterable[Path]) -> dict[str, list[Path]]:
    """Folders by the name that they have in both forms of Unicode."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        found.setdefault(nfc(folder.name), []).append(folder)
    return found


def _names(tops: Sequence[Top]) -> str:
    return join_names(top.name for top in tops)


def _below(root: Path, path: Path) -> str:
    return f"{visible(path.relative_to(root).as_posix())}/"
