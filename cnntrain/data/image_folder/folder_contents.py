"""A first look into a folder: does it hold images, or subfolders with images? No file is read whole."""

import os
from dataclasses import dataclass
from pathlib import Path

from cnntrain.data.image_folder.file_types import FORMAT_OF_EXTENSION, has_image_signature, is_hidden
from cnntrain.data.image_folder.split_names import is_wrapper
from cnntrain.data.names import nfc
from cnntrain.errors import DataError

MAX_OPENED = 20
"""Maximum number of files whose first bytes are read if no name looks like an image."""
MAX_DEPTH = 64
"""Maximum depth of nested folders to search."""
RUN_MARKS = ({"metrics.jsonl"}, {"summary.json", "config.yaml"})
"""Files that identify a run folder, whose plots are not samples."""


@dataclass(frozen=True)
class FolderContents:
    """The images and subfolders of a folder."""

    path: Path
    has_images: bool
    """Whether the folder itself holds images."""
    folders: dict[str, Path]
    """Subfolders with images at any depth, by name."""

    @property
    def is_empty(self) -> bool:
        """Whether there are no images at any depth."""
        return not self.has_images and not self.folders


def scan_folder(path: Path) -> FolderContents:
    """Look into a folder.

    Raises:
        DataError: The folder cannot be read.
    """
    names, below = list_folder(str(path))
    if is_run(names):
        return FolderContents(path, False, {})
    inside = {nfc(name): path / name for name in below}
    folders = {
        name: folder
        for name, folder in inside.items()
        if not leads_up(folder) and _holds_images(str(folder), MAX_DEPTH)
    }
    return FolderContents(path, _any_image(str(path), names), folders)


def unwrap(path: Path) -> FolderContents:
    """Scan a folder, skipping folders that only wrap another: ``seg_train/seg_train``, ``Training/Images``."""
    contents = scan_folder(path)
    for _ in range(MAX_DEPTH):
        if contents.has_images or len(contents.folders) != 1:
            break
        ((name, only),) = contents.folders.items()
        inside = scan_folder(only)
        if inside.has_images or not inside.folders or not is_wrapper(name, contents.path.name):
            break
        contents = inside
    return contents


def list_folder(folder: str) -> tuple[list[str], list[str]]:
    """Return the sorted names of the visible files and of the visible subfolders.

    Raises:
        DataError: The folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            # os.path, because the entry's own methods fail on a link to itself.
            visible = [
                (entry.name, os.path.isdir(entry.path), os.path.isfile(entry.path))
                if entry.is_symlink()
                else (entry.name, entry.is_dir(), entry.is_file())
                for entry in entries
                if not is_hidden(entry.name)
            ]
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read: {error.strerror or error}") from None
    files = sorted(name for name, _, is_file in visible if is_file)  # no pipes: reading one would block
    return files, sorted(name for name, is_dir, _ in visible if is_dir)


def is_run(names: list[str]) -> bool:
    """Return whether files with these names identify a run folder."""
    return any(marks.issubset(names) for marks in RUN_MARKS)


def count_images(folder: Path) -> int:
    """Count the images in a folder at any depth, by their names."""
    return sum(is_named_as_image(name) for _, _, names in os.walk(folder) for name in names if not is_hidden(name))


def leads_up(folder: Path) -> bool:
    """Return whether a folder is a link to one of its parents."""
    real = os.path.join(os.path.realpath(folder), "")
    return os.path.islink(folder) and os.path.join(os.path.realpath(folder.parent), "").startswith(real)


def is_named_as_image(name: str) -> bool:
    """Return whether a file name has an image extension, supported or not."""
    return os.path.splitext(name)[1].lower() in FORMAT_OF_EXTENSION


def _any_image(folder: str, names: list[str]) -> bool:
    if any(map(is_named_as_image, names)):
        return True
    return any(has_image_signature(os.path.join(folder, name)) for name in names[:MAX_OPENED])


def _holds_images(folder: str, depth: int) -> bool:
    names, below = list_folder(folder)
    if is_run(names):
        return False
    if _any_image(folder, names):
        return True
    inside = (os.path.join(folder, name) for name in below)
    return depth > 0 and any(not os.path.islink(path) and _holds_images(path, depth - 1) for path in inside)
