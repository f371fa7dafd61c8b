"""The images in a folder tree, as a stream: a million names never fill the memory."""

import heapq
import os
from collections.abc import Iterator

from cnntrain.data.image_folder.file_types import has_image_name, has_image_signature, is_hidden, unread_format
from cnntrain.data.image_folder.skipped import SkippedFiles
from cnntrain.errors import ImageError

CHUNK = 20_000
"""Maximum number of a folder's names in memory; the folder is read again for the next ones."""


def walk(top: str, skipped: SkippedFiles) -> Iterator[str | ImageError]:
    """Yield the images below ``top`` in the order of their names, and an error for each unreadable folder.

    Hidden files and folders are skipped, and so are files that are not images by name or first bytes; ``skipped``
    counts the latter. A link to a folder is followed once, and never to a folder that contains it.
    """
    any_image = False
    linked: set[tuple[int, int]] = set()
    stack = [(top, _identity(top), names_in(top))]
    while stack:
        folder, _, names = stack[-1]
        try:
            name = next(names, None)
        except OSError as error:
            yield ImageError(folder, f"the folder cannot be read: {error.strerror}")
            any_image, name = True, None
        if name is None:
            stack.pop()
            continue
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            identity = _identity(path)
            if os.path.islink(path):
                if identity in linked or identity in [above for _, above, _ in stack]:
                    continue
                linked.add(identity)
            stack.append((path, identity, names_in(path)))
        elif is_image_file(path):
            any_image = True
            yield path
        elif os.path.isfile(path):
            skipped.count(name, unread_format(path))
    if not any_image:
        yield ImageError(top, "there is no image in this folder")


def names_in(folder: str) -> Iterator[str]:
    """Yield the names in one folder in order, without hidden ones.

    Raises:
        OSError: The folder cannot be read.
    """
    last = ""
    while True:
        with os.scandir(folder) as entries:
            later = (entry.name for entry in entries if entry.name > last and not is_hidden(entry.name))
            names = heapq.nsmallest(CHUNK, later)
        yield from names
        if len(names) < CHUNK:
            return
        last = names[-1]


def is_image_file(path: str) -> bool:
    """Return whether a file is an image by its name or first bytes, as for ``source: images``."""
    if os.path.exists(path) and not os.path.isfile(path):
        return False  # a pipe or a device; a dangling link is reported when it is read
    return has_image_name(path) or has_image_signature(path)


def _identity(folder: str) -> tuple[int, int]:
    try:
        status = os.stat(folder)
    except OSError:  # it was deleted; reading it reports that
        return -1, -1
    return status.st_dev, status.st_ino
