from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cnntrain
from cnntrain.builder import load_config_data
from cnntrain.types import Array
from cnntrain.weights import weights


@pytest.fixture
def save_weights(make_config, tmp_path) -> Callable[..., Path]:
    """Writes a weights file of a network for the digits whose parameters ``change`` has changed."""

    def save(layers, change: Callable[[dict[str, Array]], None] = lambda parameters: None, **training) -> Path:
        config = make_config(layers, data={"source": "digits"}, **training)
        network = cnntrain.build(config)
        parameters = {name: value + np.float32(0.01) for name, value in network.parameters().items()}
        change(parameters)
        network.set_parameters(parameters)
        weights.save(tmp_path / "changed.safetensors", network, config, load_config_data(config))
        return tmp_path / "changed.safetensors"

    return save
