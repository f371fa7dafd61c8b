"""ImageLabels of images from a CSV file: which columns name the images and their classes is settled by what they hold.

::

    id,breed                          image_id,healthy,rust,scab
    0a1f3c,pug                        Train_0,0,0,1
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cnntrain.data.image_folder.csv_rows import MAX_BYTES, rows_of
from cnntrain.data.image_folder.name_lookup import ImageLookup
from cnntrain.data.image_folder.split_names import split_of
from cnntrain.data.labels import quoted
from cnntrain.data.names import join_names, nfc
from cnntrain.errors import DataError, visible

LABELS = {
    "label", "labels", "class", "classes", "classname", "classlabel", "target", "category", "categories", "y", "breed",
    "species", "variety", "dx", "diagnosis",
}  # fmt: skip
"""What a column of labels is usually called, in small letters, without what stands between words."""
SPLITS = {"split", "splits", "set", "subset", "dataset", "partition"}
LOOKED_AT = 500
"""Rows by which it is decided what a column is."""
MAX_FILES = 20
"""CSV files in a folder that are looked into."""
WHAT = "file of labels"


class LabelEntry(NamedTuple):
    """What a file says of an image."""

    label: str
    split: str
    """Empty where the file does not say."""
    group: str


class ImageLabels(NamedTuple):
    """What a file says."""

    of: dict[str, LabelEntry]
    """By image."""
    choices: tuple[str, ...]
    notes: tuple[str, ...]


class Columns(NamedTuple):
    """Which column is what, by its place."""

    image: int
    labels: tuple[int, ...]
    """One column, several that may say the same, or one for each class with a 1 in that of the image's."""
    is_one_hot: bool
    split: int | None
    group: int | None


class Table:
    """A CSV file, of which the first rows are looked at."""

    def __init__(self, path: Path, files: ImageLookup, least: float) -> None:
        """Find out which column names the images.

        Args:
            path: The file.
            files: The images in the folder.
            least: The share of the first rows, or of the images, that must be named; 0: rows are read until one is.
        """
        self.path, self.files = path, files
        first = list(islice(rows_of(path, WHAT), LOOKED_AT + 1))
        names = [value.strip() for value in first[0][1]] if first else []
        self.has_header = not any(map(files.find, names))
        self.header = names if self.has_header else [f"column {i}" for i in range(len(names))]
        self.sample = [row for _, row in first[self.has_header :] if len(row) == len(names)]
        self.image = self._image_column(least)
        if self.image is None and not least:
            naming = (row for _, row in self.rows() if any(map(files.find, row)))
            self.sample = list(islice(naming, LOOKED_AT)) or self.sample
            self.image = self._image_column(least)

    def _image_column(self, least: float) -> int | None:
        """The column that names the most images, but none that is called a label or names few over and over."""
        best, most = None, 0
        for place, header in enumerate(self.header):
            named = [name for row in self.sample if (name := self.files.find(row[place])) is not None]
            different = len(set(named))
            enough = least * min(len(self.sample), self.files.count)
            names_enough = different > len(named) / 2 and len(named) >= enough
            if names_enough and different > most and _plain(header) not in LABELS:
                best, most = place, different
        return best

    def columns(self, label: str | None, group: str | None) -> Columns:
        """Decide which column is what.

        Args:
            label: The column that the config names.
            group: The same for groups.

        Raises:
            DataError: Nothing tells which column holds the labels, or one that is named is not there.
        """
        image = self.image
        if image is None:
            raise DataError(f"{self.path}: no column names images in the folder; the columns are {self._names()}")
        of_group = None if group is None else self._place(group, "group")
        rest = [i for i, name in enumerate(self.header) if i != image and name]
        split = next((i for i in rest if _plain(self.header[i]) in SPLITS and self._says_splits(i)), None)
        rest = [i for i in rest if i not in (split, of_group)]
        if label is not None:
            return Columns(image, (self._place(label, "label"),), False, split, of_group)
        known = tuple(i for i in rest if _plain(self.header[i]) in LABELS)
        if known or len(rest) == 1:
            return Columns(image, known or (rest[0],), False, split, of_group)
        if len(rest) > 1 and all(row[i].strip() in ("0", "1", "0.0", "1.0") for row in self.sample for i in rest):
            return Columns(image, tuple(rest), True, split, of_group)
        there = f"; the columns are {self._names()}; name it by data.label=COLUMN" if rest else ""
        raise DataError(f"{self.path}: nothing tells which column holds the labels of the images{there}")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """All rows but the header."""
        for line, row in islice(rows_of(self.path, WHAT), int(self.has_header), None):
            if len(row) != len(self.header):
                raise DataError(f"{self.path}: line {line} has {len(row)} values, and not {len(self.header)}")
            yield line, row

    def _says_splits(self, place: int) -> bool:
        return all(split_of(row[place]) for row in self.sample)

    def _place(self, name: str, key: str) -> int:
        if name not in self.header:
            raise DataError(f"data.{key}: {self.path} has no column {quoted(name)}; the columns are {self._names()}")
        return self.header.index(name)

    def _names(self) -> str:
        return join_names(map(quoted, self.header))


def read(root: Path, path: Path, images: Sequence[str], label: str | None, group: str | None) -> ImageLabels:
    """Read the labels of the ``images`` in the folder ``root``.

    Args:
        root: The folder.
        path: The file.
        images: Their paths in the folder.
        label: The column of the labels, if the config names it.
        group: The column of the groups, if there are groups.

    Raises:
        DataError: The file cannot be used: the first line that is wrong.
    """
    table = Table(path, ImageLookup(images, split_of(path.stem) or "train"), 0)
    columns = table.columns(label, group)
    found: dict[str, tuple[tuple[str, ...], str, str]] = {}
    kept: dict[object, tuple[str, ...]] = {}
    lost: list[tuple[int, str]] = []
    count = 0
    for line, row in table.rows():
        where = f"{path}: line {line}"
        name = table.files.find(row[columns.image], where)
        if name is None:
            count += 1
            lost = lost or [(line, row[columns.image])]
            continue
        labels = _labels(row, columns, table.header, where)
        split = "" if columns.split is None else split_of(row[columns.split])
        if split is None:
            raise DataError(f"{where} names the split {quoted(row[columns.split or 0])}, which is none")
        of_group = "" if columns.group is None else nfc(row[columns.group].strip())
        if columns.group is not None and not of_group:
            raise DataError(f"{where} has no group in the column {quoted(table.header[columns.group])}")
        entry = kept.setdefault(labels, labels), split, of_group
        if found.setdefault(name, entry) != entry:
            raise DataError(f"{where} names the image {quoted(name)} a second time, and says something else of it")
    if not found:
        raise DataError(f"{path} names no image in {root}")
    chosen = _one_of(columns, set(kept.values()), table)
    of = {name: LabelEntry(labels[chosen], split, group) for name, (labels, split, group) in found.items()}
    return ImageLabels(of, _choices(table, columns, chosen), tuple(_notes(path, count, lost, len(images) - len(of))))


def _labels(row: list[str], columns: Columns, header: list[str], where: str) -> tuple[str, ...]:
    """The labels in a row, one a column; of one-hot columns the name of that with a 1."""
    values = [row[i].strip() for i in columns.labels]
    if columns.is_one_hot:
        ones = [header[i] for i, value in zip(columns.labels, values, strict=True) if value in ("1", "1.0")]
        if len(ones) != 1 or any(value not in ("0", "1", "0.0", "1.0") for value in values):
            raise DataError(
                f"{where} marks {len(ones)} of the classes {join_names(header[i] for i in columns.labels)}, but an "
                "image needs exactly one; if another column holds the labels, name it by data.label=COLUMN"
            )
        return (nfc(ones[0]),)
    if not all(values):
        raise DataError(f"{where} has no label in the column {quoted(header[columns.labels[values.index('')]])}")
    return tuple(map(nfc, values))


def _one_of(columns: Columns, kinds: set[tuple[str, ...]], table: Table) -> int:
    """The place of the column of labels among those that may be it, if all say the same; text before numbers."""
    several = 1 if columns.is_one_hot else len(columns.labels)
    if several > 1 and any(len({kind[i] for kind in kinds}) != len(kinds) for i in range(several)):
        names = join_names(quoted(table.header[i]) for i in columns.labels)
        raise DataError(f"{table.path}: the columns {names} may hold the labels; name one by data.label=COLUMN")
    return next((i for i in range(several) if not all(kind[i].isdigit() for kind in kinds)), 0)


def _choices(table: Table, columns: Columns, chosen: int) -> tuple[str, ...]:
    names = [quoted(table.header[i]) for i in columns.labels]
    labels = f"columns {join_names(names)}" if columns.is_one_hot else f"column {names[chosen]}"
    told = [f"labels: {visible(table.path.name)}, {labels}; images: column {quoted(table.header[columns.image])}"]
    if columns.split is not None:
        told.append(f"splits: {visible(table.path.name)}, column {quoted(table.header[columns.split])}")
    return tuple(told)


def _notes(path: Path, count: int, lost: list[tuple[int, str]], left: int) -> Iterator[str]:
    for line, name in lost:
        rows = "1 row names" if count == 1 else f"{count:,} rows name"
        yield f"{rows} no image in the folder: {path}: line {line}: {quoted(name)}{', ...' if count > 1 else ''}"
    if left:
        images = "1 image is" if left == 1 else f"{left:,} images are"
        yield f"{images} left out: {path} names no label for {'it' if left == 1 else 'them'}"


def tables(root: Path, images: Sequence[str]) -> list[Table]:
    """The CSV files in a folder that name its images."""
    paths = sorted(path for path in root.iterdir() if path.suffix.lower() in (".csv", ".tsv") and path.is_file())
    # What a competition wants to be sent names images, too, but its labels are made up.
    paths = [path for path in paths if "submission" not in path.name.lower() and not path.name.startswith(".")]
    readable = [path for path in paths[:MAX_FILES] if path.stat().st_size <= MAX_BYTES]
    found = []
    files: dict[str, ImageLookup] = {}
    for path in readable:
        split = split_of(path.stem) or "train"
        try:
            found.append(Table(path, files.get(split) or files.setdefault(split, ImageLookup(images, split)), 0.5))
        except DataError:
            continue  # a file that nobody named may be anything
    return [table for table in found if table.image is not None]


def detected(root: Path, images: Sequence[str]) -> Path | None:
    """The one CSV file in a folder that names its images; None if there is none.

    Raises:
        DataError: There are several.
    """
    found = tables(root, images)
    if len(found) > 1:
        names = join_names(table.path.name for table in found)
        raise DataError(f"{root}: {names} name the images; choose the file of labels by data.labels=FILE.csv")
    return found[0].path if found else None


def contradiction(root: Path, folder_of: dict[str, str]) -> str:
    """A sentence if a CSV file in a folder gives its images other classes than their folders do; otherwise empty."""
    for table in tables(root, list(folder_of)):
        try:
            columns = table.columns(None, None)
        except DataError:
            continue
        if not any(_plain(table.header[i]) in LABELS for i in columns.labels):
            continue
        pairs = {
            (folder_of[name], tuple(row[i] for i in columns.labels))
            for row in table.sample
            if (name := table.files.find(row[columns.image])) is not None
        }
        if min(len({folder for folder, _ in pairs}), len({label for _, label in pairs})) < len(pairs):
            return (
                f"{root}: {visible(table.path.name)} gives the images other classes than their folders do; read its "
                f"labels by data.labels={visible(str(table.path))}, or move it elsewhere"
            )
    return ""


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
