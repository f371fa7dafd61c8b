"""``split.csv``: which image was in which split, so that a run can be repeated and judged on the same images.

::

    file,class,split
    cat/1.jpg,cat,train
"""

import csv
import io
from pathlib import Path

from cnntrain.data.image_folder.csv_rows import rows_of
from cnntrain.data.names import nfc, unicode_forms
from cnntrain.data.progress import ProgressReporter
from cnntrain.data.splits import Data
from cnntrain.errors import DataError
from cnntrain.storage import write_file

NAME = "split.csv"
COLUMNS = ["file", "class", "split"]
SPLITS = ("train", "validation", "test")


def split_text(data: Data) -> str | None:
    """What ``split.csv`` says of ``data``; None where the samples come from no files of their own."""
    if data.train.names is None:
        return None
    text = io.StringIO()
    names = [name for dataset in data.splits().values() if dataset for name in dataset.names or ()]
    # Left to itself, csv puts names with a carriage return into no quotes, and could not read them.
    is_odd = any("\r" in name for name in names)
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if is_odd else csv.QUOTE_MINIMAL)
    writer.writerow(COLUMNS)
    for split, dataset in data.splits().items():
        if dataset is not None and dataset.names is not None:
            labels = dataset.labels.tolist()
            writer.writerows((name, data.classes[i], split) for name, i in zip(dataset.names, labels, strict=True))
    return text.getvalue()


def write(path: Path, data: Data) -> None:
    """Write ``split.csv``, if the samples come from files of their own. Names need not be valid text."""
    text = split_text(data)
    if text is not None:
        write_file(path, text.encode("utf-8", "surrogateescape"))


def chosen(given: Path | None, of_run: Path, folder: Path, reporter: ProgressReporter) -> Path | None:
    """The split file for a run's images in ``folder``: the one that the config names, or that in the run's folder."""
    if not of_run.is_file() or (given is not None and given.is_file()):
        return given
    if is_of(of_run, folder):
        return of_run
    if folder.is_dir():  # otherwise there will be worse to tell
        reporter.note(f"{of_run} names no image in {folder}: these are split anew; eval --all takes all of them")
    return None


def is_of(path: Path, folder: Path) -> bool:
    """Whether an image that a split file names is in a folder.

    Raises:
        DataError: As ``read``.
    """
    return any(_is_file(folder / form) for name in read(path) for form in unicode_forms(name))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # no file system takes such a name
        return False


def read(path: Path) -> dict[str, tuple[str, str]]:
    """File -> its class and split.

    Raises:
        DataError: There is no such file, or it is malformed: the first line that is.
    """
    rows = rows_of(path, "split file", separators=",")
    if next(rows, (1, None))[1] != COLUMNS:
        raise DataError(f"{path} is no split file: its first line is not {','.join(COLUMNS)}")
    found: dict[str, tuple[str, str]] = {}
    kinds: dict[tuple[str, str], tuple[str, str]] = {}  # each pair is kept once, and not once a file
    for line, row in rows:
        where = f"{path}: line {line}"
        if len(row) != len(COLUMNS):
            raise DataError(f"{where} has {len(row)} values, and not {', '.join(COLUMNS)}")
        name, class_name, split = row
        if split not in SPLITS:
            raise DataError(f"{where} names the split {split[:80]!r}; there are {', '.join(SPLITS)}")
        if name in found:
            raise DataError(f"{where} names {name[:80]!r} a second time")
        kind = nfc(class_name), split
        found[name] = kinds.setdefault(kind, kind)
    if not any(split == "train" for _, split in found.values()):
        raise DataError(f"{path} names no image to train on")
    return found
