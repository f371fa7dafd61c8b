"""What a config is when little is said, and the several names of its keys."""

import pytest
from pydantic import ValidationError

from cnntrain.config import Config, LayerEntry, TrainingOptions
from cnntrain.config.schema.entries import OPTIONS


def test_the_example_of_the_documentation_loads(load):
    config = load(
        """\
data:
  source: digits
  validation: 0.1
network:
  layers:
    - conv: {K: 32, F: 5, P: 0, S: 1, activation: relu}
    - pool: {k: 2, type: max}
    - fc:   {units: 128, activation: relu}
    - fc:   {activation: softmax}
training:
  alpha: 0.05
  Max: 10
  epsilon: 0
  batch_size: 128
  reduction: mean
  momentum: 0.9
  loss: cross_entropy
  seed: 0
  dtype: float32
"""
    )
    assert config.data.source == "digits"
    assert config.data.validation == 0.1
    assert config.network.input is None
    assert [layer.kind for layer in config.network.layers] == ["conv", "pool", "fc", "fc"]
    assert config.network.layers[0].options.K == 32
    assert config.network.layers[1].options.stride == 2
    assert config.network.layers[3].options.units is None
    assert config.training == TrainingOptions(momentum=0.9)


@pytest.mark.parametrize("end", ["", "training:\n", "training: {}\n", "training: ~\n"])
def test_training_may_be_absent_or_empty(load, end):
    config = load("network: {input: [1, 4, 4], layers: [fc: {units: 2, activation: softmax}]}\n" + end)
    assert config.training == TrainingOptions()


def test_training_has_a_default_for_everything():
    assert TrainingOptions().model_dump() == {
        "alpha": 0.05,
        "Max": 10,
        "epsilon": 0.0,
        "patience": 0,
        "batch_size": 128,
        "reduction": "mean",
        "optimizer": "sgd",
        "momentum": 0.0,
        "nesterov": False,
        "schedule": "constant",
        "warmup": 0.0,
        "min_delta": 0.0,
        "best_by": "loss",
        "clip_norm": 0.0,
        "loss": "cross_entropy",
        "label_smoothing": 0.0,
        "class_weights": None,
        "l1": 0.0,
        "l2": 0.0,
        "seed": 0,
        "dtype": "float32",
        "shuffle": True,
        "workers": "auto",
        "checkpoint_every": 60.0,
        "on_divergence": "stop",
        "tensorboard": False,
        "augmentation": {
            "horizontal_flip": False,
            "vertical_flip": False,
            "crop": 0,
            "rotation": 0.0,
            "brightness": 0.0,
            "contrast": 0.0,
            "saturation": 0.0,
            "hue": 0.0,
            "scale": 0.0,
            "cutout": 0,
            "erasing": 0.0,
            "mixup": 0.0,
            "cutmix": 0.0,
        },
    }


def test_data_have_defaults(load):
    data = load("data: {source: digits}\nnetwork: {layers: [fc: {activation: softmax}]}").data
    assert (data.validation, data.standardize) == (0.0, True)


@pytest.mark.parametrize(
    ("output", "loss"),
    [
        ("fc: {units: 2, activation: softmax}", "cross_entropy"),
        ("fc: {units: 2}", "mse"),
        ("conv: {K: 2, F: 3}", "mse"),
        ("pool: {k: 2, type: max}", "mse"),
    ],
)
def test_the_default_of_the_loss_follows_the_output(load, output, loss):
    assert load(f"network: {{input: [1, 4, 4], layers: [{output}]}}").training.loss == loss


@pytest.mark.parametrize("entry", ["fc:", "fc: {}", "fc: ~"])
def test_an_fc_may_be_empty(load, entry):
    options = load(f"data: {{source: digits}}\nnetwork:\n  layers:\n    - {entry}").network.layers[0].options
    assert (options.units, options.activation, options.init) == (None, "identity", None)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("{learning_rate: 0.3}", "alpha", 0.3),
        ("{α: 0.3}", "alpha", 0.3),
        ("{epochs: 7}", "Max", 7),
        ("{tolerance: 0.3}", "epsilon", 0.3),
        ("{ε: 0.3}", "epsilon", 0.3),
    ],
)
def test_long_and_greek_names_of_training_mean_the_same(training, text, key, value):
    assert getattr(training(text), key) == value


def test_long_names_of_layers_mean_the_same(load):
    network = load(
        """\
network:
  input: [1, 28, 28]
  layers:
    - conv: {filters: 8, kernel: 3, padding: 1, stride: 2}
    - pool: {size: 3, stride: 1, type: average}
"""
    ).network
    conv, pool = (layer.options for layer in network.layers)
    assert (conv.K, conv.F, conv.P, conv.S) == (8, 3, 1, 2)
    assert (pool.k, pool.S) == (3, 1)


def test_both_names_of_a_key_are_an_error_that_names_both(faults):
    assert faults(
        """\
network:
  input: [1, 28, 28]
  layers:
    - conv: {K: 8, F: 3, filters: 8}
training: {alpha: 1, α: 1, epochs: 3, Max: 4}
"""
    ) == [
        "a.yaml:4:26: layers[0].conv: 'K' and 'filters' mean the same; keep one of them",
        "a.yaml:5:22: training: 'alpha' and 'α' mean the same; keep one of them",
        "a.yaml:5:39: training: 'epochs' and 'Max' mean the same; keep one of them",
    ]


def test_whole_numbers_are_fine_where_numbers_are_wanted(training):
    assert training("{alpha: 1, epsilon: 0}").alpha == 1.0


def test_a_batch_may_be_all(training):
    assert training("{batch_size: all}").batch_size == "all"


def test_a_config_cannot_be_changed(load):
    config = load("network: {input: [1, 4, 4], layers: [fc: {units: 2}]}")
    with pytest.raises(ValidationError):
        config.training = TrainingOptions()
    with pytest.raises(ValidationError):
        config.training.alpha = 1.0


def test_configs_are_equal_by_what_they_say_not_by_where(load):
    first = load("network: {input: [1, 4, 4], layers: [fc: {units: 2}]}")
    second = load("\n# moved\nnetwork:\n  input: [1, 4, 4]\n  layers: [fc: {units: 2}]\ntraining: {Max: 10}")
    assert first == second
    assert first != load("network: {input: [1, 4, 4], layers: [fc: {units: 3}]}")


def test_every_layer_can_be_an_entry():
    assert {kind: field.annotation for kind, field in LayerEntry.model_fields.items()} == {
        kind: options | None for kind, options in OPTIONS.items()
    }


def test_the_schema_is_of_use_to_editors():
    schema = Config.model_json_schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["network"]
    entry = schema["$defs"]["LayerEntry"]
    assert (entry["minProperties"], entry["maxProperties"]) == (1, 1)
    assert all("description" in key for key in schema["$defs"]["TrainingOptions"]["properties"].values())
