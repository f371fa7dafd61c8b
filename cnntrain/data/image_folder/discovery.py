"""Discovery for ``source: images``: finds the image files, their classes and their splits.

``folder_layout.py`` decides which folders are splits and which are classes, unless a labels file
(``labels_file.py``) gives each image its class. Files are found at any depth. Only names and the first bytes of some
files are read here.
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

MAX_HINT_DEPTH = 8
"""Maximum depth of nested single folders to search for the folder that was probably meant."""


class ImageFolder(NamedTuple):
    """The images of a folder."""

    images: list[ImageFile]
    classes: tuple[str, ...]
    splits: frozenset[str]
    """Splits that the folder or the labels file defines."""
    choices: tuple[str, ...]
    """How the folder was interpreted, one line each."""
    notes: tuple[str, ...]
    """Warnings for the user."""


def discover(root: Path, labels: Path | None = None, label: str | None = None, group: str | None = None) -> ImageFolder:
    """Find the images in a folder.

    Args:
        root: The folder.
        labels: A CSV file with the labels of the images. By default folders are classes; without class folders, a CSV
            file in the folder that lists its images is used.
        label: The label column.
        group: A group column or a regular expression, as in ``data.group``.

    Raises:
        DataError: The folder is missing or ambiguous, has fewer than two classes, or its splits contradict each other.
    """
    is_column = group is not None and "(" not in group
    if labels is None:
        try:
            found = _find_folders(root)
        except NoClasses:
            labels = labels_file.detect(root, [file.name for file in _find_all(root, Walk(root))])
            if labels is None:
                raise
        else:
            problem = labels_file.contradiction(root, {each.name: found.classes[each.label] for each in found.images})
            if not problem and (label or is_column):
                problem = (
                    f"data.{'label' if label else 'group'} names a column, but there is no labels file: add data.labels"
                )
            if problem:
                raise DataError(problem)
    if labels is not None:
        found = _find_labelled(root, labels, label, group if is_column else None)
    return found if group is None or is_column else found._replace(images=grouped(found.images, group))


def _find_folders(root: Path) -> ImageFolder:
    """Find images in class folders."""
    walk = Walk(root)
    layout = layout_of(root, walk.folders(root))
    for folder in layout.split_folders.values():
        walk.folders(folder)  # counts files next to the class folders
    by_split = walk.images(layout.class_folders)
    _check_unreadable(layout, by_split, walk)
    train = "train" if layout.split_folders else ""
    names = sorted(name for name, images in by_split[train].items() if images)
    if len(names) < 2:
        raise NoClasses(_too_few(layout.split_folders.get(train, root), names, walk.skipped))
    for split, images in by_split.items():
        unknown = sorted(name for name, files in images.items() if files and name not in names)
        if unknown:
            folders = f"{layout.split_folders[split]} holds classes that {layout.split_folders['train']} does not have"
            raise DataError(f"{folders}: {join_names(unknown)}")
    classes = to_class_names(names, str(root))
    number = {name: label for label, name in enumerate(classes)}
    found = [
        ImageFile(name, number[class_name], split, size, mtime)
        for split, images in by_split.items()
        for class_name in sorted(images)
        for name, size, mtime in sorted(images[class_name])
    ]
    notes = [*walk.skipped.sentences(), *layout.notes, *_notes_on_classes(by_split, classes)]
    choices = [*layout.choices, *_merged(layout)]
    return ImageFolder(found, classes, frozenset(layout.split_folders), tuple(choices), tuple(notes))


def _find_labelled(root: Path, path: Path, label: str | None, group: str | None) -> ImageFolder:
    """Find the images that a labels file lists."""
    walk = Walk(root)
    files = _find_all(root, walk)
    labels = labels_file.read(root, path, [file.name for file in files], label, group)
    classes = to_class_names(sorted({entry.label for entry in labels.by_image.values()}), str(path))
    if len(classes) < 2:
        raise DataError(f"{path}: at least two classes are needed, but all images have the label {quoted(classes[0])}")
    number = {name: i for i, name in enumerate(classes)}
    images = []
    for name, size, times in files:
        if name in labels.by_image:
            entry = labels.by_image[name]
            images.append(ImageFile(name, number[entry.label], entry.split, size, times, entry.group))
    notes = (*walk.skipped.sentences(), *labels.notes, *_notes_on_names(classes))
    splits = frozenset(image.split for image in images) - {""}
    if splits and "train" not in splits:
        raise DataError(f"{path}: its split column has no training images")
    return ImageFolder(images, classes, splits, labels.choices, notes)


def _find_all(root: Path, walk: Walk) -> list[FileStamp]:
    """Return all images in a folder, at any depth."""
    return sorted(walk.images({"": {"": [root]}})[""][""])


def _check_unreadable(layout: Layout, by_split: dict[str, dict[str, list[FileStamp]]], walk: Walk) -> None:
    """Raise DataError if a class has only images in unsupported formats."""
    for (split, name), formats in walk.unread.items():
        if not by_split[split][name]:
            folder = visible(str(layout.class_folders[split][name][0]))
            images = ", ".join(f"{count:,} {kind}" for kind, count in sorted(formats.items()))
            fix = "; ".join(how_to_read(kind, formats[kind]) for kind in sorted(formats))
            raise DataError(f"{folder}: none of the images of this class can be read ({images}): {fix}")


def _notes_on_classes(by_split: dict[str, dict[str, list[FileStamp]]], classes: tuple[str, ...]) -> Iterator[str]:
    empty = sorted(
        f"{split}/{name}".lstrip("/") for split in by_split for name, files in by_split[split].items() if not files
    )
    if empty:
        yield f"not a class, because there are no images in it: {join_names(map(quoted, empty))}"
    yield from _notes_on_names(classes)


def _notes_on_names(classes: tuple[str, ...]) -> Iterator[str]:
    for names in similar_names(classes):
        yield (
            f"{join_names(map(quoted, names))} are {len(names)} different classes, but their names are nearly the "
            "same; if they are one class, give their folders the same name"
        )


def _merged(layout: Layout) -> Iterator[str]:
    """Yield a line on classes merged from folders whose names differ only in their Unicode form."""
    merged = sorted(
        {name for classes in layout.class_folders.values() for name, folders in classes.items() if folders[1:]}
    )
    if merged:
        names = join_names(merged)
        yield f"classes: merged folders whose names differ only in their Unicode form (NFC or NFD): {names}"


def _too_few(folder: Path, names: list[str], skipped: SkippedFiles) -> str:
    there = f"only one, {quoted(names[0])}" if names else "none"
    hint = _hint(folder, names[0]) if names else ""
    return f"{folder}: two classes are needed, each a subfolder that holds its images, and there is {there}" + (
        hint or "".join(f"; {sentence}" for sentence in skipped.sentences())
    )


def _hint(folder: Path, only: str) -> str:
    """Suggest the folder that was probably meant, below a chain of single folders."""
    contents = unwrap(folder / only)
    for _ in range(MAX_HINT_DEPTH):
        if contents.has_images or len(contents.folders) != 1:
            break
        contents = unwrap(next(iter(contents.folders.values())))
    if len(contents.folders) < 2:
        return ""
    return f"; was {contents.path} meant, which holds {join_names(map(quoted, contents.folders))}?"
