"""``split.csv``: the split of each image, so a run can be repeated and evaluated on the same images.

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
    """Return the contents of ``split.csv``; None if the samples are not separate files."""
    if data.train.names is None:
        return None
    text = io.StringIO()
    names = [name for dataset in data.splits().values() if dataset for name in dataset.names or ()]
    # By default csv does not quote carriage returns, and could not read such names back.
    is_odd = any("\r" in name for name in names)
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if is_odd else csv.QUOTE_MINIMAL)
    writer.writerow(COLUMNS)
    for split, dataset in data.splits().items():
        if dataset is not None and dataset.names is not None:
            labels = dataset.labels.tolist()
            writer.writerows((name, data.classes[i], split) for name, i in zip(dataset.names, labels, strict=True))
    return text.getvalue()


def write(path: Path, data: Data) -> None:
    """Write ``split.csv``, if the samples are separate files. Names need not be valid text."""
    text = split_text(data)
    if text is not None:
        write_file(path, text.encode("utf-8", "surrogateescape"))


def choose(given: Path | None, of_run: Path, folder: Path, reporter: ProgressReporter) -> Path | None:
    """Return the split file for a run: the one in the config, or the one in the run folder."""
    if not of_run.is_file() or (given is not None and given.is_file()):
        return given
    if matches(of_run, folder):
        return of_run
    if folder.is_dir():  # otherwise there is a worse error to report
        reporter.note(f"{of_run} lists no image in {folder}: its images are split anew; eval --all uses all of them")
    return None


def matches(path: Path, folder: Path) -> bool:
    """Return whether any image in a split file exists in a folder.

    Raises:
        DataError: As for ``read``.
    """
    return any(_is_file(folder / form) for name in read(path) for form in unicode_forms(name))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # not a valid file name
        return False


def read(path: Path) -> dict[str, tuple[str, str]]:
    """Read a split file: image -> class and split.

    Raises:
        DataError: The file is missing or malformed; the message names the first wrong line.
    """
    rows = rows_of(path, "split file", separators=",")
    if next(rows, (1, None))[1] != COLUMNS:
        raise DataError(f"{path} is not a split file: its first line is not {','.join(COLUMNS)}")
    found: dict[str, tuple[str, str]] = {}
    kinds: dict[tuple[str, str], tuple[str, str]] = {}  # share equal tuples to save memory
    for line, row in rows:
        where = f"{path}: line {line}"
        if len(row) != len(COLUMNS):
            raise DataError(f"{where} has {len(row)} values instead of {', '.join(COLUMNS)}")
        name, class_name, split = row
        if split not in SPLITS:
            raise DataError(f"{where} names the split {split[:80]!r}; there are {', '.join(SPLITS)}")
        if name in found:
            raise DataError(f"{where} names {name[:80]!r} a second time")
        kind = nfc(class_name), split
        found[name] = kinds.setdefault(kind, kind)
    if not any(split == "train" for _, split in found.values()):
        raise DataError(f"{path} lists no training images")
    return found
