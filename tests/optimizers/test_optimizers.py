"""Optimizers against the textbook, one parameter at a time, and gradient clipping."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntrain import textbook
from cnntrain.config.schema.training import TrainingOptions
from cnntrain.optimizers import OPTIMIZERS, Optimizer, base
from cnntrain.parallel import SingleProcess
from cnntrain.training.update import Update

DECAYED = 2
"""Of the parameters in these tests, the first two are W's."""


@dataclass
class Literal:
    """One parameter, stepped as the textbook writes it."""

    options: TrainingOptions
    is_W: bool
    m: float = 0.0
    v: float = 0.0

    def step(self, theta: float, g: float, t: int) -> float:
        o = self.options
        match o.optimizer:
            case "sgd":
                step = textbook.nesterov_step if o.nesterov else textbook.momentum_step
                theta, self.v = step(theta, g, self.v, o.alpha, o.momentum)
            case "rmsprop":
                theta, self.v = textbook.rmsprop_step(theta, g, self.v, o.alpha, o.rho, o.eps)
            case "adam" | "adamw":
                if o.optimizer == "adamw" and self.is_W:
                    theta = textbook.decayed(theta, o.alpha, o.weight_decay)
                theta, self.m, self.v = textbook.adam_step(
                    theta, g, self.m, self.v, t, o.alpha, o.beta1, o.beta2, o.eps
                )
        return theta


def optimizer_of(options: TrainingOptions, states: np.ndarray, W_count: int) -> Optimizer:
    return OPTIMIZERS[options.optimizer](states, W_count, **options.hyperparameters)


share = st.floats(0, 0.99)
optimizers = st.one_of(
    st.builds(TrainingOptions, momentum=share, nesterov=st.booleans()),
    st.builds(TrainingOptions, optimizer=st.just("rmsprop"), rho=share, eps=st.floats(1e-8, 1)),
    st.builds(TrainingOptions, optimizer=st.just("adam"), beta1=share, beta2=share, eps=st.floats(1e-8, 1)),
    st.builds(TrainingOptions, optimizer=st.just("adamw"), weight_decay=st.floats(0, 3), alpha=st.floats(1e-4, 0.3)),
)


@given(optimizers, st.lists(st.lists(st.floats(-100, 100), min_size=4, max_size=4), min_size=1, max_size=7))
@settings(max_examples=100)
def test_steps_are_those_of_the_textbook(options, gradients):
    theta = np.array([1.0, -2.0, 0.5, 0.0])
    states = np.zeros((options.state_rows, 4))
    optimizer = optimizer_of(options, states, DECAYED)
    literal = [Literal(options, index < DECAYED) for index in range(4)]
    expected = theta.tolist()
    for t, gradient in enumerate(gradients, start=1):
        optimizer.step(theta, np.array(gradient), options.alpha, t)
        expected = [one.step(was, g, t) for one, was, g in zip(literal, expected, gradient, strict=True)]
        np.testing.assert_allclose(theta, expected, rtol=1e-10, atol=1e-12)


EACH = [
    {"momentum": 0.9},
    {"momentum": 0.9, "nesterov": True},
    {"optimizer": "rmsprop"},
    {"optimizer": "adam"},
    {"optimizer": "adamw", "weight_decay": 0.1},
]


@pytest.mark.parametrize("keys", EACH, ids=str)
def test_the_states_are_the_whole_state(keys):
    """A new optimizer with a copy of the states continues with the same bits."""
    options, rng = TrainingOptions(**keys), np.random.default_rng(0)
    gradients = rng.normal(size=(6, 50)).astype("float32")
    theta, states = rng.normal(size=50).astype("float32"), np.zeros((options.state_rows, 50), "float32")
    other = other_states = None
    for t, gradient in enumerate(gradients, start=1):
        if t == 4:
            other, other_states = theta.copy(), states.copy()
        optimizer_of(options, states, 20).step(theta, gradient.copy(), 0.1, t)
        if t >= 4:
            optimizer_of(options, other_states, 20).step(other, gradient.copy(), 0.1, t)
    assert other.tobytes() == theta.tobytes()
    assert other_states.tobytes() == states.tobytes()


@pytest.mark.parametrize("keys", EACH, ids=str)
def test_chunks_change_nothing(keys, monkeypatch):
    def stepped(chunk):
        monkeypatch.setattr(base, "CHUNK", chunk)
        options, rng = TrainingOptions(**keys), np.random.default_rng(0)
        theta, states = rng.normal(size=101).astype("float32"), np.zeros((options.state_rows, 101), "float32")
        optimizer = optimizer_of(options, states, 60)
        for t in range(1, 4):
            optimizer.step(theta, rng.normal(size=101).astype("float32"), 0.1, t)
        return theta.tobytes()

    assert stepped(7) == stepped(2**14)


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_steps_hardly_depend_on_the_size_of_the_gradients(optimizer):
    """Steps of about alpha, for gradients of 1e-5 and of 1e5."""
    options = TrainingOptions(optimizer=optimizer)
    theta = np.zeros(2)
    steps = optimizer_of(options, np.zeros((options.state_rows, 2)), 2)
    for t in range(1, 500):
        before = theta.copy()
        steps.step(theta, np.array([1e-5, -1e5]), 0.01, t)
    np.testing.assert_allclose(theta - before, [-0.01, 0.01], rtol=2e-3)


@pytest.fixture
def descent(make_network):
    """Makes the descent of a network with W of 12 and b of 4 entries."""

    def make(**training):
        network = make_network([{"fc": {"units": 4}}], (1, 1, 3), **training)
        options = TrainingOptions(**training)
        comm = SingleProcess(network.layout, network.dtype, options.state_rows)
        return Update(network, comm.part, comm, options, steps=1)

    return make


def test_a_longer_gradient_is_cut_and_a_shorter_one_is_not(descent):
    for length, expected in ((0.5, 0.5), (2.0, 2.0), (2.0001, 2.0), (1e30, 2.0)):
        cut = descent(clip_norm=2.0, alpha=1.0, loss="mse")
        before = cut.network.theta.copy()
        direction = np.random.default_rng(1).normal(size=16)
        direction /= np.linalg.norm(direction)
        cut.step(length * direction, 1)
        step = before - cut.network.theta
        np.testing.assert_allclose(step, expected * direction, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(step, textbook.clipped(length * direction, 2.0), rtol=1e-12, atol=1e-15)


def test_penalties_belong_to_the_gradient_that_is_cut(descent):
    cut = descent(clip_norm=1e-3, alpha=1.0, l2=5.0, loss="mse")
    before = cut.network.theta.copy()
    cut.step(np.zeros(16), 1)
    step = before - cut.network.theta
    assert np.linalg.norm(step) == pytest.approx(1e-3)
    np.testing.assert_allclose(step[:12] / step[0], before[:12] / before[0])
    assert (step[12:] == 0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_is_not_hidden(descent, dtype, odd):
    cut = descent(clip_norm=1.0, loss="mse", dtype=dtype)
    gradient = np.ones(16, dtype)
    gradient[7] = odd
    cut.step(gradient, 1)
    assert not np.isfinite(cut.network.theta).all()


def test_squares_of_a_float32_gradient_do_not_overflow(descent):
    cut = descent(clip_norm=1.0, alpha=1.0, loss="mse", dtype="float32")
    before = cut.network.theta.copy()
    cut.step(np.full(16, 1e30, "float32"), 1)
    np.testing.assert_allclose(before - cut.network.theta, 0.25, rtol=1e-5)


def test_alpha_is_that_of_the_schedule(descent):
    falling = descent(schedule="step", Max=6, alpha=0.5, loss="mse")
    assert [falling.step(np.zeros(16), t) for t in (1, 2, 3, 4, 5)] == [0.5, 0.5, 0.05, 0.05, 0.5 * 0.1**2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gradient", [[np.inf], [-np.inf], [np.nan], [1e200, 1e200]], ids=str)
def test_a_length_that_is_not_finite_scales_nothing(descent, dtype, gradient):
    """Entries beside an infinity would all become 0, and the infinity NaN; squares alone may overflow, too."""
    if dtype == "float32" and gradient[0] == 1e200:
        pytest.skip("no float32 has a square that overflows in float64")
    cut = descent(clip_norm=1.0, alpha=1.0, loss="mse", dtype=dtype)
    values = np.full(16, 3.0, dtype)
    values[: len(gradient)] = gradient
    expected = values.copy()
    with np.errstate(over="ignore"):
        cut.clip(values, 1.0)
    np.testing.assert_array_equal(values, expected)
