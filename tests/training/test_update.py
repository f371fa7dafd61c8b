"""Steps: plain, with momentum and with Nesterov's, against the formulas on numbers, and in a whole training."""

import numpy as np
import pytest


@pytest.fixture
def steps(tiny_config, record, tmp_path):
    """Parameters after each of five epochs of one full batch each, beside the gradient at each of them."""

    def run(**training):
        config = tiny_config(
            **({"batch_size": "all", "dtype": "float64", "Max": 5, "alpha": 0.1} | training),
            layers=[{"fc": {"units": 3, "activation": "softmax"}}],
        )
        return record(config, tmp_path / str(len(list(tmp_path.iterdir()))))

    return run


@pytest.fixture
def gradient_at(tiny_config):
    """The gradient of J of all the samples at given parameters."""
    import cnntrain
    from cnntrain.builder import load_config_data

    def gradient(parameters, **training):
        config = tiny_config(dtype="float64", layers=[{"fc": {"units": 3, "activation": "softmax"}}], **training)
        data, network = load_config_data(config), cnntrain.build(config)
        columns = np.empty((5, 1, 5, 40))
        data.preprocessing.columns(data.train.gather(np.arange(40)), columns)
        network.set_parameters(parameters)
        return network.loss_and_gradients(columns.transpose(3, 1, 0, 2), data.train.labels)[1]

    return gradient


def assert_follows(run, step):
    """``step(name, W, t)`` gives each tensor after step t of what it was before."""
    for t, (before, after) in enumerate(zip(run.parameters, run.parameters[1:], strict=False)):
        expected = step(before, t)
        for name, value in after.items():
            np.testing.assert_allclose(value, expected[name], rtol=0, atol=1e-13, err_msg=f"{name}, step {t}")


def test_plain(steps, gradient_at):
    def step(W, t):
        g = gradient_at(W)
        return {name: W[name] - 0.1 * g[name] for name in W}

    assert_follows(steps(), step)


def test_penalties_shrink_W_alone(steps, gradient_at):
    def step(W, t):
        g = gradient_at(W)  # without penalties
        share = {name: 0.02 * W[name] + 0.01 * np.sign(W[name]) if name.endswith("W") else 0 for name in W}
        return {name: W[name] - 0.1 * (g[name] + share[name]) for name in W}

    assert_follows(steps(l2=0.02, l1=0.01), step)


def test_classical_momentum(steps, gradient_at):
    v = {}

    def step(W, t):
        g = gradient_at(W)
        for name in W:
            v[name] = 0.8 * v.get(name, 0) - 0.1 * g[name]
        return {name: W[name] + v[name] for name in W}

    assert_follows(steps(momentum=0.8), step)


def test_nesterov_takes_the_gradient_ahead(steps, gradient_at):
    """Sutskever 2013: v = m v - alpha g(theta + m v), theta += v. What is kept is the point ahead, theta + m v."""
    run = steps(momentum=0.8, nesterov=True)
    theta, v = run.parameters[0], dict.fromkeys(run.parameters[0], 0)
    for kept in run.parameters[1:]:
        g = gradient_at({name: theta[name] + 0.8 * v[name] for name in theta})
        v = {name: 0.8 * v[name] - 0.1 * g[name] for name in theta}
        theta = {name: theta[name] + v[name] for name in theta}
        for name in theta:
            np.testing.assert_allclose(kept[name], theta[name] + 0.8 * v[name], rtol=0, atol=1e-13, err_msg=name)


def test_momentum_goes_on_from_batch_to_batch(steps):
    """Two batches an epoch: after the first, the velocity is not zero any more."""
    plain, moving = (steps(momentum=momentum, batch_size=20, Max=1, shuffle=False) for momentum in (0.0, 0.8))
    assert not np.allclose(plain.parameters[1]["layers.0.W"], moving.parameters[1]["layers.0.W"], rtol=0, atol=1e-6)


def test_first_step_has_no_velocity_yet(steps):
    plain, classical = (steps(momentum=momentum, Max=1) for momentum in (0.0, 0.8))
    for name, value in plain.parameters[1].items():
        np.testing.assert_allclose(classical.parameters[1][name], value, rtol=0, atol=1e-15)
