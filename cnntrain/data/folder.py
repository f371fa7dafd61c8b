"""The entries of a folder that a config names."""

from pathlib import Path

from cnntrain.errors import DataError, reason_of


def entries(path: Path, instead: str) -> list[Path]:
    """All files and folders in ``path``, in order of their names.

    Args:
        path: The folder.
        instead: What a source reads, for the message where ``path`` is a file.

    Raises:
        DataError: There is no such folder, or it cannot be read.
    """
    try:
        return sorted(path.iterdir())
    except FileNotFoundError:
        raise DataError(
            f"{path}: there is no such folder, but {instead}; if it is elsewhere, add data.path=FOLDER to the command"
        ) from None
    except NotADirectoryError:
        raise DataError(f"{path} is a file, but {instead}") from None
    except (OSError, ValueError) as error:  # ValueError: no path can be so written
        raise DataError(f"{path}: the folder cannot be read: {reason_of(error)}") from None
