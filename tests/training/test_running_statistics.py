"""Running averages: what they become after a step, and that nothing else treats them as weights."""

import numpy as np
import pytest

import cnntrain
from cnntrain.builder import load_config_data
from cnntrain.errors import WeightsError
from cnntrain.parallel import SingleProcess
from cnntrain.training.events import BatchEnded, EpochEnded
from cnntrain.training.loop import train_loop
from cnntrain.weights.weights import load_saved

LAYERS = [
    {"conv": {"K": 3, "F": 3}},
    {"batch_norm": {"activation": "relu", "momentum": 0.75}},
    {"fc": {"units": 6}},
    {"batch_norm": {"momentum": 0.0}},
    {"fc": {"activation": "softmax"}},
]


@pytest.fixture
def config(make_config):
    def make(layers=LAYERS, **training):
        training = {"dtype": "float64", "shuffle": False, "batch_size": 40, "Max": 1, "alpha": 0.1} | training
        return make_config(layers, data={"source": "digits"}, **training)

    return make


def events(config):
    """The network and the program that trains it."""
    data, network = load_config_data(config), cnntrain.build(config)
    single = SingleProcess(network.layout, network.dtype, config.training.state_rows)
    return network, data, train_loop(network, data, config.training, single)


def test_a_step_moves_them_towards_the_statistics_of_the_batch(config):
    network, data, steps = events(config())
    before = network.state()
    x = np.empty((8, 1, 8, 40))
    data.preprocessing.columns(data.train.gather(np.arange(40)), x)
    assert network.micro_batch_size >= 40  # one micro-batch
    z = np.zeros((40, 3, 6, 6))
    W = before["layers.0.W"]
    for p, q in np.ndindex(3, 3):
        z += np.einsum("hcwn,kc->nkhw", x[p : p + 6, :, q : q + 6], W[:, :, p, q])
    assert isinstance(next(steps), BatchEnded)
    after = network.state()
    for name, batch, start in (("mean", z.mean(axis=(0, 2, 3)), 0), ("var", z.var(axis=(0, 2, 3), ddof=1), 1)):
        expected = 0.75 * start + 0.25 * batch
        np.testing.assert_allclose(after[f"layers.1.running_{name}"], expected, rtol=1e-10, atol=1e-13)
    assert (after["layers.3.running_var"] != 1).all()


def test_slices_count_by_their_samples(make_config, config):
    """With momentum 0 the average is that of the last batch, here cut into micro-batches of at most 32."""
    layers = [{"conv": {"K": 20, "F": 1}}, {"batch_norm": {"momentum": 0.0}}, {"fc": {"activation": "softmax"}}]
    network, data, steps = events(config(layers, batch_size=70))
    assert network.micro_batch_size < 70
    x = np.empty((8, 1, 8, 70))
    data.preprocessing.columns(data.train.gather(np.arange(70)), x)
    W = network.parameters()["layers.0.W"].ravel()
    next(steps)
    np.testing.assert_allclose(network.state()["layers.1.running_mean"], W * x.mean(), rtol=1e-10, atol=1e-14)
    micro_batches = [x[..., part] for part in network.micro_batches(70)]
    variance = sum(part.var(ddof=1) * part.shape[-1] for part in micro_batches) / 70
    np.testing.assert_allclose(network.state()["layers.1.running_var"], W**2 * variance, rtol=1e-10)


def test_they_are_no_parameters(config):
    network, _, steps = events(config(l1=0.1, l2=0.5, momentum=0.9, alpha=1e-9))
    assert not [name for name in network.parameters() if "running" in name]
    assert {name for name in network.state() if "running" in name} == {
        f"layers.{i}.running_{what}" for i in (1, 3) for what in ("mean", "var")
    }
    ended = [event for event in steps if isinstance(event, EpochEnded)]
    assert ended[0].max_change < 1e-6  # they moved by much more


def test_a_run_keeps_them_and_its_weights_need_them(config, tmp_path):
    result = cnntrain.train(config(Max=2), tmp_path / "run", plots=False)
    assert cnntrain.evaluate(tmp_path / "run")["loss"] == result["test"]["loss"]
    network = load_saved(tmp_path / "run").network
    state = network.state()
    with pytest.raises(WeightsError, match=r"layers\.1\.running_mean missing"):
        network.set_state({name: value for name, value in state.items() if name != "layers.1.running_mean"})
    with pytest.raises(WeightsError, match=r"layers\.3\.running_var holds -1"):
        network.set_state(state | {"layers.3.running_var": -np.ones(6)})
    network.set_parameters(network.parameters())
    for name, value in network.state().items():
        np.testing.assert_array_equal(value, state[name])
