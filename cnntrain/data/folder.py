"""Lists a data folder."""

from pathlib import Path

from cnntrain.errors import DataError, reason_of


def entries(path: Path, instead: str) -> list[Path]:
    """Return all files and folders in ``path``, sorted by name.

    Args:
        path: The folder.
        instead: What the source reads, for the error message.

    Raises:
        DataError: The folder is missing or unreadable.
    """
    try:
        return sorted(path.iterdir())
    except FileNotFoundError:
        raise DataError(
            f"{path}: there is no such folder, but {instead}; if it is elsewhere, add data.path=FOLDER to the command"
        ) from None
    except NotADirectoryError:
        raise DataError(f"{path} is a file, but {instead}") from None
    except (OSError, ValueError) as error:  # ValueError: not a valid path
        raise DataError(f"{path}: the folder cannot be read: {reason_of(error)}") from None
