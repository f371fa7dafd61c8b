"""The run folder: what a run leaves behind.

===============================  ====================================================================================
config.yaml                      the config with every default filled in
config.original.yaml             the config as its author wrote it, comments and all, and the overrides
weights.safetensors              W and b of the last epoch
best.safetensors                 the best at the end of an epoch, see ``cnntrain.training.monitoring``
metrics.jsonl                    a line an epoch
split.csv                        which image is in which split, where the samples are images in files of their own
summary.json                     how it ended
environment.json                 versions, processor, cores
metrics.csv, *.png               see ``cnntrain.evaluation.run_artifacts`` and ``cnntrain.evaluation.artifacts``
checkpoint.safetensors           all that is needed to go on, see ``cnntrain.training.checkpointing.checkpoint``
checkpoint.previous.safetensors  the one before it
===============================  ====================================================================================
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from cnntrain.config import Config, to_yaml
from cnntrain.errors import UsageError
from cnntrain.storage import FolderLock, LineFile, is_lock, is_temporary, sweep, write_json, write_text
from cnntrain.storage.lock import NAME as LOCK

NEWEST, PREVIOUS = "checkpoint.safetensors", "checkpoint.previous.safetensors"
METRICS, ORIGINAL = "metrics.jsonl", "config.original.yaml"
OWN = {
    *("config.yaml", ORIGINAL, "split.csv", "environment.json", "summary.json", METRICS, "metrics.csv"),
    *("weights.safetensors", "best.safetensors", NEWEST, PREVIOUS),
    *("curves.png", "confusion.png", "mistakes.png", "filters.png"),
}
"""Files that a run writes: no other one is ever removed."""
MAX_RUNS = 10_000
"""Of one name."""


class RunFolder:
    """A folder that belongs to one run, and in which no other process works meanwhile."""

    def __init__(self, path: Path):
        self.path, self.lock = path, FolderLock(path)
        self.made: list[Path] | None = None
        """Folders that were made for a new run; None for a run that was there."""
        self.weights, self.best = path / "weights.safetensors", path / "best.safetensors"
        self.config, self.summary = path / "config.yaml", path / "summary.json"
        self.metrics = LineFile(path / METRICS)

    @classmethod
    def create(cls, out: str | Path | None, name: str) -> "RunFolder":
        """Make ``out``, or ``runs/<name>``, ``runs/<name>-2``, ... if none is given.

        Raises:
            UsageError: ``out`` exists and is not empty, or cannot be made.
        """
        try:
            return cls._beside_others(name) if out is None else cls._in_place(Path(out))
        except OSError as error:
            raise UsageError(obstacle(Path("runs" if out is None else out), error)) from error

    @classmethod
    def _beside_others(cls, name: str) -> "RunFolder":
        made = make_folders(Path("runs"))
        for number in range(1, MAX_RUNS + 1):
            path = Path("runs") / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return cls._new(path, [path, *made])
        raise UsageError(f"runs: there are {MAX_RUNS:,} runs of the name {name}; move them away, or use --out DIR")

    @classmethod
    def _in_place(cls, path: Path) -> "RunFolder":
        made = make_folders(path)
        check_empty(path)  # before anything is written into a folder that is somebody's
        return cls._new(path, made)

    @classmethod
    def _new(cls, path: Path, made: list[Path]) -> "RunFolder":
        """Lock a folder that was empty a moment ago, and look again."""
        try:
            run = cls(path)
        except BaseException:
            remove(made)
            raise
        run.made = made
        try:
            check_empty(path)
            sweep(path, OWN)
        except BaseException:
            run.lock.release()
            raise
        return run

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

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        unborn = kind is not None and self.made is not None and self.lock.holds() and not self.has_checkpoint()
        if unborn:  # a run that could not begin leaves nothing
            with suppress(OSError):
                sweep(self.path, OWN)
                for name in OWN:
                    (self.path / name).unlink(missing_ok=True)
        self.lock.release()
        if unborn:
            remove(self.made or [])

    def has_checkpoint(self) -> bool:
        """Whether there is something to go on from."""
        return any((self.path / name).exists() for name in (NEWEST, PREVIOUS))

    def write_config(self, config: Config) -> None:
        """Write config.yaml."""
        write_text(self.config, to_yaml(config))

    def write_original(self, config: Config) -> None:
        """Write config.original.yaml, if the config is from a file; it never changes again."""
        if config.original is not None:
            write_text(self.path / ORIGINAL, config.original)

    def add_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Add a line to metrics.jsonl."""
        self.metrics.add(json.dumps(metrics))

    def write_summary(self, result: dict[str, Any]) -> None:
        """Write summary.json."""
        write_json(self.summary, result)


def check_empty(folder: Path) -> None:
    """Raise UsageError if anything is in a folder but what a process leaves that was killed before it wrote a file."""
    if not all(is_lock(path) or is_temporary(path, OWN) for path in folder.iterdir()):
        raise UsageError(f"{folder}: the folder is not empty, and an existing run is never overwritten")


def make_folders(path: Path) -> list[Path]:
    """Make a folder and those above it; return the new ones, the innermost first."""
    new = [folder for folder in (path, *path.parents) if not os.path.lexists(folder)]
    path.mkdir(parents=True, exist_ok=True)
    return new


def remove(folders: list[Path]) -> None:
    """Take away folders that are empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def obstacle(path: Path, error: OSError) -> str:
    """What stands in the way of making a folder, in words."""
    for place in (*reversed(path.parents), path):
        if os.path.islink(place) and not os.path.exists(place):
            return f"{place}: a link that leads nowhere stands where the run's folder should be"
        if os.path.exists(place) and not os.path.isdir(place):
            return f"{place}: a file stands where the run's folder should be"
    return f"{error.filename or path}: the run's folder cannot be made: {error.strerror}"
