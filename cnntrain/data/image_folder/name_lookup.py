"""Finds the image that a CSV row refers to: by path or file name, with or without extension."""

import os
from collections.abc import Iterable

from cnntrain.data.image_folder.split_names import split_of
from cnntrain.data.labels import quoted
from cnntrain.data.names import nfc
from cnntrain.errors import DataError


class ImageLookup:
    """Images of a folder by all the names that a CSV file may use."""

    def __init__(self, images: Iterable[str], split: str) -> None:
        """Index the names.

        Args:
            images: Paths in the folder, with slashes.
            split: The split whose folder wins if two images have the same name.
        """
        self._found: dict[str, str] = {}
        self._ambiguous: set[str] = set()
        paths = list(images)
        self.count = len(paths)
        preferred = [name for name in paths if "/" in name and split_of(name.partition("/")[0]) == split]
        for names in (preferred, set(paths).difference(preferred)):
            found: dict[str, str] = {}
            for name in names:
                for key in _keys(nfc(name)):
                    if found.setdefault(key, name) != name and key not in self._found:
                        self._ambiguous.add(key)
            self._found = found | self._found

    def find(self, value: str, where: str = "") -> str | None:
        """Return the path of the image that ``value`` refers to; None if there is none.

        Args:
            value: A path or a file name; leading folders are ignored.
            where: Start of the error message; without it an ambiguous name finds nothing.

        Raises:
            DataError: The name is ambiguous.
        """
        key = nfc(value.strip()).replace("\\", "/").removeprefix("./")
        while key:
            if key in self._ambiguous:
                if where:
                    raise DataError(f"{where} names {quoted(value)}, but there are several such images")
                return None
            if key in self._found:
                return self._found[key]
            key = key.partition("/")[2]
        return None


def _keys(name: str) -> set[str]:
    base = name.rpartition("/")[2]
    return {name, os.path.splitext(name)[0], base, os.path.splitext(base)[0]}
