"""Runs that begin with earlier weights, and entries that are not trained."""

import json
import os
import shutil
import signal
from importlib import import_module

import numpy as np
import pytest

import cnntrain
from cnntrain.config import config_from_dict
from cnntrain.errors import ConfigError, UsageError, WeightsError
from cnntrain.training.fit import fit
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.resume import resume_run
from cnntrain.weights.safetensors_file import read_tensors

BLOCK = {"residual": {"layers": [{"conv": {"K": 3, "F": 3, "P": 1}}, {"batch_norm": {}}], "activation": "relu"}}
LAYERS = [
    {"conv": {"K": 3, "F": 2}},
    {"batch_norm": {"activation": "relu"}},
    BLOCK,
    {"pool": {"k": 2, "type": "max"}},
    {"dropout": {"rate": 0.3}},
    {"fc": {"units": 6, "activation": "tanh"}},
    {"fc": {"activation": "softmax"}},
]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No plots, and no waiting for a disk."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setattr(import_module("cnntrain.training.fit"), "write_run_artifacts", lambda *_, **__: iter(()))


@pytest.fixture
def images(tmp_path):
    """Writes images of some classes, each around a pattern of its own; gives the file."""

    def write(*names):
        path, rng = tmp_path / f"{'-'.join(names)}.npz", np.random.default_rng(0)
        patterns = {name: rng.integers(0, 256, (6, 6)) for name in "abcdef"}
        labels = np.array(list(names) * 20)
        x = np.stack([patterns[name] for name in labels])[..., None]
        noise = np.random.default_rng(len(names)).integers(-20, 20, x.shape)
        x = np.clip(x + noise, 0, 255).astype(np.uint8)
        np.savez(path, x_train=x[:-20], y_train=labels[:-20], x_test=x[-20:], y_test=labels[-20:])
        return path

    return write


@pytest.fixture
def train(images, tmp_path):
    """Trains on images of some classes; gives the run folder, its config as data and the lines it began with."""

    def run(out, classes, layers=LAYERS, network=None, interrupts=None, **training):
        content = {
            "data": {"source": "npz", "path": str(images(*classes))},
            "network": {"layers": layers, **(network or {})},
            "training": {"Max": 2, "batch_size": 16, "workers": 1, **training},
        }
        events = list(fit(config_from_dict(content, "a test"), tmp_path / out, interrupts, plots=False))
        (started,) = (event for event in events if type(event).__name__ == "TrainingStarted")
        return tmp_path / out, [line for line in started.choices if line.startswith("start: ")], events

    return run


def tensors(run):
    return read_tensors(run / "weights.safetensors")


def initial(config, data):
    """The network that a run begins with."""
    from cnntrain.training.start_from import starting_network

    return starting_network(config, data)


def beginning(run, path, layers=LAYERS, classes=None, **network):
    """The config with its digest, the network and the lines of a run that would begin with ``path``."""
    saved = cnntrain.load_config(run / "config.yaml")
    network = {"layers": layers, "start_from": str(path), **network}
    content = {"network": network, "data": saved.resolved()["data"], "training": {"seed": 7}}
    if classes is not None:
        content["data"]["path"] = str(classes)
    config = config_from_dict(content, "a test")
    return initial(config, cnntrain.builder.load_config_data(config))


def test_the_output_layer_is_taken_by_class_and_new_classes_are_drawn_as_without(train, images):
    run, lines, _ = train("first", "acdf")
    assert lines == []
    before = tensors(run)
    _, network, lines = beginning(run, run, classes=images("a", "b", "c", "e", "f"))
    fresh = cnntrain.build(beginning(run, run, classes=images("a", "b", "c", "e", "f"))[0].model_copy())
    state, drawn = network.state(), fresh.state()
    for name, value in before.items():
        if name.startswith("layers.6."):
            np.testing.assert_array_equal(state[name][[0, 2, 4]], value[[0, 1, 3]])
            np.testing.assert_array_equal(state[name][[1, 3]], drawn[name][[1, 3]])
        else:
            np.testing.assert_array_equal(state[name], value, err_msg=name)
    assert "layers.1.running_var" in before
    assert "layers.2.1.running_mean" in before
    (line,) = lines
    assert line.endswith(
        "layers.0 conv, layers.1 batch_norm, layers.2.0 conv, layers.2.1 batch_norm, layers.5 fc, "
        "layers.6 fc (3 of 5 classes; drawn anew: b, e; left out: d)"
    )


def test_what_does_not_fit_is_reported_with_its_reason(train):
    run, _, _ = train("first", "ab")
    layers = [
        {"conv": {"K": 4, "F": 2}},
        {"fc": {"units": 6}},
        {"fc": {"units": 6, "activation": "tanh"}},
    ]
    earlier = [LAYERS[0], LAYERS[5], {"fc": {"units": 6}}, LAYERS[6]]
    second, _, _ = train("second", "ab", layers=earlier)
    _, _, lines = beginning(second, second, [LAYERS[0], LAYERS[5], {"fc": {"units": 7}}, LAYERS[6]])
    assert lines[1:] == [
        "start: not taken: layers.2 fc: W is 6 x 6 there and 7 x 6 here",
        "start: not taken: layers.3 fc: W is 2 x 6 there and 2 x 7 here",
    ]
    with pytest.raises(ConfigError) as caught:
        beginning(run, run, [{"conv": {"K": 4, "F": 2}}, *layers[1:], {"fc": {"activation": "softmax"}}])
    (sentence,) = str(caught.value).splitlines()
    assert "network.start_from: nothing in " in sentence
    assert "layers.0 conv: it has W there and W, b here" in sentence
    assert "layers.3 fc: the earlier network has nothing with parameters there" in sentence
    assert "layers.1 fc: the earlier network has a batch_norm there" in sentence


def test_a_bias_that_is_not_there_does_not_fit(train):
    run, _, _ = train("first", "ab")
    layers = [{"conv": {"K": 3, "F": 2}}, {"dropout": {}}, *LAYERS[2:]]
    _, _, lines = beginning(run, run, layers)
    assert "start: not taken: layers.0 conv: it has W there and W, b here" in lines


def test_the_digest_is_in_the_config_and_other_weights_are_refused(train, tmp_path):
    run, _, _ = train("first", "abc")
    second, _, _ = train("second", "abc", network={"start_from": str(run)})
    config = cnntrain.load_config(second / "config.yaml")
    assert len(config.network.start_digest) == 64
    list(fit(config, tmp_path / "again", plots=False))  # the same weights are still there
    assert tensors(tmp_path / "again").keys() == tensors(second).keys()
    for name, value in tensors(second).items():
        np.testing.assert_array_equal(tensors(tmp_path / "again")[name], value)
    other, _, _ = train("other", "abc", seed=5)
    shutil.copy(other / "weights.safetensors", run / "weights.safetensors")
    with pytest.raises(ConfigError, match=r"network.start_digest: what .* is no longer what the run began with"):
        list(fit(config, tmp_path / "changed", plots=False))
    assert not (tmp_path / "changed").exists()


def test_missing_weights_are_a_sentence(train, tmp_path):
    with pytest.raises(WeightsError, match="no weights here"):
        train("second", "abc", network={"start_from": str(tmp_path / "nowhere")})


@pytest.mark.parametrize("freeze", [0, 3])
def test_an_interrupted_run_resumes_to_the_same_bits_without_the_earlier_one(train, tmp_path, freeze):
    run, _, _ = train("first", "abc")
    network = {"start_from": str(run), "freeze": freeze}
    options = {"optimizer": "adamw", "clip_norm": 1.0, "l1": 1e-4, "alpha": 0.01}
    whole, _, _ = train("whole", "abcd", network=network, **options)
    interrupts = Interrupts()

    class Stop:
        seen = 0

    content = cnntrain.load_config(whole / "config.yaml")
    for event in fit(content, tmp_path / "part", interrupts, plots=False):
        Stop.seen += type(event).__name__ == "BatchEnded"
        if Stop.seen == 3:
            interrupts.signal = signal.SIGINT
    shutil.rmtree(run)
    list(resume_run(tmp_path / "part", ["training.workers=2"] if freeze else [], plots=False))
    for name, value in tensors(whole).items():
        np.testing.assert_array_equal(tensors(tmp_path / "part")[name], value, err_msg=name)


def test_frozen_entries_keep_their_bits_and_the_others_learn(train):
    run, _, _ = train("first", "abc")
    before = tensors(run)
    frozen, _, events = train(
        "frozen", "abc", network={"start_from": str(run), "freeze": 4}, weight_decay=0.1, optimizer="adamw", alpha=0.01
    )
    after = tensors(frozen)
    for name, value in before.items():
        same = (after[name] == value).all()
        assert same == (int(name.split(".")[1]) < 4), name
    result = events[-1].result
    assert result["epochs"] == 2
    assert result["test"]["accuracy"] == cnntrain.evaluate(frozen)["accuracy"]


def test_a_frozen_part_is_used_as_in_evaluation(make_config):
    layers = [*LAYERS[:-1], {"fc": {"units": 3, "activation": "softmax"}}]
    content = make_config(layers, (1, 6, 6), dtype="float64")
    config = content.model_copy(update={"network": content.network.model_copy(update={"freeze": 5})})
    network, whole = cnntrain.build(config), cnntrain.build(content)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 1, 6, 6)), rng.integers(0, 3, 6)
    J, gradients, dx = network.loss_and_gradients(x, y)
    assert dx is None
    assert set(gradients) == {"layers.5.W", "layers.5.b", "layers.6.W", "layers.6.b"}
    assert set(network.parameters()) == set(whole.parameters())
    probabilities = whole.forward(x)  # nothing is left that differs in training
    assert pytest.approx(-np.log(probabilities[np.arange(6), y]).mean(), rel=1e-12) == J
    with pytest.raises(UsageError, match="freeze"):
        network.trace(x, y)


def test_gradients_are_those_of_the_whole_network_where_no_batch_norm_is_frozen(make_config):
    layers = [
        {"conv": {"K": 3, "F": 2, "activation": "tanh"}},
        {"fc": {"units": 4}},
        {"fc": {"units": 3, "activation": "softmax"}},
    ]
    content = make_config(layers, (1, 5, 5), dtype="float64")
    config = content.model_copy(update={"network": content.network.model_copy(update={"freeze": 1})})
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 1, 5, 5)), rng.integers(0, 3, 4)
    J, gradients, _ = cnntrain.build(config).loss_and_gradients(x, y)
    expected_J, expected, _ = cnntrain.build(content).loss_and_gradients(x, y)
    assert expected_J == J
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(gradient, expected[name])


def test_a_frozen_pooled_convolution_is_frozen_with_its_activation(make_config):
    layers = [
        {"conv": {"K": 3, "F": 2, "activation": "tanh"}},
        {"pool": {"k": 2, "type": "max"}},
        {"fc": {"units": 3, "activation": "softmax"}},
    ]
    content = make_config(layers, (1, 5, 5))
    for freeze in (1, 2):
        config = content.model_copy(update={"network": content.network.model_copy(update={"freeze": freeze})})
        network = cnntrain.build(config)
        assert network.frozen == 3  # convolution, pool, activation
        assert set(network.layout.trained) == {"layers.2.W", "layers.2.b"}
        assert network.layout.theta_size - network.layout.size == 3 * 4 + 3


def test_nothing_left_to_train_is_refused(make_config):
    def with_freeze(count):
        return config_from_dict({"network": {"input": [1, 6, 6], "layers": LAYERS[:-1], "freeze": count}}, "a test")

    with_freeze(5)
    with pytest.raises(ConfigError, match=r"freeze = 6 leaves nothing to train: layers\[5\] is the last"):
        with_freeze(6)


def test_a_digest_without_weights_is_refused():
    network = {"input": [1, 6, 6], "layers": LAYERS[:-1], "start_digest": "0" * 64}
    with pytest.raises(ConfigError, match="start_digest only applies with start_from"):
        config_from_dict({"network": network}, "a test")


def test_rollback_goes_back_to_the_earlier_weights(train):
    run, _, _ = train("first", "abc")
    expected = tensors(run)
    network = {"start_from": str(run)}
    options = {"alpha": 1e25, "on_divergence": "rollback", "reduction": "sum"}
    with pytest.raises(cnntrain.errors.DivergedError):
        train("second", "abc", network=network, **options)
    second = run.parent / "second"
    assert json.loads((second / "summary.json").read_text())["rollbacks"] == 3
    for name, value in tensors(second).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_a_finished_schedule_says_how_to_go_on(train):
    run, _, _ = train("first", "abc", schedule="one_cycle")
    events = list(resume_run(run, plots=False))
    warnings = [event.text for event in events if type(event).__name__ == "WarningIssued"]
    assert any("cnntrain train CONFIG --from RUN" in text for text in warnings)
