"""The folder for what can be made or fetched again: downloads, and images that are decoded already."""

import os
from pathlib import Path

from cnntrain.errors import UsageError

ENVIRONMENT_VARIABLE = "CNNTRAIN_CACHE"
"""The environment variable that names another folder."""


def cache_folder() -> Path:
    """The folder that ``CNNTRAIN_CACHE`` names; else the one that the operating system sets aside for this user.

    That is ``~/.cache/cnntrain`` on Linux, ``~/Library/Caches/cnntrain`` on macOS, and
    ``%LOCALAPPDATA%\\\\cnntrain\\\\Cache`` on Windows. It need not exist yet.

    Raises:
        UsageError: There is no home folder.
    """
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        path = os.path.expanduser(named)
    else:
        import platformdirs  # imported late: most commands ask for no cache

        try:
            path = platformdirs.user_cache_dir("cnntrain", appauthor=False)
        except (RuntimeError, KeyError):  # no HOME, and no such user
            path = "~"
    if path.startswith("~"):  # it would become a folder of that name
        raise UsageError(
            f"the cache has no place, since there is no home folder{f' for {named}' if named else ''}; set the "
            f"environment variable {ENVIRONMENT_VARIABLE} to a folder"
        )
    return Path(os.path.abspath(path))
