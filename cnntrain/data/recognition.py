"""What a word of the command line names: a data set known by name, a folder or a file; and which source reads it."""

from pathlib import Path
from typing import Any

from cnntrain.data import SOURCES, cifar10, idx
from cnntrain.data.catalogue import NAMED
from cnntrain.data.folder import entries
from cnntrain.errors import DataError

FILES = {".npz": "npz", ".csv": "csv"}
"""The source that reads a file, by the end of its name."""
FOLDER = "this was expected to be a folder"


def recognise(word: str) -> dict[str, Any]:
    """The section ``data`` of a config for ``word``: its ``source``, and its ``path`` where it is no name.

    A folder is told by the files in it: those of MNIST's or CIFAR-10's form; any other is a folder of pictures. A word
    that can be a name is one: ``./mnist`` is the folder.

    Raises:
        DataError: It is neither a name nor a folder nor a file that can be read.
    """
    if word in NAMED or word == "digits":
        return {"source": word}
    path = Path(word).expanduser()
    if path.is_dir():
        return {"source": _source_of(path), "path": word}
    source = FILES.get(path.suffix.lower())
    if path.is_file() and source in SOURCES:
        return {"source": source, "path": word}
    if path.exists():
        known = " or ".join(ending for ending, source in FILES.items() if source in SOURCES)
        raise DataError(f"{word}: a file of data ends in {known}; a folder is read as a whole")
    raise DataError(
        f"{word} is neither a folder, nor a file, nor a data set known by name: {', '.join(['digits', *NAMED])}"
    )


def _source_of(folder: Path) -> str:
    """The source that reads a folder."""
    names = [file.name for file in entries(folder, FOLDER)]
    if any(idx.FILE_NAME.fullmatch(name) for name in names):
        return "idx"
    if cifar10.SUBFOLDER in names or any(cifar10.TRAIN.fullmatch(name) for name in names):
        return "cifar10"
    if "images" in SOURCES:
        return "images"
    raise DataError(f"{folder}: there are no files of MNIST's or CIFAR-10's form in this folder")
