"""The run folder: what a run leaves behind.

=======================  ================================================================================
config.yaml              the config with every default filled in
weights.safetensors      W and b of the last iteration
best.safetensors         of the iteration with the best validation loss (training loss without a validation split)
metrics.jsonl            a line an iteration
split.csv                which picture is in which split, where the samples are pictures in files of their own
summary.json             how it ended
environment.json         versions, processor, cores
metrics.csv, *.png       see ``cnntrain.judging.run_end`` and ``cnntrain.judging.drawing``
=======================  ================================================================================
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cnntrain.config import Config, dump
from cnntrain.errors import UsageError
from cnntrain.storage import write_json, write_text
from cnntrain.training.events import IterationEnded


class RunFolder:
    """A folder that belongs to one run; never one that already holds another."""

    def __init__(self, path: Path):
        self.path = path
        self.weights, self.best = path / "weights.safetensors", path / "best.safetensors"
        self.metrics = path / "metrics.jsonl"

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
                if any(path.iterdir()):
                    raise UsageError(f"{path}: the folder is not empty, and an existing run is never overwritten")
                return cls(path)
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

    def write_config(self, config: Config) -> None:
        """Write config.yaml."""
        write_text(self.path / "config.yaml", dump(config))

    def add_metrics(self, event: IterationEnded) -> None:
        """Add a line to metrics.jsonl."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(event)) + "\n")

    def write_summary(self, result: dict[str, Any]) -> None:
        """Write summary.json."""
        write_json(self.path / "summary.json", result)
