"""What tests of several folders need."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

import cnntrain
from cnntrain.config import Config, config_from_dict
from cnntrain.network import Network

settings.register_profile("cnntrain", deadline=None)  # a busy computer is no failure
settings.load_profile("cnntrain")

MakeConfig = Callable[..., Config]


@pytest.fixture(scope="session")
def make_config() -> MakeConfig:
    """Makes a config of layers, and of the keys of ``training``."""

    def make(
        layers: list[dict[str, Any]],
        input: tuple[int, int, int] | None = None,
        data: dict[str, Any] | None = None,
        **training: Any,
    ) -> Config:
        content: dict[str, Any] = {"network": {"layers": layers}, "training": training}
        if input is not None:
            content["network"]["input"] = list(input)
        if data is not None:
            content["data"] = data
        return config_from_dict(content, "a test")

    return make


@pytest.fixture(scope="session")
def make_network(make_config: MakeConfig) -> Callable[..., Network]:
    """Builds a network in float64, with biases other than 0."""

    def make(layers: list[dict[str, Any]], input: tuple[int, int, int], **training: Any) -> Network:
        network = cnntrain.build(make_config(layers, input, **({"dtype": "float64"} | training)))
        rng = np.random.default_rng(99)
        network.set_parameters(
            {
                name: rng.normal(0, 0.1, value.shape) if name.endswith("b") else value
                for name, value in network.parameters().items()
            }
        )
        return network

    return make
