"""Detects the data source that a command-line argument names: a known data set, a folder or a file."""

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
"""Source by file extension."""
FOLDER = "this was expected to be a folder"


def detect_source(word: str) -> dict[str, Any]:
    """Return the config section ``data`` for ``word``: ``source``, and ``path`` if it is not a known name.

    A folder is identified by its files: those of MNIST or CIFAR-10, or ``train.csv``; any other is an image folder.
    Known names take precedence: use ``./mnist`` for the folder.

    Raises:
        DataError: The word is not a known name, folder or supported file.
    """
    if word in REGISTRY or word == "digits":
        return {"source": word}
    path = Path(os.path.expanduser(word))  # ~name of an unknown user stays as it is
    if path.is_dir():
        return {"source": _source_of(path), "path": word}
    if path.exists():
        for ending, source in FILES.items():
            if path.name.lower().endswith(ending):
                return {"source": source, "path": word}
        raise DataError(f"{word}: data files end in {either(FILES)}; for other formats give the folder")
    names = ["digits", *REGISTRY]
    hint = did_you_mean(word, names) or f": {', '.join(names)}"
    raise DataError(f"{word} is neither a folder, nor a file, nor a data set known by name{hint}")


def _source_of(folder: Path) -> str:
    """Return the source that reads a folder."""
    files = entries(folder, FOLDER)
    names = [file.name for file in files]
    if any(idx.FILE_NAME.fullmatch(name) for name in names):
        return "idx"
    if cifar10.SUBFOLDER in names or any(cifar10.TRAIN.fullmatch(name) for name in names):
        return "cifar10"
    if cifar100.SUBFOLDER in names or {cifar100.TRAIN, "fine_label_names.txt"} <= set(names):
        return "cifar100"
    has_images = any(file.is_dir() or is_named_as_image(file.name) for file in files)
    if any(csv_file.FILE_NAME.fullmatch(name) for name in names) and not has_images:
        return "csv"  # next to images it may hold their labels
    return "images"
