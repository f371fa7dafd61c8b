"""Finding the images of ``source: images``: which files there are, of which class, of which split.

``folder_layout.py`` decides which folders are splits and which are classes, unless a file of labels
(``labels_file.py``) says of which class an image is. Files are found however deep they lie. Only names and a few first
bytes are read here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cnntrain.data.image_folder import labels_file
from cnntrain.data.image_folder.file_types import how_to_read
from cnntrain.data.image_folder.folder_contents import unwrap
from cnntrain.data.image_folder.folder_layout import Layout, NoClasses, layout_of
from cnntrain.data.image_folder.groups import ImageFile, grouped
from cnntrain.data.image_folder.skipped import SkippedFiles
from cnntrain.data.image_folder.walk import FileStamp, Walk
from cnntrain.data.labels import quoted, to_class_names
from cnntrain.data.names import join_names, similar_names
from cnntrain.errors import DataError, visible

DEEPEST_HINT = 8
"""Folders with a single folder in them that are looked into for what was probably meant."""


class ImageFolder(NamedTuple):
    """What a folder holds."""

    images: list[ImageFile]
    classes: tuple[str, ...]
    splits: frozenset[str]
    """The splits that have a folder of their own."""
    choices: tuple[str, ...]
    """How it was read, a line each."""
    notes: tuple[str, ...]
    """Sentences that the user should know."""


def discover(root: Path, labels: Path | None = None, label: str | None = None, group: str | None = None) -> ImageFolder:
    """Look through the folder ``root``.

    Args:
        root: The folder.
        labels: A CSV file with the labels of the images. Without it, folders are classes; where there are none, a CSV
            file in the folder that names its images is taken.
        label: The column of the labels.
        group: A column of groups, or a regular expression, as ``data.group`` has it.

    Raises:
        DataError: There is no such folder, it has fewer than two classes, its splits contradict each other, or it can
            be read in more than one way.
    """
    is_column = group is not None and "(" not in group
    if labels is None:
        try:
            found = _find_folders(root)
        except NoClasses:
            labels = labels_file.detected(root, [file.name for file in _find_all(root, Walk(root))])
            if labels is None:
                raise
        else:
            problem = labels_file.contradiction(root, {each.name: found.classes[each.label] for each in found.images})
            if not problem and (label or is_column):
                problem = f"data.{'label' if label else 'group'} names a column, but no file of labels: add data.labels"
            if problem:
                raise DataError(problem)
    if labels is not None:
        found = _find_labelled(root, labels, label, group if is_column else None)
    return found if group is None or is_column else found._replace(images=grouped(found.images, group))


def _find_folders(root: Path) -> ImageFolder:
    """The images in folders, whose names are the classes."""
    walk = Walk(root)
    layout = layout_of(root, walk.folders(root))
    for folder in layout.parts.values():
        walk.folders(folder)  # counts what lies beside the classes
    held = walk.images(layout.trees)
    _check_lost(layout, held, walk)
    train = "train" if layout.parts else ""
    names = sorted(name for name, images in held[train].items() if images)
    if len(names) < 2:
        raise NoClasses(_too_few(layout.parts.get(train, root), names, walk.skipped))
    for split, images in held.items():
        unknown = sorted(name for name, files in images.items() if files and name not in names)
        if unknown:
            folders = f"{layout.parts[split]} holds classes that {layout.parts['train']} does not have"
            raise DataError(f"{folders}: {join_names(unknown)}")
    classes = to_class_names(names, str(root))
    number = {name: label for label, name in enumerate(classes)}
    found = [
        ImageFile(name, number[class_name], split, size, mtime)
        for split, images in held.items()
        for class_name in sorted(images)
        for name, size, mtime in sorted(images[class_name])
    ]
    notes = [*walk.skipped.sentences(), *layout.notes, *_notes_of_classes(held, classes)]
    choices = [*layout.choices, *_merged(layout)]
    return ImageFolder(found, classes, frozenset(layout.parts), tuple(choices), tuple(notes))


def _find_labelled(root: Path, path: Path, label: str | None, group: str | None) -> ImageFolder:
    """The images that a file of labels names."""
    walk = Walk(root)
    files = _find_all(root, walk)
    labels = labels_file.read(root, path, [file.name for file in files], label, group)
    classes = to_class_names(sorted({entry.label for entry in labels.of.values()}), str(path))
    if len(classes) < 2:
        raise DataError(f"{path}: two classes are needed, and all images have the label {quoted(classes[0])}")
    number = {name: i for i, name in enumerate(classes)}
    images = []
    for name, size, times in files:
        if name in labels.of:
            of = labels.of[name]
            images.append(ImageFile(name, number[of.label], of.split, size, times, of.group))
    notes = (*walk.skipped.sentences(), *labels.notes, *_notes_of_names(classes))
    splits = frozenset(image.split for image in images) - {""}
    if splits and "train" not in splits:
        raise DataError(f"{path}: its column of splits names no image to train on")
    return ImageFolder(images, classes, splits, labels.choices, notes)


def _find_all(root: Path, walk: Walk) -> list[FileStamp]:
    """All images in a folder, however deep."""
    return sorted(walk.images({"": {"": [root]}})[""][""])


def _check_lost(layout: Layout, held: dict[str, dict[str, list[FileStamp]]], walk: Walk) -> None:
    """Raise DataError where none of the images of a class can be read, for their format is not."""
    for (split, name), formats in walk.unread.items():
        if not held[split][name]:
            folder = visible(str(layout.trees[split][name][0]))
            images = ", ".join(f"{count:,} {kind}" for kind, count in sorted(formats.items()))
            fix = "; ".join(how_to_read(kind, formats[kind]) for kind in sorted(formats))
            raise DataError(f"{folder}: none of the images of this class can be read ({images}): {fix}")


def _notes_of_classes(held: dict[str, dict[str, list[FileStamp]]], classes: tuple[str, ...]) -> Iterator[str]:
    empty = sorted(f"{split}/{name}".lstrip("/") for split in held for name, files in held[split].items() if not files)
    if empty:
        yield f"without images, and so no class: {join_names(map(quoted, empty))}"
    yield from _notes_of_names(classes)


def _notes_of_names(classes: tuple[str, ...]) -> Iterator[str]:
    for names in similar_names(classes):
        yield (
            f"{join_names(map(quoted, names))} are {len(names)} different classes, but their names are nearly the "
            "same; if they are one class, give their folders the same name"
        )


def _merged(layout: Layout) -> Iterator[str]:
    """A line for each class that several folders make, whose names are one in two forms of Unicode."""
    merged = sorted({name for classes in layout.trees.values() for name, folders in classes.items() if folders[1:]})
    if merged:
        names = join_names(merged)
        yield f"classes: merged folders whose names differ only in their Unicode form (NFC or NFD): {names}"


def _too_few(folder: Path, names: list[str], skipped: SkippedFiles) -> str:
    there = f"only one, {quoted(names[0])}" if names else "none"
    more = _hint(folder, names[0]) if names else ""
    told = [sentence for sentence in skipped.sentences() if not more]
    return f"{folder}: two classes are needed, each a subfolder that holds its images, and there is {there}" + (
        more or "".join(f"; {sentence}" for sentence in told)
    )


def _hint(folder: Path, only: str) -> str:
    """What was probably meant where a folder holds a single one, which may hold a single one again."""
    here = unwrap(folder / only)
    for _ in range(DEEPEST_HINT):
        if here.has_images or len(here.folders) != 1:
            break
        here = unwrap(next(iter(here.folders.values())))
    if len(here.folders) < 2:
        return ""
    return f"; was {here.path} meant, which holds {join_names(map(quoted, here.folders))}?"
