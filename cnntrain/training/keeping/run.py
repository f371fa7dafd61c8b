"""The run folder: what a run leaves behind.

===============================  ====================================================================================
config.yaml                      the config with every default filled in
weights.safetensors              W and b of the last iteration
best.safetensors                 of the iteration with the best validation loss (training loss without a validation
                                 split)
metrics.jsonl                    a line an iteration
split.csv                        which picture is in which split, where the samples are pictures in files of their own
summary.json                     how it ended
environment.json                 versions, processor, cores
metrics.csv, *.png               see ``cnntrain.judging.run_end`` and ``cnntrain.judging.drawing``
checkpoint.safetensors           all that is needed to go on, see ``cnntrain.training.keeping.checkpoint``
checkpoint.previous.safetensors  the one before it
===============================  ====================================================================================
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from cnntrain.config import Config, dump
from cnntrain.errors import UsageError
from cnntrain.storage import FolderLock, Lines, sweep, write_json, write_text
from cnntrain.storage.atomic import TEMPORARY
from cnntrain.storage.lock import NAME as LOCK
from cnntrain.training.events import IterationEnded

NEWEST, PREVIOUS = "checkpoint.safetensors", "checkpoint.previous.safetensors"
METRICS = "metrics.jsonl"


class RunFolder:
    """A folder that belongs to one run, and in which no other process works meanwhile."""

    def __init__(self, path: Path):
        self.path, self.lock = path, FolderLock(path)
        self.weights, self.best = path / "weights.safetensors", path / "best.safetensors"
        self.config, self.summary = path / "config.yaml", path / "summary.json"
        self.metrics = Lines(path / METRICS)

    @classmethod
    def create(cls, out: str | Path | None, name: str) -> "RunFolder":
        """Make ``out``, or ``runs/<name>``, ``runs/<name>-2``, ... if none is given.

        Raises:
            UsageError: ``out`` exists and is not empty, or cannot be made.
        """
        try:
            if out is not None:
                path = Path(out)
                path.mkdir(parents=True, exist_ok=True)
                if not is_empty(path):
                    raise UsageError(f"{path}: the folder is not empty, and an existing run is never overwritten")
                run = cls(path)
                sweep(path)
                return run
            number = 1
            while True:
                path = Path("runs") / (name if number == 1 else f"{name}-{number}")
                try:
                    path.mkdir(parents=True)
                except FileExistsError:
                    number += 1
                else:
                    return cls(path)
        except (FileExistsError, NotADirectoryError) as error:
            raise UsageError(f"{out}: a file stands where the run's folder should be") from error
        except OSError as error:
            raise UsageError(f"{error.filename}: the run's folder cannot be made: {error.strerror}") from error

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Open the folder of a run that is to go on.

        Raises:
            UsageError: There is none, or another process is working on it.
        """
        if not path.is_dir():
            raise UsageError(f"{path}: there is no run folder here; it is what train leaves")
        for name in (METRICS, LOCK):  # these are written in place; other files are replaced
            if (path / name).is_symlink():
                raise UsageError(f"{path / name}: this is a link, and a run writes to files in its folder alone")
        try:
            return cls(path)
        except OSError as error:
            raise UsageError(f"{path}: the run cannot go on where nothing can be written: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def has_checkpoint(self) -> bool:
        """Whether there is something to go on from."""
        return any((self.path / name).exists() for name in (NEWEST, PREVIOUS))

    def write_config(self, config: Config) -> None:
        """Write config.yaml."""
        write_text(self.config, dump(config))

    def add_metrics(self, event: IterationEnded) -> None:
        """Add a line to metrics.jsonl."""
        self.metrics.add(json.dumps(asdict(event)))

    def write_summary(self, result: dict[str, Any]) -> None:
        """Write summary.json."""
        write_json(self.summary, result)


def is_empty(folder: Path) -> bool:
    """Whether nothing is in a folder but what a process leaves that was killed before it wrote anything."""
    return all(path.name == LOCK or TEMPORARY.fullmatch(path.name) for path in folder.iterdir())
