"""From a config to a network: shapes, the draws of the seed, and what the data must fit."""

import numpy as np
import pytest

import cnntrain
from cnntrain import builder
from cnntrain.errors import ConfigError, ShapeError

LAYERS = [
    {"conv": {"K": 4, "F": 3, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"conv": {"K": 3, "F": 2, "activation": "tanh"}},
    {"fc": {"units": 10, "activation": "softmax"}},
]
OPEN = [*LAYERS[:-1], {"fc": {"activation": "softmax"}}]
NOWHERE = {"source": "idx", "path": "/there/is/nothing/here"}


def bits(network):
    return {name: value.tobytes() for name, value in network.parameters().items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_seed_gives_the_same_bits_and_another_seed_others(make_config, dtype):
    one, again, other = (
        bits(cnntrain.build(make_config(LAYERS, (1, 8, 8), seed=seed, dtype=dtype))) for seed in (3, 3, 4)
    )
    assert one == again
    assert not any(one[name] == other[name] for name in one if name.endswith("W"))


def test_biases_begin_at_zero_and_no_weight_does(make_config):
    for name, value in cnntrain.build(make_config(LAYERS, (1, 8, 8))).parameters().items():
        assert (value == 0).all() if name.endswith("b") else (value != 0).all()


def test_draws_of_a_layer_do_not_depend_on_the_other_layers(make_config):
    wider = [{"conv": {"K": 4, "F": 3, "activation": "relu", "init": "uniform"}}, *LAYERS[1:]]
    one, other = (bits(cnntrain.build(make_config(layers, (1, 8, 8)))) for layers in (LAYERS, wider))
    assert one["layers.0.W"] != other["layers.0.W"]
    assert one["layers.2.W"] == other["layers.2.W"]
    assert one["layers.3.W"] == other["layers.3.W"]


def test_float32_weights_are_the_float64_ones_rounded(make_config):
    config = make_config(LAYERS, (1, 8, 8))
    exact = cnntrain.build(config, dtype="float64").parameters()
    for name, value in cnntrain.build(config).parameters().items():
        np.testing.assert_array_equal(value, exact[name].astype("float32"))


def test_init_of_a_layer_is_obeyed(make_config):
    layers = [
        {"conv": {"K": 8, "F": 5, "activation": "relu", "init": "uniform"}},
        {"fc": {"units": 9, "init": "normal"}},
    ]
    parameters = cnntrain.build(make_config(layers, (3, 12, 12))).parameters()
    assert 0.048 < np.abs(parameters["layers.0.W"]).max() <= 0.05
    assert parameters["layers.1.W"].std() == pytest.approx(0.01, rel=0.03)


def test_pool_before_or_after_its_activation_is_the_same_to_the_bit(make_config):
    """Behind a conv the engine pools first, on fewer pixels; pooling the activations by hand gives the same."""
    for activation in ("relu", "leaky_relu", "sigmoid", "tanh", "softplus", "elu"):
        conv = {"conv": {"K": 3, "F": 2, "activation": activation}}
        pooled = cnntrain.build(make_config([conv, {"pool": {"k": 2, "type": "max"}}], (2, 5, 7)))
        plain = cnntrain.build(make_config([conv], (2, 5, 7)))
        x = np.random.default_rng(0).normal(size=(4, 2, 5, 7)).astype("float32")
        by_hand = plain.forward(x).reshape(4, 3, 2, 2, 3, 2).max(axis=(3, 5))
        np.testing.assert_array_equal(pooled.forward(x), by_hand)


def test_data_are_not_needed_when_input_and_units_are_given(make_config):
    network = cnntrain.build(make_config(LAYERS, (1, 8, 8), data=NOWHERE))
    assert (network.in_shape, network.out_shape) == ((1, 8, 8), (10,))


def test_data_give_what_the_config_leaves_open(make_config):
    network = cnntrain.build(make_config(OPEN, data={"source": "digits"}))
    assert (network.in_shape, network.out_shape) == ((1, 8, 8), (10,))


def test_input_other_than_that_of_the_data_is_refused(make_config):
    config = make_config(OPEN, (1, 8, 9), data={"source": "digits"})
    with pytest.raises(ConfigError, match=r"\[1, 8, 8\], got \[1, 8, 9\]"):
        cnntrain.build(config)


def test_units_other_than_the_classes_of_the_data_are_refused(make_config, tmp_path):
    layers = [*LAYERS[:-1], {"fc": {"units": 7, "activation": "softmax"}}]
    config = make_config(layers, data={"source": "digits"})
    with pytest.raises(ConfigError, match=r"7 values.* 10 classes"):
        cnntrain.build(config)
    with pytest.raises(ConfigError, match=r"7 values.* 10 classes"):
        cnntrain.train(config, tmp_path / "run", plots=False)
    assert not (tmp_path / "run").exists()


def test_units_that_nothing_tells_are_missed(make_config):
    with pytest.raises(ConfigError, match="data"):
        cnntrain.build(make_config(OPEN, (1, 8, 8)))


def test_layer_that_does_not_fit_the_data_is_named(make_config):
    layers = [*LAYERS[:-1], {"pool": {"k": 5, "type": "max"}}, OPEN[-1]]
    with pytest.raises(ShapeError, match=r"layers\[3\].*k = 5 does not fit an image of 2 x 2"):
        cnntrain.build(make_config(layers, data={"source": "digits"}))


def test_image_at_the_end_can_be_trained_when_its_values_are_the_classes(make_config, tmp_path):
    layers = [{"conv": {"K": 10, "F": 8, "activation": "sigmoid"}}]
    config = make_config(layers, data={"source": "digits"}, Max=1, loss="mse")
    assert cnntrain.train(config, tmp_path / "run", plots=False)["test"]["accuracy"] > 0.1


@pytest.mark.parametrize(("limit", "most"), [("MAX_PARAMETERS", 2 * 9), ("MAX_VALUES", 2 * 16)])
def test_networks_that_no_computer_could_hold_are_refused_before_they_are_made(make_config, monkeypatch, limit, most):
    config = make_config([{"conv": {"K": 2, "F": 3, "P": 1}}], input=(1, 4, 4))
    monkeypatch.setattr(builder, limit, most)
    builder.build(config)
    monkeypatch.setattr(builder, limit, most - 1)
    with pytest.raises(ConfigError, match=f"layers.0..conv: the network is too large.* of {most - 1} at most"):
        builder.build(config)


def test_there_are_as_many_class_weights_as_classes(make_config, tmp_path):
    for layers, shape, data in ((LAYERS, (1, 8, 8), None), (OPEN, None, {"source": "digits"})):
        config = make_config(layers, shape, data, class_weights=[1.0, 2.0])
        with pytest.raises(ConfigError, match=r"training.class_weights: expected 10 numbers, .* each class, got 2"):
            cnntrain.build(config)
    with pytest.raises(ConfigError, match=r"training.class_weights: expected 10 numbers"):
        cnntrain.train(config, tmp_path / "run", plots=False)
    assert not (tmp_path / "run").exists()


def test_balanced_class_weights_are_those_of_the_training_samples(make_config):
    config = make_config(OPEN, data={"source": "digits", "validation": 0.2}, class_weights="balanced")
    labels = builder.load_config_data(config).train.labels
    expected = [len(labels) / (10 * count) for count in np.bincount(labels)]
    assert cnntrain.build(config).objective.class_weights == pytest.approx(expected)


def test_without_data_balanced_class_weights_are_left_out(make_config):
    network = cnntrain.build(make_config(LAYERS, (1, 8, 8), data=NOWHERE, class_weights="balanced"))
    assert network.objective.class_weights is None


NORMALIZED = [
    {"conv": {"K": 3, "F": 2}},
    {"batch_norm": {"activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
]


def test_pool_behind_batch_norm_is_the_same_to_the_bit_whatever_the_sign_of_gamma(make_config):
    """The engine pools before b and activation, but behind gamma: where that is negative, the least value wins."""
    pooled, plain = (cnntrain.build(make_config(layers, (2, 5, 7))) for layers in (NORMALIZED, NORMALIZED[:2]))
    state = plain.state()
    state |= {"layers.1.gamma": np.array([-2.0, 0.5, 0.0]), "layers.1.b": np.array([0.3, -0.2, 0.1])}
    pooled.set_state(state)
    plain.set_state(state)
    x = np.random.default_rng(0).normal(size=(4, 2, 5, 7)).astype("float32")
    by_hand = plain.forward(x).reshape(4, 3, 2, 2, 3, 2).max(axis=(3, 5))
    np.testing.assert_array_equal(pooled.forward(x), by_hand)


def kinds_of(network):
    return [(type(layer).__name__, layer.index) for layer in network.layers]


def test_steps_of_entries(make_config):
    network = cnntrain.build(make_config([*NORMALIZED, {"dropout": {}}, {"fc": {"units": 4}}], (2, 5, 7)))
    assert kinds_of(network) == [
        ("Conv", 0),
        ("BatchNorm", 1),
        ("MaxPool", 2),
        ("Activation", 1),
        ("Dropout", 3),
        ("Fc", 4),
        ("Activation", 4),
    ]


@pytest.mark.parametrize(
    ("layers", "biased"),
    [
        ([{"conv": {"K": 3, "F": 2}}, {"batch_norm": {}}, {"fc": {"units": 3}}, {"batch_norm": {}}], [1, 3]),
        ([{"conv": {"K": 3, "F": 2, "activation": "relu"}}, {"batch_norm": {}}], [0, 1]),
        ([{"fc": {"units": 3, "activation": "tanh"}}, {"batch_norm": {}}], [0, 1]),
        ([{"conv": {"K": 3, "F": 2}}, {"pool": {"k": 2, "type": "max"}}, {"batch_norm": {}}], [0, 2]),
        ([{"fc": {"units": 3}}, {"dropout": {}}, {"batch_norm": {}}], [0, 2]),
        ([{"batch_norm": {}}, {"batch_norm": {}}, {"fc": {"units": 3}}], [0, 1, 2]),
    ],
)
def test_what_batch_norm_takes_off_again_has_no_b(make_config, layers, biased):
    parameters = cnntrain.build(make_config(layers, (2, 5, 7))).parameters()
    assert [int(name.split(".")[1]) for name in parameters if name.endswith("b")] == biased


IMAGES, BEHIND_FC = {"conv": {"K": 32, "F": 3, "P": 1}}, [{"fc": {"units": 9}}, {"batch_norm": {}}]


@pytest.mark.parametrize(
    ("layers", "size", "batch_size", "micro_batch_size"),
    [
        ([IMAGES], 80, 128, 8),
        ([IMAGES, {"batch_norm": {}}], 80, 128, 8),  # 6400 pixels in each
        ([IMAGES, *BEHIND_FC], 80, 128, 32),
        ([IMAGES, *BEHIND_FC], 80, 40, 20),
        ([IMAGES, *BEHIND_FC], 80, 10, 8),
        ([IMAGES, *BEHIND_FC], 80, "all", 32),
        ([IMAGES, {"pool": {"k": "all", "type": "max"}}, {"batch_norm": {}}], 80, 128, 32),
        ([IMAGES, {"pool": {"k": 40, "type": "max"}}, {"batch_norm": {}}], 80, 128, 8),  # 2 x 2 pixels
        ([IMAGES], 30, 128, 32),
        ([{"pool": {"k": 1, "type": "max"}}, *BEHIND_FC], 8, 128, 64),
    ],
)
def test_slices_are_large_enough_for_mean_and_variance(make_config, layers, size, batch_size, micro_batch_size):
    layers = [*layers, {"fc": {"units": 2}}]
    network = cnntrain.build(make_config(layers, (1, size, size), batch_size=batch_size))
    assert network.micro_batch_size == micro_batch_size


@pytest.mark.parametrize(
    ("k", "size", "name"),
    [("all", (5, 7), "GlobalAveragePool"), (5, (5, 5), "GlobalAveragePool"), (5, (5, 7), "AveragePool")],
)
def test_the_average_of_a_whole_image_has_a_layer_of_its_own(make_config, k, size, name):
    layers = [{"pool": {"k": k, "type": "average"}}]
    assert kinds_of(cnntrain.build(make_config(layers, (2, *size)))) == [(name, 0)]
