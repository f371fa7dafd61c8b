"""Files that are whole or not there, whatever happens while they are written."""

from cnntrain.storage.atomic import sweep, write_file, write_json, write_text
from cnntrain.storage.disk import Disk
from cnntrain.storage.lines import Lines, Mark, lines_of
from cnntrain.storage.lock import FolderLock
from cnntrain.storage.reading import make_inside, opened, read_file

__all__ = [
    "Disk",
    "FolderLock",
    "Lines",
    "Mark",
    "lines_of",
    "make_inside",
    "opened",
    "read_file",
    "sweep",
    "write_file",
    "write_json",
    "write_text",
]
