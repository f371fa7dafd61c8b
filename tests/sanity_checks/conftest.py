"""Small data and configs that pass all checks, to plant troubles in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cnntrain.data.digits import load
from cnntrain.sanity_checks.doctor import doctor
from cnntrain.types import Array

LAYERS = [
    {"conv": {"K": 8, "F": 3, "P": 1, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"fc": {"units": 30, "activation": "relu"}},
    {"fc": {"activation": "softmax"}},
]


class Patient:
    """A healthy config with its data; each change plants a trouble."""

    def __init__(self, folder: Path):
        self.folder = folder
        splits = load()
        assert splits.test is not None
        self.arrays: dict[str, Array] = {
            "x_train": splits.train.images[:800, 0],
            "y_train": splits.train.labels[:800],
            "x_test": splits.test.images[:200, 0],
            "y_test": splits.test.labels[:200],
        }
        self.layers: list[dict[str, Any]] = LAYERS
        self.data: dict[str, Any] = {}
        self.training: dict[str, Any] = {"alpha": 0.02, "momentum": 0.9, "batch_size": 32, "Max": 5, "workers": 1}

    def write(self) -> Path:
        np.savez(self.folder / "data.npz", **self.arrays)
        content = {
            "data": {"source": "npz", "path": "data.npz"} | self.data,
            "network": {"layers": self.layers},
            "training": self.training,
        }
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    def examine(self, path: Path | None = None) -> dict[str, dict[str, Any]]:
        """Run the doctor; return the checks that did not pass, by name."""
        report = doctor(path or self.write())
        checks = {check["check"]: check for check in report["checks"]}
        assert report["passed"] == all(check["status"] != "fail" for check in checks.values())
        return {name: check for name, check in checks.items() if check["status"] != "pass"}


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path)
