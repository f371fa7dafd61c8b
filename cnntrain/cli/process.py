"""What the process of a command sets before it imports libraries, so that it starts and ends soon."""

import atexit
import gc
import os

MAX_YOUNG, MAX_RUNS = 10_000, 20
"""New objects from which the garbage collector runs, and runs from which it looks at older objects, too. Python's 700
and 10 make it go through all imported modules again and again."""
SETTINGS = {
    # Products run on one thread; starting more takes time, on some machines as much as importing the rest of NumPy.
    "OPENBLAS_NUM_THREADS": "1",
    # Otherwise pydantic searches all installed packages for plugins.
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
}
"""Environment variables that libraries read when they are imported; the user's own values take precedence."""


def set_up_process() -> None:
    """Set the environment and the garbage collector; at exit, it does not go through the modules any more."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    gc.set_threshold(MAX_YOUNG, MAX_RUNS, MAX_RUNS)
    atexit.register(gc.freeze)
