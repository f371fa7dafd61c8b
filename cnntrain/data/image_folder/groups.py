"""Groups of images that must stay in one split: all images of one person, or of one camera burst."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.dataset import Dataset
from cnntrain.data.image_folder.group_pattern import GroupPattern
from cnntrain.data.labels import quoted
from cnntrain.data.names import nfc
from cnntrain.errors import DataError, visible


class ImageFile(NamedTuple):
    """An image file with its label, split and group."""

    name: str
    """Path relative to the folder, with slashes."""
    label: int
    split: str
    """``train``, ``validation`` or ``test``; "" if the folder has no splits."""
    size: int
    """Bytes."""
    times_ns: tuple[int, int]
    """As in ``FileStamp``."""
    group: str = ""
    """Name of the group; "" if there are no groups."""


def grouped(images: Sequence[ImageFile], pattern: str) -> list[ImageFile]:
    """Return the images with their groups: what the capturing group of ``pattern`` matches in their paths.

    Raises:
        DataError: ``pattern`` is not a regular expression with one capturing group, or does not match a path.
    """
    where = f"data.group: {quoted(pattern)}"
    expression = GroupPattern(pattern, where)
    names = [nfc(image.name) for image in images]
    expression.check_length(max(map(len, names), default=0))
    matches = list(expression.search_all(names))
    without = [image.name for image, match in zip(images, matches, strict=True) if not (match and match[1])]
    if without:
        count = f"{len(without):,} of {len(matches):,} paths"
        raise DataError(f"{where} finds no group in {count}, such as {quoted(without[0])}")
    groups = [match[1] for match in matches if match]
    return [image._replace(group=group) for image, group in zip(images, groups, strict=True)]


def group_ids(images: Sequence[ImageFile], chosen: Iterable[int]) -> NDArray[np.intp]:
    """Return the group number of each chosen image, ``(n,)``."""
    return np.unique([images[i].group for i in chosen], return_inverse=True)[1]


def check_groups(parts: Mapping[str, Dataset], images: Sequence[ImageFile]) -> None:
    """Raise DataError if given splits divide a group."""
    split_of: dict[int, str] = {}
    for split, dataset in parts.items():
        if dataset.groups is None or dataset.names is None:
            continue
        for group, name in zip(dataset.groups.tolist(), dataset.names, strict=True):
            if split_of.setdefault(group, split) != split:
                name_of_group = next(image.group for image in images if image.name == name)
                raise DataError(
                    f"data.group: the given splits divide the group {quoted(name_of_group)} between "
                    f"{split_of[group]} and {split}: {visible(name)}"
                )
