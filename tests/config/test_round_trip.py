"""Configs as plain data, as YAML, and as configs again."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnntrain.config import Config, NetworkOptions, TrainingOptions, config_from_dict, load_config, to_yaml
from cnntrain.errors import ConfigError

IN_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
"""Each example writes the same file anew."""

sides = st.integers(1, 10**6)
positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
not_negative = st.floats(min_value=0, allow_infinity=False)
shares = st.floats(min_value=0, max_value=1, exclude_max=True)
activations = st.sampled_from(["identity", "relu", "leaky_relu", "sigmoid", "tanh", "softplus", "elu"])
inits = st.none() | st.sampled_from(["he", "xavier", "normal", "uniform", "zeros"])
entries = st.one_of(
    st.fixed_dictionaries(
        {"conv": st.fixed_dictionaries({"K": sides, "F": st.integers(1, 2), "P": st.integers(1, 9), "S": st.just(1)})}
    ),
    st.fixed_dictionaries(
        {"conv": st.fixed_dictionaries({"K": sides, "F": st.just(1), "activation": activations, "init": inits})}
    ),
    st.fixed_dictionaries(
        {
            "pool": st.fixed_dictionaries(
                {"k": st.just(1), "S": st.none() | st.just(1), "type": st.sampled_from(["max", "average"])}
            )
        }
    ),
)
hidden = st.fixed_dictionaries(
    {"fc": st.fixed_dictionaries({"units": sides, "activation": activations, "init": inits})}
)
data_sections = st.one_of(
    st.none(),
    st.fixed_dictionaries({"source": st.just("digits"), "validation": shares, "standardize": st.booleans()}),
    st.fixed_dictionaries(
        {
            "source": st.just("npz"),
            "path": st.text(st.characters(exclude_characters="\0/", codec="utf-8"), min_size=1, max_size=20).map(
                "/tmp/{}".format
            ),
            "layout": st.sampled_from(["NHWC", "NCHW", None]),
        }
    ),
)
trainings = st.fixed_dictionaries(
    {
        "alpha": positive,
        "Max": sides,
        "epsilon": not_negative,
        "batch_size": sides | st.just("all"),
        "reduction": st.sampled_from(["mean", "sum"]),
        "momentum": shares,
        "l1": not_negative,
        "l2": not_negative,
        "seed": st.integers(0, 10**30),
        "dtype": st.sampled_from(["float32", "float64"]),
        "shuffle": st.booleans(),
        "workers": st.just("auto") | st.integers(1, 64),
        "checkpoint_every": st.floats(1e-3, 1e6) | st.integers(1, 99).map("{} batches".format),
    }
)
configs = st.builds(
    lambda data, size, images, vectors, training: {
        "data": data,
        "network": {"input": list(size), "layers": [*images, *vectors, {"fc": {"activation": "softmax"}}]},
        "training": training,
    },
    data_sections,
    st.tuples(sides, sides, sides),
    st.lists(entries, max_size=3),
    st.lists(hidden, max_size=2),
    trainings,
)


@IN_ONE_FOLDER
@given(configs)
def test_a_dumped_config_loads_as_an_equal_one(data):
    config = config_from_dict(data, "test")
    Path("b.yaml").write_text(to_yaml(config), encoding="utf-8")
    assert load_config("b.yaml") == config
    assert config_from_dict(json.loads(json.dumps(config.resolved())), "test") == config


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029", "\n", "\r", "\ufeff", "\x7f", "\U0001f600"])
def test_a_dump_keeps_every_character_of_a_path(character, tmp_path):
    path = str(tmp_path / f"a{character}b")
    data = {"data": {"source": "images", "path": path}, "network": {"layers": [{"fc": {"activation": "softmax"}}]}}
    Path("b.yaml").write_text(to_yaml(config_from_dict(data, "test")), encoding="utf-8")
    assert str(load_config("b.yaml").data.path) == path


def test_a_dump_reads_as_people_write(load):
    config = load(
        "network: {input: [1, 8, 8], layers: [conv: {filters: 4, F: 3}, pool: {k: 2, type: max}, fc: {units: 2}]}\n"
        "training: {α: 1e-7}"
    )
    assert (
        to_yaml(config)
        == """\
network:
  input: [1, 8, 8]
  layers:
    - conv: {K: 4, F: 3, P: 0, S: 1, activation: identity}
    - pool: {k: 2, P: 0, type: max}
    - fc: {units: 2, activation: identity}
  freeze: 0
training:
  alpha: 1.0e-07
  Max: 10
  epsilon: 0.0
  patience: 0
  min_delta: 0.0
  best_by: loss
  batch_size: 128
  reduction: mean
  optimizer: sgd
  momentum: 0.0
  nesterov: false
  schedule: constant
  warmup: 0.0
  clip_norm: 0.0
  loss: mse
  l1: 0.0
  l2: 0.0
  seed: 0
  dtype: float32
  shuffle: true
  workers: auto
  checkpoint_every: 60.0
  on_divergence: stop
  tensorboard: false
  augmentation:
    horizontal_flip: false
    vertical_flip: false
    crop: 0
    rotation: 0.0
    brightness: 0.0
    contrast: 0.0
    saturation: 0.0
    hue: 0.0
    scale: 0.0
    cutout: 0
    erasing: 0.0
    mixup: 0.0
    cutmix: 0.0
"""
    )


def test_a_resolved_config_is_plain_data(load, folder):
    resolved = load(
        "data: {source: idx, path: x}\nnetwork: {input: [1, 2, 2], layers: [fc: {activation: softmax}]}"
    ).resolved()
    assert resolved == json.loads(json.dumps(resolved))
    assert resolved["data"] == {"source": "idx", "validation": 0.0, "standardize": True, "path": str(folder / "x")}
    assert resolved["network"] == {
        "input": [1, 2, 2],
        "layers": [{"fc": {"activation": "softmax"}}],
        "freeze": 0,
    }


def test_a_config_made_in_python_has_places_too():
    config = Config(network=NetworkOptions(input=(1, 2, 2), layers=({"fc": {"units": 2}},)), training=TrainingOptions())
    assert config.where(("network", "layers", 0, "fc")) == "layers[0].fc"
    assert config.where(()) == "the config"
    assert config.name == "run"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "w: missing key 'network'"),
        ([], "w: expected the keys data, network and training, got []"),
        (None, "w: expected the keys data, network and training, got nothing"),
        (3, "w: expected the keys data, network and training, got 3"),
        (b"x", "w: a value of type bytes, which a config cannot have"),
        ({1: 2}, "w: a key of type int; keys are text"),
        ({"training": {"alpha": 10**5000}}, "w: a number of more than 40 digits"),
        ({"training": [[[]] * 10_001]}, "w: more than 10,000 keys and values"),
        (
            {"network": {"input": [1, 2, 2], "layers": [{"fc": {"units": float("nan")}}]}},
            "w: layers[0].fc.units: expected a whole number of at least 1, got nan",
        ),
        (
            {"network": {"input": [1, 2, 2], "layers": [{"fc": {}}]}, "training": {"alpha": float("inf"), "Max": True}},
            "w: training.alpha: expected a number above 0, got inf\n"
            "w: training.Max: expected a whole number of at least 1, got true",
        ),
    ],
)
def test_plain_data_are_trusted_no_more_than_a_file(data, message):
    with pytest.raises(ConfigError) as caught:
        config_from_dict(data, "w")
    assert str(caught.value) == message


def test_plain_data_may_not_be_nested_without_end():
    data = {}
    data["network"] = data
    with pytest.raises(ConfigError, match=r"^w: more than 50 mappings and lists inside each other$"):
        config_from_dict(data, "w")


def test_plain_data_can_be_overridden():
    data = {"network": {"input": [1, 2, 2], "layers": [{"fc": {"units": 2}}]}}
    assert config_from_dict(data, "w", ["training.seed=3"]).training.seed == 3
