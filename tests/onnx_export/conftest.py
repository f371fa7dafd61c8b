from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cnntrain
from cnntrain.builder import build_shaped
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.inference.predictor import Predictor, load
from cnntrain.weights.weights import save


@pytest.fixture
def make_model(make_config, tmp_path) -> Callable[..., Predictor]:
    """Makes a model with random weights and biases, as if a run had left it."""

    def make(layers, input, **training) -> Predictor:
        rng = np.random.default_rng(5)
        config = make_config(layers, input, **({"loss": "cross_entropy"} | training))
        network = build_shaped(config, input, None)
        state = {name: rng.normal(0, 0.5, value.shape) for name, value in network.state().items()}
        network.set_state({name: np.abs(value) if "var" in name else value for name, value in state.items()})
        classes = tuple(f"class {i}" for i in range(network.class_indices.size))
        C = input[0]
        preprocessing = Preprocessing((0.4, 0.5, 0.6, 0.7)[:C], (0.2, 0.25, 0.3, 0.35)[:C])
        images = rng.integers(0, 256, (4, *input), dtype=np.uint8)
        data = Data(Dataset(images, np.zeros(4, np.int64)), None, None, classes, preprocessing)
        save(tmp_path / "weights.safetensors", network, config, data)
        return load(tmp_path)

    return make


@pytest.fixture(scope="session")
def digits_run(make_config, tmp_path_factory) -> Path:
    """A run on the digits, barely trained."""
    folder = tmp_path_factory.mktemp("digits") / "run"
    layers = [{"conv": {"K": 2, "F": 3}}, {"fc": {"activation": "softmax"}}]
    cnntrain.train(make_config(layers, data={"source": "digits"}, Max=1, workers=1), out=folder, plots=False)
    return folder
