"""Decides which folders are splits and which are classes, by their contents and by common names for splits.

::

    folder/cat/1.jpg                  one folder per class, or
    folder/train/cat/1.jpg            class folders inside split folders

A name alone decides nothing: ``train`` may be a class next to ``bus``. Folders that hold no images themselves but the
same subfolders look like splits, whatever their names.
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
"""Maximum number of subfolders to compare with those of other folders."""
RENAME = "rename the folders of splits to train, validation and test"


class NoClasses(DataError):
    """There are no class folders, so the labels must come from a file."""


class Layout(NamedTuple):
    """The interpretation of a folder."""

    class_folders: dict[str, dict[str, list[Path]]]
    """Split -> class -> folders of the class; the split is "" if there are no splits."""
    split_folders: dict[str, Path]
    """Split -> its folder."""
    choices: list[str]
    notes: list[str]


class Subfolder(NamedTuple):
    """A direct subfolder."""

    name: str
    path: Path
    contents: FolderContents
    split: str | None
    """The split that its name stands for."""

    @property
    def folders(self) -> set[str]:
        """Names of the subfolders that hold images."""
        return set(self.contents.folders)


def layout_of(root: Path, folders: dict[str, Path]) -> Layout:
    """Decide how to interpret the folder ``root`` with the subfolders ``paths``.

    Raises:
        NoClasses: Its splits have no class folders.
        DataError: The folder is ambiguous.
    """
    contents = {name: unwrap(path) for name, path in folders.items()}
    with_images = [Subfolder(name, path, contents[name], split_of(name)) for name, path in folders.items()]
    with_images = sorted(
        (folder for folder in with_images if not folder.contents.is_empty), key=lambda folder: folder.name
    )
    splits = [folder for folder in with_images if folder.split and _has_class_folders(folder, with_images)]
    if any(folder.split == "train" for folder in splits):
        return _split_layout(root, splits, [folder for folder in with_images if folder not in splits])
    _check_not_splits(root, with_images, splits)
    return _class_layout(folders, with_images)


def _has_class_folders(folder: Subfolder, with_images: Sequence[Subfolder]) -> bool:
    """Return whether a folder named like a split is one; it may also be a class, or hold images without classes."""
    is_wrapped = len(folder.folders) == 1 and is_wrapper(next(iter(folder.folders)), folder.contents.path.name)
    if not folder.folders or is_wrapped:
        return False
    others = [other for other in with_images if other is not folder and other.split]
    return not folder.contents.has_images or len(with_images) == 1 or any(_share(folder, other) for other in others)


def _share(one: Subfolder, other: Subfolder) -> bool:
    """Return whether two folders share at least two subfolders, or all subfolders of one of them."""
    common = one.folders & other.folders
    return bool(common) and len(common) >= min(2, len(one.folders), len(other.folders))


def _split_layout(root: Path, splits: list[Subfolder], others: list[Subfolder]) -> Layout:
    """Return the layout with ``splits``, which include a training split; check the ``others``."""
    by_split = {split: [folder for folder in splits if folder.split == split] for split in SPLITS}
    for split, found in by_split.items():
        if len(found) > 1:
            raise DataError(
                f"{root} holds {_names(found)}, and only one can be the {split} split; move the other elsewhere"
            )
    train, test = by_split["train"][0], next(iter(by_split["test"]), None)
    either = next((folder for folder in by_split["validation"] if is_either(folder.name)), None)
    if either and test:
        raise DataError(
            f"{root}: {visible(either.name)} next to {visible(test.name)} may be a validation or a test split; "
            "rename it to validation, or move it elsewhere"
        )
    for other in others:
        if other.split is None and not other.contents.has_images and _share(train, other):
            raise DataError(
                f"{root}: {visible(other.name)} holds the same folders as {visible(train.name)} "
                f"({join_names(train.folders & other.folders)}), but its name is not that of a split; rename it to "
                "validation or test, or move it elsewhere"
            )
    unnamed = [other for other in others if other.split is None]
    are_classes = [other for other in unnamed if other.name in train.folders]
    if are_classes or (
        len(splits) == 1 and (len(unnamed) > 1 or any(not folder.contents.has_images for folder in unnamed))
    ):
        raise DataError(
            f"{root}: {visible(train.name)} holds folders of images ({join_names(train.folders)}), but "
            f"{_names(are_classes or unnamed)} next to it also holds images: is {visible(train.name)} a split or a "
            "class? Move what should not be read elsewhere, or set data.path to the folder to read"
        )
    parts = {split: found[0].contents.path for split, found in by_split.items() if found}
    trees = {split: _class_folders(path) for split, path in parts.items()}
    assigned = ", ".join(f"{_below(root, path)} as {split}" for split, path in parts.items())
    return Layout(trees, parts, [f"splits: {assigned}"], [_not_read(root, other) for other in others])


def _not_read(root: Path, other: Subfolder) -> str:
    """Return a note on a folder next to the splits."""
    count = count_images(other.path)
    images = "1 image" if count == 1 else f"{count:,} images"
    why = "it has no class folders" if other.split else "its name is not that of a split"
    return f"{_below(root, other.path)} ({images}) is not read: {why}"


def _check_not_splits(root: Path, with_images: list[Subfolder], named: list[Subfolder]) -> None:
    """Raise DataError if folders that would be read as classes look like splits."""
    no_train = DataError(f"{root} holds {_names(named)}, but no training split; call its folder 'train'")
    flat = [folder for folder in with_images if folder.split and folder not in named]
    if len({folder.split for folder in flat}) > 1 or (flat and len(with_images) == 1):
        counts = ", ".join(f"{visible(folder.name)} {count_images(folder.path):,}" for folder in flat)
        raise NoClasses(
            f"{root}: the images of {'these splits' if len(flat) > 1 else 'this split'} are not in class folders "
            f"({counts}); give every class a folder, or set data.labels to a CSV file with a label for each image"
        )
    if named and len(named) == len(with_images):
        raise no_train
    same = _with_same_folders([folder for folder in with_images if not folder.contents.has_images])
    if same:
        common = set.intersection(*(folder.folders for folder in same)) or same[0].folders & same[1].folders
        if all(split_of(name) for name in common):
            fix = "put classes inside splits: train/CLASS, not CLASS/train"
        else:
            fix = f"if they are splits, {RENAME}; otherwise set data.path to one of them, or move their images up"
        raise DataError(f"{root}: {_names(same)} hold the same folders ({join_names(common)}): {fix}")
    if named and not any(folder.contents.has_images for folder in with_images):
        raise no_train
    names = {folder.name for folder in with_images}
    copy = next(
        (folder for folder in with_images if not folder.contents.has_images and len(folder.folders & names) > 1), None
    )
    if copy:
        raise DataError(
            f"{root}: {visible(copy.name)} holds folders with the same names as those next to it "
            f"({join_names(copy.folders & names)}): is it a copy? Move it elsewhere, or set data.path to the "
            "folder to read"
        )


def _with_same_folders(folders: list[Subfolder]) -> list[Subfolder]:
    """Return folders that share two subfolder names."""
    seen: dict[tuple[str, str], list[Subfolder]] = {}
    for folder in folders:
        for pair in combinations(sorted(folder.folders)[:COMPARED], 2):
            seen.setdefault(pair, []).append(folder)
    return next((found for found in seen.values() if len(found) > 1), [])


def _class_layout(folders: dict[str, Path], with_images: list[Subfolder]) -> Layout:
    """Return the layout in which every folder is a class."""
    choices = []
    named = [folder for folder in with_images if folder.split]
    if named and len(with_images) > 1:
        choices.append(f"classes: {_names(named)} as {'a class' if len(named) == 1 else 'classes'}, not as a split")
    nested = [folder for folder in with_images if not folder.contents.has_images and len(folder.folders) > 1]
    if nested and len(with_images) > 1:
        choices.append(f"classes: {_names(nested)} with the images of all their subfolders")
    return Layout({"": _by_name(folders.values())}, {}, choices, [])


def _class_folders(path: Path) -> dict[str, list[Path]]:
    return _by_name(path / name for name in list_folder(str(path))[1])


def _by_name(folders: Iterable[Path]) -> dict[str, list[Path]]:
    """Group folders by NFC name."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        found.setdefault(nfc(folder.name), []).append(folder)
    return found


def _names(folders: Sequence[Subfolder]) -> str:
    return join_names(folder.name for folder in folders)


def _below(root: Path, path: Path) -> str:
    return f"{visible(path.relative_to(root).as_posix())}/"
