"""Detects the label and pixel columns of a CSV file by names and values.

The names of pixels are alike but for their numbers (``pixel0``, ``1x1``), so that others stand out. Without such names
the labels are in the first column or in the last, and their values decide. What is equally good either way is refused.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from cnntrain.data.formats.csv_edges import Edges
from cnntrain.data.formats.csv_header import counts, is_mangled, number
from cnntrain.data.formats.csv_text import CsvText
from cnntrain.data.names import join_names
from cnntrain.errors import DataError

LABEL_NAMES = {"label", "labels", "class", "classes", "target", "targets", "y", "digit", "category", "letter"}
LABEL_NAMES |= {"classid", "classname", "classlabel", "emotion"}
INDEX_NAMES = re.compile(r"|(unnamed|level)\d*|id|index|idx|row|rowid|imageid|sampleid")
"""Names of columns that number the lines; pandas writes such a one without a name."""
IMAGE_FILE = re.compile(r".+\.(png|jpe?g|bmp|gif|webp|tiff?|pgm|ppm)", re.IGNORECASE)
KEY = "add data.label=COLUMN, the name or the place of the column that holds the labels"
Shape = tuple[int, int, int]


class Columns(NamedTuple):
    """What the columns of a file are."""

    label: int
    pixels: list[int]
    names: tuple[str, ...] | None
    """Names of all columns, if the header has more than numbers."""
    choices: tuple[str, ...]


def settle(text: CsvText, label: int | str | None, shape: Shape | None, edges: Callable[[int], Edges]) -> Columns:
    """Settle what the columns of the training samples are.

    Args:
        text: The open file.
        label: What ``data.label`` says.
        shape: (C, H, W) of an image, if the config says it.
        edges: Reads the values of the column that is named and of the last, where they are needed.

    Raises:
        DataError: There is no such column, or more than one could hold the labels.
    """
    _check_cells(text)
    names, choices, why = text.header, [], ""
    numbers_lines = names is None and _numbers_lines(text, shape)
    if names is not None and _only_count(names):
        choices.append(f"header: the first line, which only counts columns: {some(names)}")
        numbers_lines = _is_index(names[0]) or _numbers_lines(text, shape)
        names = None
    unlike = unlike_others(names) if names is not None else []
    has_family = names is not None and len(unlike) < len(names)
    if label is not None:
        label_column = _given(text, label)
    elif names is not None and (found := _by_name(text, names, unlike, has_family)) is not None:
        label_column = found
    else:
        label_column, why = edges(int(numbers_lines)).decide(text, int(numbers_lines))
    rest = [i for i in range(text.columns) if i != label_column]
    if names is not None:
        extra = [i for i in rest if (i in unlike if has_family else _is_index(names[i]))]
    else:
        extra = [0] if numbers_lines and label_column != 0 else []
    pixels = [i for i in rest if i not in extra]
    if extra and not fits(len(pixels), shape) and fits(len(rest), shape):
        pixels, extra = rest, []
    if names is not None and (ordered := in_name_order(names, pixels)) != pixels:
        choices.append(f"pixels: in the order of the numbers in their names, {some([names[i] for i in ordered])}")
        pixels = ordered
    named = f", {names[label_column]!r}" if names is not None else ""
    choices.append(f"labels: column {label_column}{named}{why}")
    if extra:
        shown = ", ".join(f"column {i}" + (f", {names[i]!r}" if names is not None else "") for i in extra[:5])
        choices.append(f"not read: {shown}" + (f" and {len(extra) - 5} more" if len(extra) > 5 else ""))
    return Columns(label_column, pixels, names, tuple(choices))


def match_columns(
    train: Columns, columns: int, known: Collection[str], text: CsvText, edges: Callable[[int], Edges]
) -> Columns | None:
    """Match the columns of another split by name or index; None without labels.

    Args:
        train: What the columns of the training samples are.
        columns: How many those are.
        known: The labels of the training samples.
        text: The open file.
        edges: Reads the values of the column that is named and of the last.

    Raises:
        DataError: Without names, the labels seem to be in another column.
    """
    names = text.header
    if train.names is not None and names is not None and not _only_count(names):
        if train.names[train.label] not in names:
            return None
        label = names.index(train.names[train.label])
        wanted = [train.names[i] for i in train.pixels]
        if set(wanted) <= set(names):
            index = {name: i for i, name in enumerate(names)}
            return Columns(label, [index[name] for name in wanted], names, ())
        if text.columns == columns:
            return Columns(label, train.pixels, names, ()) if label == train.label else None
        return Columns(label, [i for i in range(text.columns) if i != label], names, ())
    if text.columns == columns - 1:
        return None
    if text.columns == columns:
        marked = [i for i, name in enumerate(names or ()) if _plain(name) in LABEL_NAMES]
        if names is not None and marked and train.label not in marked:
            rest = [i for i in range(columns) if i != marked[0]]
            return (
                Columns(marked[0], in_name_order(names, rest), names, ()) if len(rest) == len(train.pixels) else train
            )
        if not marked:
            edges(0 if train.label == columns - 1 else train.label).check_place(text, train.label, known)
    return train


def fits(pixels: int, shape: Shape | None) -> bool:
    """Whether an image can have so many pixels."""
    return pixels > 0 and (math.prod(shape) if shape else math.isqrt(pixels) ** 2) == pixels


def some(names: Sequence[str]) -> str:
    """The first and the last of the names of columns, in their order."""
    shown = [*names[:4], "...", *names[-2:]] if len(names) > 7 else names
    return join_names(shown, sort=False)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_index(name: str) -> bool:
    return INDEX_NAMES.fullmatch(_plain(name)) is not None


def is_label_or_index(name: str) -> bool:
    """Whether a column of such a name holds labels, or numbers the lines."""
    return _plain(name) in LABEL_NAMES or _is_index(name)


def _only_count(names: Sequence[str]) -> bool:
    """Return whether a header only numbers the columns, except perhaps a first index column."""
    names = names[_is_index(names[0]) :]
    if not names or any(number(name) is None for name in names):
        return False
    return counts(names, 2) or (is_mangled(names) and not unlike_others(names))


def unlike_others(names: Sequence[str]) -> list[int]:
    """The columns whose names are unlike those of the pixels; all of them where no names are alike."""
    forms = [_form(name) for name in names]
    alike = {form for form, times in Counter(forms).items() if times > 1 and "#" in form}
    unlike = [i for i, form in enumerate(forms) if form not in alike]
    return unlike if 2 * len(unlike) <= len(names) else list(range(len(names)))


def in_name_order(names: Sequence[str], pixels: list[int]) -> list[int]:
    """The columns of the pixels in the order of the only number in each name, where these count from 0 or 1."""
    found = {i: re.findall(r"[0-9]+", names[i]) for i in pixels}
    if any(len(numbers) != 1 for numbers in found.values()) or len({_form(names[i]) for i in pixels}) != 1:
        return pixels
    ordered = sorted(pixels, key=lambda i: int(found[i][0][:18]))
    first = int(found[ordered[0]][0][:18])
    is_count = first in (0, 1) and all(int(found[i][0][:18]) == first + k for k, i in enumerate(ordered))
    return ordered if is_count else pixels


def _form(name: str) -> str:
    """A name without its numbers."""
    return re.sub(r"\d+", "#", name.lower())


def _check_cells(text: CsvText) -> None:
    """Refuse files that hold images in another way.

    Raises:
        DataError: All pixels are in one cell, or cells name files.
    """
    for cells in text.sample[:1]:
        for i, cell in enumerate(cells):
            if number(cell) is not None:
                continue
            name = f"column {i}" + (f", {text.header[i]!r}," if text.header is not None else "")
            values = cell.split()
            if len(values) > 3 and all(number(value) is not None for value in values[:9]):
                single = "each line" if len(cells) == 1 else name
                raise DataError(
                    f"{text.path}: {single} holds {len(values):,} values separated by blanks; give each pixel a column "
                    "of its own, separated by commas"
                )
            if IMAGE_FILE.fullmatch(cell):
                raise DataError(
                    f"{text.path}: {name} holds names of image files, such as {cell[:40]!r}; `source: csv` reads the "
                    "pixels themselves; for files use `source: images`"
                )
    if text.columns < 2:
        raise DataError(
            f"{text.path} has one value a line; a label and pixels are needed, separated by commas, semicolons or tabs"
        )


def _given(text: CsvText, label: int | str) -> int:
    """The column that the config names."""
    if isinstance(label, str):
        if text.header is None:
            raise DataError(
                f"{text.path} has no header, and so no column {label!r}; give its place, such as data.label=0"
            )
        if label not in text.header:
            raise DataError(f"{text.path} has no column {label!r}; its header names {some(text.header)}")
        return text.header.index(label)
    if not -text.columns <= label < text.columns:
        raise DataError(f"{text.path} has {text.columns:,} columns, and so no column {label}")
    return label % text.columns


def _by_name(text: CsvText, names: Sequence[str], unlike: list[int], has_family: bool) -> int | None:
    """Find the label column by names or values that cannot be pixels; None if the names do not help.

    Raises:
        DataError: Several are marked, or none though the others are named as pixels.
    """
    known = [i for i in (unlike or range(len(names))) if _plain(names[i]) in LABEL_NAMES]
    others = [i for i in unlike if not _is_index(names[i])]
    candidates = known or (others if has_family else [])
    if len(candidates) > 1:
        both = ", ".join(repr(names[i]) for i in candidates[:9])
        raise DataError(f"{text.path}: the columns {both} could all hold the labels; {KEY}")
    if candidates:
        return candidates[0]
    if not has_family:
        return None
    repeated = [i for i in unlike if len({cells[i] for cells in text.sample}) < len(text.sample)]
    impossible = [i for i in range(text.columns) if i not in unlike and not _may_be_pixels(text, i)]
    if len(repeated or impossible) == 1:
        return (repeated or impossible)[0]
    if unlike:
        raise DataError(
            f"{text.path}: no column holds labels: {names[unlike[0]]!r} numbers the lines, and the others are named as "
            f"pixels; its header names {some(names)}; {KEY}"
        )
    raise DataError(f"{text.path}: all columns are named as pixels, {some(names)}; {KEY}")


def _may_be_pixels(text: CsvText, column: int) -> bool:
    values = [number(cells[column]) for cells in text.sample]
    return all(value is not None and 0 <= value <= 255 for value in values)


def _numbers_lines(text: CsvText, shape: Shape | None) -> bool:
    """Whether the first column only numbers the lines, as the number of the others shows: a label and all pixels."""
    if fits(text.columns - 1, shape) or not fits(text.columns - 2, shape):
        return False
    first = [number(cells[0]) for cells in text.sample]
    return len(first) > 1 and len(set(first)) == len(first)
