"""A new optimizer is its class and a line in ``OPTIMIZERS``: config defaults and training work without other edits."""

from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np

from cnntrain.config.schema.training import TrainingOptions
from cnntrain.optimizers import OPTIMIZERS, Optimizer
from cnntrain.parallel import SingleProcess
from cnntrain.training.update import Update
from cnntrain.types import Array


@final
class SignSGD(Optimizer):
    """theta -= alpha sign(g); the state counts the steps."""

    default_alpha: ClassVar[float] = 0.25

    def __init__(self, states: Array, W_count: int = 0, **hyperparameters: Any):
        self.states = states

    @classmethod
    def state_rows(cls, hyperparameters: Mapping[str, Any]) -> int:
        return 1

    def step(self, theta: Array, gradient: Array, alpha: float, t: int) -> None:
        self.states += 1
        theta -= alpha * np.sign(gradient)


def test_an_update_steps_with_it(monkeypatch, make_config):
    from cnntrain.builder import build

    monkeypatch.setitem(OPTIMIZERS, "sign", SignSGD)
    options = TrainingOptions().model_copy(update={"optimizer": "sign", "alpha": SignSGD.default_alpha})
    assert options.state_rows == 1
    assert options.hyperparameters == {}
    network = build(make_config([{"fc": {"units": 2}}], (1, 1, 3)))
    before = network.theta.copy()
    comm = SingleProcess(network.layout, network.dtype, options.state_rows)
    update = Update(network, slice(0, network.layout.size), comm, options, steps=1)
    gradient = np.array([1, -2, 3, -4, 5, 6, -7, 8], network.dtype)
    alpha = update.step(gradient.copy(), t=1)
    assert alpha == 0.25
    np.testing.assert_allclose(network.theta, before - 0.25 * np.sign(gradient), rtol=1e-6)
    np.testing.assert_array_equal(comm.states, np.ones((1, 8)))
