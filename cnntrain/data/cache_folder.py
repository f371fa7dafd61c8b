"""The cache folder for downloads and decoded images."""

import os
from pathlib import Path

from cnntrain.errors import UsageError

ENVIRONMENT_VARIABLE = "CNNTRAIN_CACHE"
"""Environment variable that overrides the cache folder."""


def cache_folder() -> Path:
    r"""Return the folder in ``CNNTRAIN_CACHE``, or the user's cache folder of the operating system.

    By default that is ``~/.cache/cnntrain`` on Linux, ``~/Library/Caches/cnntrain`` on macOS, and
    ``%LOCALAPPDATA%\\cnntrain\\Cache`` on Windows. It may not exist yet.

    Raises:
        UsageError: There is no home folder.
    """
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        path = os.path.expanduser(named)
    else:
        import platformdirs  # imported late: most commands need no cache

        try:
            path = platformdirs.user_cache_dir("cnntrain", appauthor=False)
        except (RuntimeError, KeyError):  # no HOME, and no such user
            path = "~"
    if path.startswith("~"):  # otherwise a folder named ~ would be created
        raise UsageError(
            f"there is no cache folder, because there is no home folder{f' for {named}' if named else ''}; set the "
            f"environment variable {ENVIRONMENT_VARIABLE} to a folder"
        )
    return Path(os.path.abspath(path))
