"""Crash-safe files: complete or absent, whatever happens during a write."""

from cnntrain.storage.atomic import is_taken, is_temporary, sweep, write_file, write_json, write_new, write_text
from cnntrain.storage.disk import Disk
from cnntrain.storage.lines import FileMark, LineFile, lines_of
from cnntrain.storage.lock import FolderLock, is_lock, lock_file, open_lock
from cnntrain.storage.regular_file import make_subfolder, open_regular, read_file

__all__ = [
    "Disk",
    "FileMark",
    "FolderLock",
    "LineFile",
    "is_lock",
    "is_taken",
    "is_temporary",
    "lines_of",
    "lock_file",
    "make_subfolder",
    "open_lock",
    "open_regular",
    "read_file",
    "sweep",
    "write_file",
    "write_json",
    "write_new",
    "write_text",
]
