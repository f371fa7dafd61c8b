"""The images in a folder and the folders in it, found while they are used: a million names are never held."""

import heapq
import os
from collections.abc import Iterator

from cnntrain.data.image_folder.file_types import has_image_name, has_image_signature, is_hidden, unread_format
from cnntrain.data.image_folder.skipped import SkippedFiles
from cnntrain.errors import ImageError

AT_A_TIME = 20_000
"""Names of a folder that are held at a time. A folder is read again for the next ones."""


def walk(top: str, skipped: SkippedFiles) -> Iterator[str | ImageError]:
    """Yield the images below ``top``, each folder in the order of its names; for a folder that fails an error.

    Hidden files and folders, and files that are no images by name or first bytes, are left out; of the latter
    ``skipped`` keeps count. A link to a folder is followed once, and never to a folder that it lies in.
    """
    found = False
    linked: set[tuple[int, int]] = set()
    way = [(top, _identity(top), names_in(top))]
    while way:
        folder, _, names = way[-1]
        try:
            name = next(names, None)
        except OSError as error:
            yield ImageError(folder, f"the folder cannot be read: {error.strerror}")
            found, name = True, None
        if name is None:
            way.pop()
            continue
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            identity = _identity(path)
            if os.path.islink(path):
                if identity in linked or identity in [above for _, above, _ in way]:
                    continue
                linked.add(identity)
            way.append((path, identity, names_in(path)))
        elif is_image_file(path):
            found = True
            yield path
        elif os.path.isfile(path):
            skipped.count(name, unread_format(path))
    if not found:
        yield ImageError(top, "there is no image in this folder")


def names_in(folder: str) -> Iterator[str]:
    """Yield the names in one folder in order, those that are hidden left out.

    Raises:
        OSError: The folder cannot be read.
    """
    last = ""
    while True:
        with os.scandir(folder) as entries:
            later = (entry.name for entry in entries if entry.name > last and not is_hidden(entry.name))
            names = heapq.nsmallest(AT_A_TIME, later)
        yield from names
        if len(names) < AT_A_TIME:
            return
        last = names[-1]


def is_image_file(path: str) -> bool:
    """Whether a file counts as an image: as for ``source: images``, by its name, or else by its first bytes."""
    if os.path.exists(path) and not os.path.isfile(path):
        return False  # a pipe or a device; a link that leads nowhere is told by who reads it
    return has_image_name(path) or has_image_signature(path)


def _identity(folder: str) -> tuple[int, int]:
    try:
        found = os.stat(folder)
    except OSError:  # gone meanwhile; reading it says so
        return -1, -1
    return found.st_dev, found.st_ino
