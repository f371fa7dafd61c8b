"""What is in a folder at first sight: images of its own, or folders that hold some. No file is read whole."""

import os
from dataclasses import dataclass
from pathlib import Path

from cnntrain.data.image_folder.file_types import FORMAT_OF_ENDING, has_image_signature, is_hidden
from cnntrain.data.image_folder.split_names import is_wrapper
from cnntrain.data.names import nfc
from cnntrain.errors import DataError

OPENED = 20
"""Files of a folder whose first bytes are read where no name is that of an image."""
DEEPEST = 64
"""Folders in folders that are looked into."""
RUN_MARKS = ({"metrics.jsonl"}, {"summary.json", "config.yaml"})
"""Files that make a folder one of a training run, whose plots are no samples."""


@dataclass(frozen=True)
class FolderContents:
    """A folder."""

    path: Path
    has_images: bool
    """Whether images lie in it directly."""
    folders: dict[str, Path]
    """The folders in it that hold images, however deep, by their names."""

    @property
    def is_empty(self) -> bool:
        """Whether there are no images in it at all."""
        return not self.has_images and not self.folders


def scan_folder(path: Path) -> FolderContents:
    """Look into a folder.

    Raises:
        DataError: It cannot be read.
    """
    names, below = list_folder(str(path))
    if is_run(names):
        return FolderContents(path, False, {})
    inside = {nfc(name): path / name for name in below}
    folders = {
        name: folder for name, folder in inside.items() if not leads_up(folder) and _holds_images(str(folder), DEEPEST)
    }
    return FolderContents(path, _any_image(str(path), names), folders)


def unwrap(path: Path) -> FolderContents:
    """Look into a folder, past folders that only wrap another: ``seg_train/seg_train``, ``Training/Images``."""
    here = scan_folder(path)
    for _ in range(DEEPEST):
        if here.has_images or len(here.folders) != 1:
            break
        ((name, only),) = here.folders.items()
        inside = scan_folder(only)
        if inside.has_images or not inside.folders or not is_wrapper(name, here.path.name):
            break
        here = inside
    return here


def list_folder(folder: str) -> tuple[list[str], list[str]]:
    """The names of the visible files in a folder, and those of the visible folders, sorted.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            # os.path, and not the entry's own methods: these fail on a link that leads to itself.
            visible = [
                (entry.name, os.path.isdir(entry.path), os.path.isfile(entry.path))
                if entry.is_symlink()
                else (entry.name, entry.is_dir(), entry.is_file())
                for entry in entries
                if not is_hidden(entry.name)
            ]
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read: {error.strerror or error}") from None
    files = sorted(name for name, _, is_file in visible if is_file)  # not a pipe, which would never end
    return files, sorted(name for name, is_dir, _ in visible if is_dir)


def is_run(names: list[str]) -> bool:
    """Whether files of these names make a folder one of a training run."""
    return any(marks.issubset(names) for marks in RUN_MARKS)


def count_images(folder: Path) -> int:
    """How many images lie in a folder, however deep, by their names."""
    return sum(is_named_as_image(name) for _, _, names in os.walk(folder) for name in names if not is_hidden(name))


def leads_up(folder: Path) -> bool:
    """Whether a folder is a link to one that it lies in."""
    real = os.path.join(os.path.realpath(folder), "")
    return os.path.islink(folder) and os.path.join(os.path.realpath(folder.parent), "").startswith(real)


def is_named_as_image(name: str) -> bool:
    """Whether a name is that of an image, in a format that is read or not."""
    return os.path.splitext(name)[1].lower() in FORMAT_OF_ENDING


def _any_image(folder: str, names: list[str]) -> bool:
    if any(map(is_named_as_image, names)):
        return True
    return any(has_image_signature(os.path.join(folder, name)) for name in names[:OPENED])


def _holds_images(folder: str, deepest: int) -> bool:
    names, below = list_folder(folder)
    if is_run(names):
        return False
    if _any_image(folder, names):
        return True
    inside = (os.path.join(folder, name) for name in below)
    return deepest > 0 and any(not os.path.islink(path) and _holds_images(path, deepest - 1) for path in inside)
