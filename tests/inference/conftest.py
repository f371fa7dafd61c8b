from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnntrain.builder import build_shaped
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.inference.predictor import Predictor, load
from cnntrain.weights.weights import save

LAYERS = [{"conv": {"K": 3, "F": 3, "activation": "tanh"}}, {"fc": {"units": 4, "activation": "softmax"}}]


@pytest.fixture
def make_model(make_config, tmp_path) -> Callable[..., Predictor]:
    """Makes a model with random weights, as if a run had left it."""

    def make(input=(3, 8, 10), layers=LAYERS, fit="crop", **training) -> Predictor:
        config = make_config(layers, input, **training)
        network = build_shaped(config, input, None)
        rng = np.random.default_rng(5)
        network.set_parameters({name: rng.normal(0, 0.5, value.shape) for name, value in network.parameters().items()})
        preprocessing = Preprocessing((0.5,) * input[0], (0.25,) * input[0], fit)
        data = Data(
            Dataset(np.zeros((1, *input), np.uint8), np.zeros(1, np.int64)),
            None,
            None,
            tuple(f"class {i}" for i in range(network.class_indices.size)),
            preprocessing,
        )
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        save(folder / "weights.safetensors", network, config, data)
        return load(folder)

    return make


@pytest.fixture
def model(make_model) -> Predictor:
    return make_model()


@pytest.fixture
def draw() -> Callable[..., Path]:
    """Writes an image of noise; its name decides the format."""

    def make(path: Path, size=(23, 17), mode="RGB", seed=0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(path)
        return path

    return make
