from collections.abc import Callable
from pathlib import Path

import pytest

from cnntrain.builder import build
from cnntrain.config import Config, load_config
from cnntrain.training.events import BatchEnded, EpochEnded, TrainingStarted

NETWORK = """\
network:
  input: [1, 8, 8]
  layers:
    - conv: {K: 2, F: 3, S: 2, activation: relu}
    - pool: {k: 2, type: max}
    - fc: {units: 10, activation: softmax}
"""

DIGITS = "data: {source: digits, validation: 0.1}\ntraining: {Max: 2, batch_size: 64, alpha: 0.1}\n"


@pytest.fixture
def network_file(tmp_path: Path) -> Path:
    """A config without data."""
    path = tmp_path / "small.yaml"
    path.write_text(NETWORK)
    return path


@pytest.fixture
def digits_file(tmp_path: Path) -> Path:
    """A config that trains in a moment."""
    path = tmp_path / "digits.yaml"
    path.write_text(DIGITS + NETWORK)
    return path


@pytest.fixture
def config(network_file: Path) -> Config:
    return load_config(network_file)


@pytest.fixture
def started(config: Config) -> Callable[..., TrainingStarted]:
    def make(**changes: object) -> TrainingStarted:
        values = {
            "run": Path("runs/small"),
            "network": build(config),
            "source": "digits",
            "samples": {"train": 1293, "validation": 144, "test": 360},
            "classes": tuple("0123456789"),
            "cores": 2,
            "workers": 2,
            "batches": 4,
            "Max": 20,
            "epsilon": 0.0,
            "layers": config.network.layers,
            "alpha_varies": False,
        }
        return TrainingStarted(**(values | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def batch() -> Callable[[int, int], BatchEnded]:
    """The given batch of 32 samples that took 10 ms, like all before it."""
    return lambda epoch, number: BatchEnded(epoch, number, 32 * number, 0.5, 0.01 * number)


@pytest.fixture
def epoch() -> Callable[..., EpochEnded]:
    def make(number: int, **changes: object) -> EpochEnded:
        values = {
            "epoch": number,
            "train_loss": 0.98765,
            "train_accuracy": 0.71234,
            "validation_loss": 0.5,
            "validation_accuracy": 0.875,
            "max_change": 0.0123,
            "seconds": 0.2,
            "alpha": 0.01,
        }
        return EpochEnded(**(values | changes))  # type: ignore[arg-type]

    return make
