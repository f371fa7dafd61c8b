"""The folder for what can be made or fetched again: downloads, and pictures that are decoded already."""

import os
from pathlib import Path

VARIABLE = "CNNTRAIN_CACHE"
"""The environment variable that names another folder."""


def cache_folder() -> Path:
    """The folder that ``CNNTRAIN_CACHE`` names; else the one that the operating system sets aside for this user.

    That is ``~/.cache/cnntrain`` on Linux, ``~/Library/Caches/cnntrain`` on macOS, and
    ``%LOCALAPPDATA%\\\\cnntrain\\\\Cache`` on Windows. It need not exist yet.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(os.path.abspath(os.path.expanduser(named)))
    import platformdirs  # imported late: most commands ask for no cache

    return Path(platformdirs.user_cache_dir("cnntrain", appauthor=False))
