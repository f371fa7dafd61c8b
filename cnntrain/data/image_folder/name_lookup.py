"""Finding the image that a row of a table means: by its path, its name alone, with or without ending."""

import os
from collections.abc import Iterable

from cnntrain.data.image_folder.split_names import split_of
from cnntrain.data.labels import quoted
from cnntrain.data.names import nfc
from cnntrain.errors import DataError


class ImageLookup:
    """The images in a folder, by all that a table may call them."""

    def __init__(self, images: Iterable[str], split: str) -> None:
        """Take the names.

        Args:
            images: Paths in the folder, with slashes.
            split: Where two images have one name, that in the folder of this split is meant.
        """
        self._found: dict[str, str] = {}
        self._twice: set[str] = set()
        there = list(images)
        self.count = len(there)
        preferred = [name for name in there if "/" in name and split_of(name.partition("/")[0]) == split]
        for names in (preferred, set(there).difference(preferred)):
            found: dict[str, str] = {}
            for name in names:
                for key in _keys(nfc(name)):
                    if found.setdefault(key, name) != name and key not in self._found:
                        self._twice.add(key)
            self._found = found | self._found

    def find(self, value: str, where: str = "") -> str | None:
        """Return the path of the image that ``value`` means; None if there is none.

        Args:
            value: A path or a name. Folders before those in our folder count for nothing.
            where: To begin a message with. Without it, a name that two images have means none.

        Raises:
            DataError: Two images have this name.
        """
        key = nfc(value.strip()).replace("\\", "/").removeprefix("./")
        while key:
            if key in self._twice:
                if where:
                    raise DataError(f"{where} names {quoted(value)}, and there are several such images")
                return None
            if key in self._found:
                return self._found[key]
            key = key.partition("/")[2]
        return None


def _keys(name: str) -> set[str]:
    base = name.rpartition("/")[2]
    return {name, os.path.splitext(name)[0], base, os.path.splitext(base)[0]}
