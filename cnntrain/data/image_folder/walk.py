"""Walks image folders, each only once despite links, and counts skipped files."""

import os
import stat
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from cnntrain.data.folder import entries
from cnntrain.data.image_folder.file_types import has_image_name, has_image_signature, is_hidden, unread_format
from cnntrain.data.image_folder.folder_contents import is_named_as_image, is_run
from cnntrain.data.image_folder.skipped import SkippedFiles
from cnntrain.errors import DataError

FOLDER = "`source: images` reads a folder with one subfolder of images per class"
Link = tuple[str, str, str]
"""Split, class and path of a link to a folder."""


class FileStamp(NamedTuple):
    """A file with the attributes that change when its content does."""

    name: str
    """Path relative to the folder, with slashes."""
    size: int
    """Bytes."""
    times_ns: tuple[int, int]
    """Modification and change time; copying tools restore the first, but nothing can fake the second."""


class Walk:
    """Walks folders, each only once despite links; counts what it skips."""

    def __init__(self, root: Path) -> None:
        self._cut = len(os.path.join(root, ""))
        self._real_root = os.path.join(os.path.realpath(root), "")
        self.skipped = SkippedFiles()
        self.unread: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        """Split and class -> format -> number of unsupported images."""
        self._seen: set[tuple[int, int]] = set()

    def folders(self, folder: Path) -> dict[str, Path]:
        """Return the visible subfolders by name; everything else in the folder is skipped."""
        found = []
        listed = entries(folder, FOLDER)
        self._is_new(str(folder))
        for path in listed:
            if is_hidden(path.name):
                self.skipped.hidden += 1
            elif path.is_dir():
                found.append(path)
            elif is_named_as_image(path.name):
                self.skipped.unassigned[folder] += 1
            else:
                self.skipped.beside += 1
        return {path.name: path for path in found}

    def images(self, class_folders: dict[str, dict[str, list[Path]]]) -> dict[str, dict[str, list[FileStamp]]]:
        """Return the images of each class in each split.

        Links are followed after all folders are read. Links to a folder already read, or to a parent, are skipped.
        """
        found: dict[str, dict[str, list[FileStamp]]] = {
            split: {name: [] for name in class_folders[split]} for split in class_folders
        }
        links: list[Link] = []
        for split, classes in class_folders.items():
            for name, folder in ((name, folder) for name, folders in classes.items() for folder in folders):
                if folder.is_symlink():
                    links.append((split, name, str(folder)))
                elif self._is_new(str(folder)):
                    found[split][name] += self._files(str(folder), split, name, links)
                else:
                    self.skipped.links += 1
        while links:  # including links found on the way
            split, name, link = links.pop(0)
            if not self._leads_up(link) and self._is_new(link):
                found[split][name] += self._files(link, split, name, links)
            else:
                self.skipped.links += 1
        return found

    def _files(self, top: str, split: str, name: str, links: list[Link]) -> list[FileStamp]:
        """Return the images in a folder and its subfolders; collect links to folders for later."""
        found: list[FileStamp] = []
        waiting = [top]
        while waiting:
            listed = _scan(waiting.pop())
            if is_run([entry.name for entry in listed]):
                self.skipped.runs += 1
                continue
            for entry in listed:
                if is_hidden(entry.name):
                    self.skipped.hidden += 1
                elif entry.is_symlink() and os.path.isdir(entry.path):
                    links.append((split, name, entry.path))
                elif not entry.is_dir(follow_symlinks=False):
                    found += self._image(entry, split, name)
                elif self._is_new(entry.path):
                    waiting.append(entry.path)
                else:
                    self.skipped.links += 1
        return found

    def _image(self, entry: os.DirEntry[str], split: str, name: str) -> list[FileStamp]:
        """Return the file if it is an image; otherwise count it as skipped."""
        info = _stat(entry)
        if info is None:
            return []
        is_file, is_broken = stat.S_ISREG(info.st_mode), stat.S_ISLNK(info.st_mode)
        # A broken link counts by its name: reading it will report the error.
        if ((is_file or is_broken) and has_image_name(entry.name)) or (is_file and has_image_signature(entry.path)):
            path = entry.path[self._cut :].replace(os.sep, "/")
            return [FileStamp(path, info.st_size, (info.st_mtime_ns, info.st_ctime_ns))]
        unread = unread_format(entry.path) if is_file else None
        self.skipped.count(entry.name, unread)
        if unread:
            self.unread[split, name][unread] += 1
        return []

    def _leads_up(self, link: str) -> bool:
        """Return whether a link leads to the root folder or to one of its parents."""
        return self._real_root.startswith(os.path.join(os.path.realpath(link), ""))

    def _is_new(self, folder: str) -> bool:
        """Record a folder; return whether it is new."""
        try:
            info = os.stat(folder)
        except OSError as error:
            raise DataError(f"{folder}: the folder cannot be read: {error.strerror or error}") from None
        key = (info.st_dev, info.st_ino)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read: {error.strerror or error}") from None


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return the status of a file or of a broken link; None if it vanished after it was listed."""
    for follow in (True, False):
        try:
            return entry.stat(follow_symlinks=follow)
        except OSError:
            continue
    return None
