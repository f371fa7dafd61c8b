"""The run folder: the files that a run writes.

===============================  ====================================================================================
config.yaml                      the config with every default filled in
config.original.yaml             the config as the user wrote it, comments included, and the overrides
weights.safetensors              W and b of the last epoch
best.safetensors                 W and b of the best epoch, see ``cnntrain.training.monitoring``
metrics.jsonl                    one line per epoch
metrics.csv                      the same as a table
split.csv                        the split of each image, if every sample is an image file
samples.npz                      checksums of the samples, see ``cnntrain.data.sample_checksums``
summary.json                     the result of the run
environment.json                 versions, processor, cores
backbone.onnx                    a copy of the ONNX file that data.features.backbone names
*.png                            plots, see ``cnntrain.evaluation.artifacts``
checkpoint.safetensors           the full training state, see ``cnntrain.training.checkpointing.checkpoint``
checkpoint.previous.safetensors  the checkpoint before it
postmortem/                      if the run diverged, see ``cnntrain.training.checkpointing.postmortem``
eval/                            plots of ``cnntrain eval --plots``
tensorboard/                     event files, see ``cnntrain.training.tensorboard``
===============================  ====================================================================================
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from cnntrain.backbones.spec import BACKBONE_FILE
from cnntrain.config import Config, to_yaml
from cnntrain.errors import UsageError
from cnntrain.storage import FolderLock, LineFile, is_lock, is_temporary, sweep, write_json, write_text
from cnntrain.storage.lock import NAME as LOCK

CONFIG_FILE, ORIGINAL_FILE = "config.yaml", "config.original.yaml"
WEIGHTS_FILE, BEST_FILE = "weights.safetensors", "best.safetensors"
CHECKPOINT_FILE, PREVIOUS_FILE = "checkpoint.safetensors", "checkpoint.previous.safetensors"
METRICS_FILE, METRICS_TABLE = "metrics.jsonl", "metrics.csv"
SPLIT_FILE, SUMMARY_FILE, ENVIRONMENT_FILE = "split.csv", "summary.json", "environment.json"
SAMPLES_FILE = "samples.npz"
CURVES_PLOT, CONFUSION_PLOT, MISTAKES_PLOT = "curves.png", "confusion.png", "mistakes.png"
FILTERS_PLOT, CALIBRATION_PLOT = "filters.png", "calibration.png"
POSTMORTEM_FOLDER, POSTMORTEM_REPORT = "postmortem", "report.json"
EVALUATION_FOLDER = "eval"
TENSORBOARD_FOLDER = "tensorboard"
RUN_FILES = {
    *(CONFIG_FILE, ORIGINAL_FILE, ENVIRONMENT_FILE, SUMMARY_FILE, METRICS_FILE, METRICS_TABLE),
    *(SPLIT_FILE, SAMPLES_FILE, WEIGHTS_FILE, BEST_FILE, CHECKPOINT_FILE, PREVIOUS_FILE, BACKBONE_FILE),
    *(CURVES_PLOT, CONFUSION_PLOT, MISTAKES_PLOT, FILTERS_PLOT),
}
"""Files that a run writes. No other file is ever deleted."""
RUN_MARKERS = (CONFIG_FILE, SUMMARY_FILE, METRICS_FILE, WEIGHTS_FILE)
"""Any one of these files makes a folder a run folder."""
MAX_RUNS = 10_000
"""Maximum number of runs with the same name."""


class RunFolder:
    """The folder of a run, locked against other processes."""

    def __init__(self, path: Path):
        self.path, self.lock = path, FolderLock(path)
        self.created: list[Path] | None = None
        """Folders created for a new run; None for an existing run."""
        self.weights, self.best = path / WEIGHTS_FILE, path / BEST_FILE
        self.config, self.summary = path / CONFIG_FILE, path / SUMMARY_FILE
        self.metrics = LineFile(path / METRICS_FILE)

    @classmethod
    def create(cls, out: str | Path | None, name: str) -> "RunFolder":
        """Create ``out``; by default ``runs/<name>``, or the first free one of ``runs/<name>-2``, ...

        Raises:
            UsageError: ``out`` exists and is not empty, or cannot be created.
        """
        try:
            return cls._create_numbered(name) if out is None else cls._create_at(Path(out))
        except OSError as error:
            raise UsageError(creation_error(Path("runs" if out is None else out), error)) from error

    @classmethod
    def _create_numbered(cls, name: str) -> "RunFolder":
        created = make_folders(Path("runs"))
        for number in range(1, MAX_RUNS + 1):
            path = Path("runs") / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return cls._new(path, [path, *created])
        raise UsageError(f"runs: there are already {MAX_RUNS:,} runs named {name}; move them, or use --out DIR")

    @classmethod
    def _create_at(cls, path: Path) -> "RunFolder":
        created = make_folders(path)
        check_empty(path)  # before writing into a folder that may be the user's
        return cls._new(path, created)

    @classmethod
    def _new(cls, path: Path, created: list[Path]) -> "RunFolder":
        """Lock a folder that was empty a moment ago, and check it again."""
        try:
            run = cls(path)
        except BaseException:
            remove_folders(created)
            raise
        run.created = created
        try:
            check_empty(path)
            sweep(path, RUN_FILES)
        except BaseException:
            run.lock.release()
            raise
        return run

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Open the folder of a run to resume.

        Raises:
            UsageError: It does not exist, or another process uses it.
        """
        if not path.is_dir():
            raise UsageError(f"{path}: no such run folder; 'cnntrain train' creates one")
        for name in (METRICS_FILE, LOCK):  # written in place; other files are replaced
            if (path / name).is_symlink():
                raise UsageError(f"{path / name}: this is a symbolic link, and a run only writes inside its folder")
        try:
            return cls(path)
        except OSError as error:
            raise UsageError(
                f"{path}: cannot resume the run, because its folder is not writable: {error.strerror}"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        is_stillborn = kind is not None and self.created is not None and self.lock.holds() and not self.has_checkpoint()
        if is_stillborn:  # a run that failed to start leaves no files
            with suppress(OSError):
                sweep(self.path, RUN_FILES)
                for name in RUN_FILES:
                    (self.path / name).unlink(missing_ok=True)
        self.lock.release()
        if is_stillborn:
            remove_folders(self.created or [])

    def has_checkpoint(self) -> bool:
        """Return whether the run can be resumed from a checkpoint."""
        return any((self.path / name).exists() for name in (CHECKPOINT_FILE, PREVIOUS_FILE))

    def write_config(self, config: Config) -> None:
        """Write config.yaml."""
        write_text(self.config, to_yaml(config))

    def write_original(self, config: Config) -> None:
        """Write config.original.yaml if the config was loaded from a file. It never changes afterwards."""
        if config.original is not None:
            write_text(self.path / ORIGINAL_FILE, config.original)

    def add_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Append a line to metrics.jsonl."""
        self.metrics.add(json.dumps(metrics))

    def write_summary(self, result: dict[str, Any]) -> None:
        """Write summary.json."""
        write_json(self.summary, result)


def check_empty(folder: Path) -> None:
    """Raise UsageError unless a folder is empty, up to the lock and temporary files of a killed process."""
    if not all(is_lock(path) or is_temporary(path, RUN_FILES) for path in folder.iterdir()):
        raise UsageError(f"{folder}: the folder is not empty, and an existing run is never overwritten")


def make_folders(path: Path) -> list[Path]:
    """Create a folder and its missing parents; return the new folders, innermost first."""
    new = [folder for folder in (path, *path.parents) if not os.path.lexists(folder)]
    path.mkdir(parents=True, exist_ok=True)
    return new


def remove_folders(folders: list[Path]) -> None:
    """Remove empty folders."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def creation_error(path: Path, error: OSError) -> str:
    """Return a sentence on why a folder cannot be created."""
    for parent in (*reversed(path.parents), path):
        if os.path.islink(parent) and not os.path.exists(parent):
            return f"{parent}: cannot create the run folder here, because this is a broken symbolic link"
        if os.path.exists(parent) and not os.path.isdir(parent):
            return f"{parent}: cannot create the run folder here, because this is a file"
    return f"{error.filename or path}: cannot create the run folder: {error.strerror}"
