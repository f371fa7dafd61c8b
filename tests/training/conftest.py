from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnntrain.training import fit

LAYERS = [
    {"conv": {"K": 2, "F": 2, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"fc": {"activation": "softmax"}},
]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """An npz file of 40 images to train with and 12 to test: 5 x 5 pixels, three classes that differ in brightness."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 40), ("test", 12)):
        labels = np.arange(count) % 3
        arrays[f"x_{split}"] = (rng.integers(0, 100, (count, 5, 5)) + 70 * labels[:, None, None]).astype(np.uint8)
        arrays[f"y_{split}"] = labels
    np.savez(tmp_path / "tiny.npz", **arrays)
    return tmp_path / "tiny.npz"


@pytest.fixture
def tiny_config(make_config, tiny) -> Callable[..., Any]:
    """Makes a config for the tiny data; keys of ``data`` are given as ``data=...``."""

    def make(layers=LAYERS, data=None, **training):
        data = {"source": "npz", "path": str(tiny)} | (data or {})
        return make_config(layers, data=data, **({"batch_size": 16, "Max": 3} | training))

    return make


class Recorded:
    """The events of a run, and the parameters at its beginning and after each iteration."""

    def __init__(self, config, out, on_batch: Callable[[Any], None] = lambda event: None, **options):
        self.events, self.parameters = [], []
        for event in fit(config, out, **options):
            kind = type(event).__name__
            self.events.append(event)
            if kind == "Started":
                self.network = event.network
            if kind in ("Started", "IterationEnded"):
                self.parameters.append(self.network.parameters())
            if kind == "BatchEnded":
                on_batch(event)

    def of(self, kind):
        """The events of one kind."""
        return [event for event in self.events if type(event).__name__ == kind]

    @property
    def result(self):
        return self.events[-1].result


@pytest.fixture
def record() -> type[Recorded]:
    """Runs a training and keeps what happened."""
    return Recorded
