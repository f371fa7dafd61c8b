"""The section ``training``: defaults that depend on other keys, and keys that mean nothing beside others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntrain.config import config_from_dict, to_yaml
from cnntrain.config.schema.training import ONLY_WITH, TrainingOptions
from cnntrain.errors import ConfigError

LAYERS = [{"fc": {"units": 3, "activation": "softmax"}}]


def made(**training):
    content = {"network": {"input": [1, 2, 2], "layers": LAYERS}, "training": training}
    return config_from_dict(content, "a test").training


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        ({}, "alpha", 0.05),
        ({"optimizer": "sgd"}, "alpha", 0.05),
        ({"optimizer": "adam"}, "alpha", 0.001),
        ({"optimizer": "adamw"}, "alpha", 0.001),
        ({"optimizer": "rmsprop"}, "alpha", 0.001),
        ({"optimizer": "adam", "alpha": 0.05}, "alpha", 0.05),
        ({"optimizer": "adam", "learning_rate": 0.05}, "alpha", 0.05),
        ({"schedule": "cosine"}, "warmup", 0),
        ({"schedule": "one_cycle"}, "warmup", 3),
        ({"schedule": "one_cycle", "epochs": 5}, "warmup", 1.5),
        ({"schedule": "one_cycle", "warmup": 0}, "warmup", 0),
        ({"schedule": "one_cycle", "warmup": None}, "warmup", 3),
        ({"schedule": "step"}, "step_every", 4),
        ({"schedule": "step", "Max": 30}, "step_every", 10),
        ({"schedule": "step", "Max": 30, "step_every": 7}, "step_every", 7),
        ({"class_weights": [1, 2.5, 3]}, "class_weights", (1.0, 2.5, 3.0)),
        ({"class_weights": "balanced"}, "class_weights", "balanced"),
        ({"class_weights": "none"}, "class_weights", None),
        ({"class_weights": [1, 0, 2]}, "class_weights", (1.0, 0.0, 2.0)),
    ],
)
def test_defaults_depend_on_other_keys(given, key, value):
    assert getattr(made(**given), key) == value


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (
            {"optimizer": "adam", "momentum": 0.9},
            "momentum: momentum only applies to optimizer sgd, not to adam; set it to 0 (adam and adamw have beta1 "
            "in its place), or use optimizer sgd",
        ),
        (
            {"optimizer": "rmsprop", "nesterov": True},
            "nesterov: nesterov only applies to optimizer sgd, not to rmsprop; leave it out, or use optimizer sgd",
        ),
        (
            {"weight_decay": 0.01},
            "weight_decay: weight_decay only applies to optimizer adamw, not to sgd; use optimizer adamw, or l2 in "
            "place of weight_decay",
        ),
        (
            {"beta2": 0.99},
            "beta2: beta2 only applies to optimizer adam or adamw, not to sgd; leave it out, or use optimizer adam",
        ),
        (
            {"optimizer": "adam", "rho": 0.99},
            "rho: rho only applies to optimizer rmsprop, not to adam; leave it out, or use optimizer rmsprop",
        ),
        (
            {"eps": 1e-3},
            "eps: eps only applies to optimizer adam, adamw or rmsprop, not to sgd; leave it out, or use optimizer "
            "adam",
        ),
        (
            {"step_every": 3},
            "step_every: step_every only applies to schedule step, not to constant; leave it out, or use schedule step",
        ),
        (
            {"schedule": "cosine", "step_factor": 0.5},
            "step_factor: step_factor only applies to schedule step or plateau, not to cosine; leave it out, "
            "or use schedule step",
        ),
        (
            {"loss": "mse", "label_smoothing": 0.1},
            "label_smoothing: label_smoothing only applies to loss cross_entropy, not to mse; leave it out, or use "
            "loss cross_entropy",
        ),
        ({"warmup": 11}, "warmup: a warm-up of 11 epochs is longer than Max = 10; shorten it or increase Max"),
        (
            {"class_weights": [1, -1]},
            "class_weights: expected balanced, none or a list of at least one, each a number of at least 0, "
            "got [1, -1]",
        ),
        (
            {"class_weights": [0, 0]},
            "class_weights: all class weights are 0, so there is nothing to learn from",
        ),
        (
            {"class_weights": "balance"},
            "class_weights: expected balanced, none or a list of at least one, each a number of at least 0, "
            "got 'balance'; did you mean 'balanced'?",
        ),
    ],
)
def test_what_means_nothing_is_refused_with_a_mend(training, message):
    with pytest.raises(ConfigError) as caught:
        made(**training)
    assert str(caught.value) == f"a test: training.{message}"


def test_zero_and_false_are_no_wish():
    made(optimizer="adam", momentum=0, nesterov=False)
    made(weight_decay=0, label_smoothing=0, loss="mse")


def test_label_smoothing_is_refused_where_mse_is_the_default():
    content = {"network": {"input": [1, 2, 2], "layers": [{"fc": {"units": 3}}]}, "training": {"label_smoothing": 0.1}}
    with pytest.raises(ConfigError, match="label_smoothing only applies to loss cross_entropy, not to mse"):
        config_from_dict(content, "a test")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({}, True),
        ({"validation": 0}, True),
        ({"validation": 0.0}, True),
        ({"validation": 0.1}, False),
        (None, False),  # the network alone is looked at
    ],
)
def test_patience_needs_samples_that_are_held_out(data, told):
    content = {"network": {"input": [1, 8, 8], "layers": LAYERS}, "training": {"patience": 2}}
    if data is not None:
        content["data"] = {"source": "digits"} | data
    if not told:
        assert config_from_dict(content, "a test").training.patience == 2
        return
    with pytest.raises(ConfigError) as caught:
        config_from_dict(content, "a test")
    assert str(caught.value) == (
        "a test: training.patience: patience needs a validation split, and no samples are held out; "
        "add 'validation: 0.1' to data"
    )


@given(
    st.fixed_dictionaries(
        {"Max": st.integers(1, 50)},
        optional={
            "optimizer": st.sampled_from(["sgd", "adam", "adamw", "rmsprop"]),
            "schedule": st.sampled_from(["constant", "step", "cosine", "one_cycle"]),
            "class_weights": st.sampled_from(["balanced", [1.0, 2.0, 0.1]]),
            "clip_norm": st.floats(0, 10),
        },
    )
)
@settings(max_examples=40)
def test_what_is_written_loads_again_and_has_no_idle_keys(tmp_path_factory, training):
    from cnntrain.config import load_config

    config = config_from_dict({"network": {"input": [1, 2, 2], "layers": LAYERS}, "training": training}, "a test")
    path = tmp_path_factory.mktemp("config") / "a.yaml"
    path.write_text(to_yaml(config), encoding="utf-8")
    assert load_config(path) == config
    written = config.resolved()["training"]
    idle = {key for key, (other, values) in ONLY_WITH.items() if written[other] not in values}
    assert not idle & written.keys()
    assert TrainingOptions(**training) == config.training


@pytest.mark.parametrize(
    ("training", "rows"),
    [
        ({}, 0),
        ({"momentum": 0.5}, 1),
        ({"optimizer": "rmsprop"}, 1),
        ({"optimizer": "adam"}, 2),
        ({"optimizer": "adamw"}, 2),
    ],
)
def test_optimizers_keep_so_many_vectors(training, rows):
    assert made(**training).state_rows == rows


def test_alpha_varies_with_a_schedule_or_a_warm_up():
    assert not made().alpha_varies
    assert made(warmup=0.5).alpha_varies
    assert made(schedule="cosine").alpha_varies
