"""Going through folders of images: each only once, whatever links there are, and counting what is left out."""

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

FOLDER = "`source: images` reads a folder with a subfolder of images for each class"
Link = tuple[str, str, str]
"""Tree, class and path of a link to a folder."""


class FileStamp(NamedTuple):
    """A file, and what changes when it does."""

    name: str
    """Its path in the folder, with slashes."""
    size: int
    """Bytes."""
    times_ns: tuple[int, int]
    """When its content changed, which programs that copy set back, and when anything of it did, which none can."""


class Walk:
    """Looks through folders, each only once, whatever the links between them; counts what it leaves out."""

    def __init__(self, root: Path) -> None:
        self._cut = len(os.path.join(root, ""))
        self._real_root = os.path.join(os.path.realpath(root), "")
        self.skipped = SkippedFiles()
        self.unread: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        """By tree and class, how many images of which format cannot be read here."""
        self._seen: set[tuple[int, int]] = set()

    def folders(self, folder: Path) -> dict[str, Path]:
        """The visible folders in ``folder``, by name; what else is in it is left out."""
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

    def images(self, trees: dict[str, dict[str, list[Path]]]) -> dict[str, dict[str, list[FileStamp]]]:
        """The images in the folders of each class of each tree.

        Links are followed when all folders have been read. One that leads to such a folder, or upwards, is left out.
        """
        found: dict[str, dict[str, list[FileStamp]]] = {tree: {name: [] for name in trees[tree]} for tree in trees}
        links: list[Link] = []
        for tree, classes in trees.items():
            for name, folder in ((name, folder) for name, folders in classes.items() for folder in folders):
                if folder.is_symlink():
                    links.append((tree, name, str(folder)))
                elif self._is_new(str(folder)):
                    found[tree][name] += self._files(str(folder), tree, name, links)
                else:
                    self.skipped.links += 1
        while links:  # those that are found on the way, too
            tree, name, link = links.pop(0)
            if not self._leads_up(link) and self._is_new(link):
                found[tree][name] += self._files(link, tree, name, links)
            else:
                self.skipped.links += 1
        return found

    def _files(self, top: str, tree: str, name: str, links: list[Link]) -> list[FileStamp]:
        """The images in a folder and in those inside it; links to folders are put off."""
        found: list[FileStamp] = []
        waiting = [top]
        while waiting:
            listed = _listed(waiting.pop())
            if is_run([entry.name for entry in listed]):
                self.skipped.runs += 1
                continue
            for entry in listed:
                if is_hidden(entry.name):
                    self.skipped.hidden += 1
                elif entry.is_symlink() and os.path.isdir(entry.path):
                    links.append((tree, name, entry.path))
                elif not entry.is_dir(follow_symlinks=False):
                    found += self._image(entry, tree, name)
                elif self._is_new(entry.path):
                    waiting.append(entry.path)
                else:
                    self.skipped.links += 1
        return found

    def _image(self, entry: os.DirEntry[str], tree: str, name: str) -> list[FileStamp]:
        """The file if it is an image; it is counted if not."""
        about = _about(entry)
        if about is None:
            return []
        is_file, is_lost = stat.S_ISREG(about.st_mode), stat.S_ISLNK(about.st_mode)
        # A link that leads nowhere counts by its name: reading it will tell.
        if ((is_file or is_lost) and has_image_name(entry.name)) or (is_file and has_image_signature(entry.path)):
            path = entry.path[self._cut :].replace(os.sep, "/")
            return [FileStamp(path, about.st_size, (about.st_mtime_ns, about.st_ctime_ns))]
        unread = unread_format(entry.path) if is_file else None
        self.skipped.count(entry.name, unread)
        if unread:
            self.unread[tree, name][unread] += 1
        return []

    def _leads_up(self, link: str) -> bool:
        """Whether a link leads to the folder itself or to one above it."""
        return self._real_root.startswith(os.path.join(os.path.realpath(link), ""))

    def _is_new(self, folder: str) -> bool:
        """Note a folder; whether it was not known."""
        try:
            about = os.stat(folder)
        except OSError as error:
            raise DataError(f"{folder}: the folder cannot be read: {error.strerror or error}") from None
        key = (about.st_dev, about.st_ino)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def _listed(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read: {error.strerror or error}") from None


def _about(entry: os.DirEntry[str]) -> os.stat_result | None:
    """What the system says of a file, or of a link that leads nowhere; None if it is gone since it was listed."""
    for follow in (True, False):
        try:
            return entry.stat(follow_symlinks=follow)
        except OSError:
            continue
    return None
