"""Files that are whole or not there, whatever happens while they are written."""

from cnntrain.storage.atomic import sweep, write_file, write_json, write_text
from cnntrain.storage.disk import Disk
from cnntrain.storage.lines import Lines, Mark
from cnntrain.storage.lock import FolderLock

__all__ = ["Disk", "FolderLock", "Lines", "Mark", "sweep", "write_file", "write_json", "write_text"]
