"""Files that are whole or not there, whatever happens while they are written."""

from cnntrain.storage.atomic import (
    is_taken,
    is_temporary,
    sweep,
    write_file,
    write_json,
    write_new,
    write_text,
)
from cnntrain.storage.disk import Disk
from cnntrain.storage.lines import Lines, Mark, lines_of
from cnntrain.storage.lock import FolderLock, is_lock, lock, open_lock
from cnntrain.storage.reading import make_inside, opened, read_file

__all__ = [
    "Disk",
    "FolderLock",
    "Lines",
    "Mark",
    "is_lock",
    "is_taken",
    "is_temporary",
    "lines_of",
    "lock",
    "make_inside",
    "open_lock",
    "opened",
    "read_file",
    "sweep",
    "write_file",
    "write_json",
    "write_new",
    "write_text",
]
