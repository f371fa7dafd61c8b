"""``source: cifar100``: a folder with the binary version of CIFAR-100.

``train.bin`` and ``test.bin`` are sequences of records of 3,074 bytes::

    coarse label | fine label | 1,024 red pixels | 1,024 green | 1,024 blue      one byte each, row by row

``fine_label_names.txt`` and ``coarse_label_names.txt`` name the classes, one a line. The Python version holds the same
images as pickles, which are never opened.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
"""

import re
from pathlib import Path
from typing import Literal

from cnntrain.data.dataset import PredefinedSplits, Splits, assemble
from cnntrain.data.folder import entries
from cnntrain.data.formats import cifar10
from cnntrain.data.names import join_names
from cnntrain.errors import DataError

LabelKind = Literal["fine", "coarse"]
CLASSES = {"coarse": 20, "fine": 100}
"""In the order of the bytes."""
SUBFOLDER = "cifar-100-binary"
TRAIN, TEST = "train.bin", "test.bin"
PYTHON = re.compile(r"cifar-100-python(\.(tar\.gz|tgz|tar))?")
PACKED = re.compile(r"cifar-100-binary\.(tar\.gz|tgz|tar)")
FOLDER = f"`source: cifar100` reads the folder that holds train.bin, usually called {SUBFOLDER}"


def load(path: Path, labels: LabelKind = "fine") -> Splits | PredefinedSplits:
    """Read the folder ``path``, or its subfolder ``cifar-100-binary``.

    Args:
        path: The folder. Without ``test.bin`` there is no test split; without the file of names the classes are called
            by their numbers.
        labels: Which of the two labels of an image to learn: 100 fine ones, or 20 coarse ones.

    Raises:
        DataError: A file is missing or malformed, or is one of the Python version.
    """
    files = _find(path)
    names_file, count = f"{labels}_label_names.txt", CLASSES[labels]
    names = cifar10.read_names(files[names_file]) if names_file in files else tuple(map(str, range(count)))
    form = cifar10.RecordFormat(labels=2, label_index=list(CLASSES).index(labels), data_set="CIFAR-100")
    train = cifar10.read([files[TRAIN]], len(names), form)
    test = cifar10.read([files[TEST]], len(names), form) if TEST in files else None
    return assemble(str(path), train, test, names, choices=(f"labels: the {count} {labels} ones",))


def _find(path: Path) -> dict[str, Path]:
    """Return the files of the folder that holds ``train.bin``, by name."""
    files = {file.name: file for file in entries(path, FOLDER)}
    if TRAIN not in files and SUBFOLDER in files:
        path /= SUBFOLDER
        files = {file.name: file for file in entries(path, FOLDER)}
    if TRAIN in files:
        return files
    if any(PACKED.fullmatch(name) for name in files):
        raise DataError(f"{path} holds an archive; unpack it, and give the folder {SUBFOLDER} that comes out")
    if any(PYTHON.fullmatch(name) for name in files) or {"train", "test", "meta"} <= files.keys():
        raise DataError(
            f"{path}: this is the Python version of CIFAR-100, whose files are pickles, and those can run code; get "
            "the binary version, cifar-100-binary.tar.gz, and unpack it"
        )
    raise DataError(
        f"{path}: no training images; looked for train.bin in this folder and in {SUBFOLDER}; the folder holds "
        f"{join_names(files)}"
    )
