"""What a word of the command line names: a data set known by name, a folder or a file; and which source reads it."""

import os
from pathlib import Path
from typing import Any

from cnntrain.config.yaml.wording import did_you_mean, either
from cnntrain.data.downloads.registry import REGISTRY
from cnntrain.data.folder import entries
from cnntrain.data.formats import cifar10, cifar100, csv_file, idx
from cnntrain.data.image_folder.folder_contents import is_named_as_image
from cnntrain.errors import DataError

FILES = {".npz": "npz", ".csv": "csv", ".csv.gz": "csv"}
"""The source that reads a file, by the end of its name."""
FOLDER = "this was expected to be a folder"


def detect_source(word: str) -> dict[str, Any]:
    """The section ``data`` of a config for ``word``: its ``source``, and its ``path`` where it is no name.

    A folder is told by the files in it: those of MNIST's or CIFAR-10's form, or ``train.csv``; any other is a folder of
    images. A word that can be a name is one: ``./mnist`` is the folder.

    Raises:
        DataError: It is neither a name nor a folder nor a file that can be read.
    """
    if word in REGISTRY or word == "digits":
        return {"source": word}
    path = Path(os.path.expanduser(word))  # a ~name without a home is a name
    if path.is_dir():
        return {"source": _source_of(path), "path": word}
    if path.exists():
        for ending, source in FILES.items():
            if path.name.lower().endswith(ending):
                return {"source": source, "path": word}
        raise DataError(
            f"{word}: a file of data ends in {either(FILES)}; files of other kinds are given by their folder"
        )
    names = ["digits", *REGISTRY]
    hint = did_you_mean(word, names) or f": {', '.join(names)}"
    raise DataError(f"{word} is neither a folder, nor a file, nor a data set known by name{hint}")


def _source_of(folder: Path) -> str:
    """The source that reads a folder."""
    files = entries(folder, FOLDER)
    names = [file.name for file in files]
    if any(idx.FILE_NAME.fullmatch(name) for name in names):
        return "idx"
    if cifar10.SUBFOLDER in names or any(cifar10.TRAIN.fullmatch(name) for name in names):
        return "cifar10"
    if cifar100.SUBFOLDER in names or {cifar100.TRAIN, "fine_label_names.txt"} <= set(names):
        return "cifar100"
    has_pictures = any(file.is_dir() or is_named_as_image(file.name) for file in files)
    if any(csv_file.FILE_NAME.fullmatch(name) for name in names) and not has_pictures:
        return "csv"  # beside images, it may hold their labels
    return "images"
