"""Labels of images from a CSV file; the image and label columns are detected from their contents.

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
"""Common names of label columns, lowercase and without separators."""
SPLITS = {"split", "splits", "set", "subset", "dataset", "partition"}
SAMPLE_ROWS = 500
"""Rows used to detect the columns."""
MAX_FILES = 20
"""Maximum number of CSV files to open in a folder."""
WHAT = "labels file"


class LabelEntry(NamedTuple):
    """Label, split and group of one image."""

    label: str
    split: str
    """"" if the file has no split column."""
    group: str


class ImageLabels(NamedTuple):
    """The contents of a labels file."""

    by_image: dict[str, LabelEntry]
    choices: tuple[str, ...]
    notes: tuple[str, ...]


class Columns(NamedTuple):
    """Indices of the columns."""

    image: int
    labels: tuple[int, ...]
    """One column, several equivalent candidates, or one-hot columns."""
    is_one_hot: bool
    split: int | None
    group: int | None


class Table:
    """A CSV file and a sample of its rows."""

    def __init__(self, path: Path, files: ImageLookup, least: float) -> None:
        """Detect the image column.

        Args:
            path: The file.
            files: The images in the folder.
            least: Minimum share of the first rows, or of the images, that the column must match; 0: read rows until one
                does.
        """
        self.path, self.files = path, files
        first = list(islice(rows_of(path, WHAT), SAMPLE_ROWS + 1))
        names = [value.strip() for value in first[0][1]] if first else []
        self.has_header = not any(map(files.find, names))
        self.header = names if self.has_header else [f"column {i}" for i in range(len(names))]
        self.sample = [row for _, row in first[self.has_header :] if len(row) == len(names)]
        self.image = self._image_column(least)
        if self.image is None and not least:
            naming = (row for _, row in self.rows() if any(map(files.find, row)))
            self.sample = list(islice(naming, SAMPLE_ROWS)) or self.sample
            self.image = self._image_column(least)

    def _image_column(self, least: float) -> int | None:
        """Return the column that names the most images; not one called a label, or one that repeats few images."""
        best, most = None, 0
        for column, header in enumerate(self.header):
            named = [name for row in self.sample if (name := self.files.find(row[column])) is not None]
            different = len(set(named))
            enough = least * min(len(self.sample), self.files.count)
            names_enough = different > len(named) / 2 and len(named) >= enough
            if names_enough and different > most and _plain(header) not in LABELS:
                best, most = column, different
        return best

    def columns(self, label: str | None, group: str | None) -> Columns:
        """Detect the columns.

        Args:
            label: The label column, if configured.
            group: The group column, if configured.

        Raises:
            DataError: The label column is ambiguous, or a configured column is missing.
        """
        image = self.image
        if image is None:
            raise DataError(f"{self.path}: no column names images in the folder; the columns are {self._names()}")
        group_column = None if group is None else self._index(group, "group")
        rest = [i for i, name in enumerate(self.header) if i != image and name]
        split = next((i for i in rest if _plain(self.header[i]) in SPLITS and self._holds_splits(i)), None)
        rest = [i for i in rest if i not in (split, group_column)]
        if label is not None:
            return Columns(image, (self._index(label, "label"),), False, split, group_column)
        known = tuple(i for i in rest if _plain(self.header[i]) in LABELS)
        if known or len(rest) == 1:
            return Columns(image, known or (rest[0],), False, split, group_column)
        if len(rest) > 1 and all(row[i].strip() in ("0", "1", "0.0", "1.0") for row in self.sample for i in rest):
            return Columns(image, tuple(rest), True, split, group_column)
        there = f"; the columns are {self._names()}; set data.label=COLUMN" if rest else ""
        raise DataError(f"{self.path}: cannot tell which column holds the labels of the images{there}")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield line number and values of each row below the header."""
        for line, row in islice(rows_of(self.path, WHAT), int(self.has_header), None):
            if len(row) != len(self.header):
                raise DataError(f"{self.path}: line {line} has {len(row)} values, and not {len(self.header)}")
            yield line, row

    def _holds_splits(self, column: int) -> bool:
        return all(split_of(row[column]) for row in self.sample)

    def _index(self, name: str, key: str) -> int:
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
        images: Paths of the images in the folder.
        label: The label column, if configured.
        group: The group column, if there are groups.

    Raises:
        DataError: The file is unusable; the message names the first wrong line.
    """
    table = Table(path, ImageLookup(images, split_of(path.stem) or "train"), 0)
    columns = table.columns(label, group)
    found: dict[str, tuple[tuple[str, ...], str, str]] = {}
    kept: dict[object, tuple[str, ...]] = {}
    unmatched: list[tuple[int, str]] = []
    count = 0
    for line, row in table.rows():
        where = f"{path}: line {line}"
        name = table.files.find(row[columns.image], where)
        if name is None:
            count += 1
            unmatched = unmatched or [(line, row[columns.image])]
            continue
        labels = _labels(row, columns, table.header, where)
        split = "" if columns.split is None else split_of(row[columns.split])
        if split is None:
            raise DataError(f"{where} names the split {quoted(row[columns.split or 0])}, which is not a split")
        group_name = "" if columns.group is None else nfc(row[columns.group].strip())
        if columns.group is not None and not group_name:
            raise DataError(f"{where} has no group in the column {quoted(table.header[columns.group])}")
        entry = kept.setdefault(labels, labels), split, group_name
        if found.setdefault(name, entry) != entry:
            raise DataError(f"{where} names the image {quoted(name)} a second time, with different values")
    if not found:
        raise DataError(f"{path} names no image in {root}")
    chosen = _one_of(columns, set(kept.values()), table)
    by_image = {name: LabelEntry(labels[chosen], split, group) for name, (labels, split, group) in found.items()}
    return ImageLabels(
        by_image, _choices(table, columns, chosen), tuple(_notes(path, count, unmatched, len(images) - len(by_image)))
    )


def _labels(row: list[str], columns: Columns, header: list[str], where: str) -> tuple[str, ...]:
    """Return the labels in a row, one per label column; for one-hot columns the name of the column with a 1."""
    values = [row[i].strip() for i in columns.labels]
    if columns.is_one_hot:
        ones = [header[i] for i, value in zip(columns.labels, values, strict=True) if value in ("1", "1.0")]
        if len(ones) != 1 or any(value not in ("0", "1", "0.0", "1.0") for value in values):
            raise DataError(
                f"{where} marks {len(ones)} of the classes {join_names(header[i] for i in columns.labels)}, but an "
                "image needs exactly one; if another column holds the labels, set data.label=COLUMN"
            )
        return (nfc(ones[0]),)
    if not all(values):
        raise DataError(f"{where} has no label in the column {quoted(header[columns.labels[values.index('')]])}")
    return tuple(map(nfc, values))


def _one_of(columns: Columns, kinds: set[tuple[str, ...]], table: Table) -> int:
    """Choose among equivalent label columns; text before numbers."""
    several = 1 if columns.is_one_hot else len(columns.labels)
    if several > 1 and any(len({kind[i] for kind in kinds}) != len(kinds) for i in range(several)):
        names = join_names(quoted(table.header[i]) for i in columns.labels)
        raise DataError(f"{table.path}: the columns {names} may hold the labels; set data.label=COLUMN")
    return next((i for i in range(several) if not all(kind[i].isdigit() for kind in kinds)), 0)


def _choices(table: Table, columns: Columns, chosen: int) -> tuple[str, ...]:
    names = [quoted(table.header[i]) for i in columns.labels]
    labels = f"columns {join_names(names)}" if columns.is_one_hot else f"column {names[chosen]}"
    choices = [f"labels: {visible(table.path.name)}, {labels}; images: column {quoted(table.header[columns.image])}"]
    if columns.split is not None:
        choices.append(f"splits: {visible(table.path.name)}, column {quoted(table.header[columns.split])}")
    return tuple(choices)


def _notes(path: Path, count: int, unmatched: list[tuple[int, str]], left: int) -> Iterator[str]:
    for line, name in unmatched:
        rows = "1 row names" if count == 1 else f"{count:,} rows name"
        yield f"{rows} no image in the folder: {path}: line {line}: {quoted(name)}{', ...' if count > 1 else ''}"
    if left:
        images = "1 image" if left == 1 else f"{left:,} images"
        yield f"skipped {images} without a label in {path}"


def tables(root: Path, images: Sequence[str]) -> list[Table]:
    """Return the CSV files in a folder that list its images."""
    paths = sorted(path for path in root.iterdir() if path.suffix.lower() in (".csv", ".tsv") and path.is_file())
    # Sample submissions of competitions list images too, but their labels are placeholders.
    paths = [path for path in paths if "submission" not in path.name.lower() and not path.name.startswith(".")]
    readable = [path for path in paths[:MAX_FILES] if path.stat().st_size <= MAX_BYTES]
    found = []
    files: dict[str, ImageLookup] = {}
    for path in readable:
        split = split_of(path.stem) or "train"
        try:
            found.append(Table(path, files.get(split) or files.setdefault(split, ImageLookup(images, split)), 0.5))
        except DataError:
            continue  # a file that the config does not name may be anything
    return [table for table in found if table.image is not None]


def detect(root: Path, images: Sequence[str]) -> Path | None:
    """Return the one CSV file in a folder that lists its images; None if there is none.

    Raises:
        DataError: There are several.
    """
    found = tables(root, images)
    if len(found) > 1:
        names = join_names(table.path.name for table in found)
        raise DataError(f"{root}: {names} name the images; choose the labels file with data.labels=FILE.csv")
    return found[0].path if found else None


def contradiction(root: Path, folder_of: dict[str, str]) -> str:
    """Return a message if a CSV file contradicts the class folders; otherwise an empty string."""
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
                f"{root}: {visible(table.path.name)} contradicts the class folders; use its labels with "
                f"data.labels={visible(str(table.path))}, or move the file elsewhere"
            )
    return ""


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
