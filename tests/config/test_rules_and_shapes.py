"""What no single key shows: the order of the layers, what goes together, and whether the layers fit the image."""

import pytest

from cnntrain.config import check_shapes, load_config
from cnntrain.config.schema.layers import BatchNormOptions, DropoutOptions
from cnntrain.errors import ConfigError, ShapeError

FC_AND_NORM = ("fc: {units: 4}", "batch_norm:")
HEAD = "network:\n  input: [1, 28, 28]\n  layers:\n"


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            ["fc: {units: 3}", "conv: {K: 1, F: 1}"],
            "5:13: layers[1].conv: conv needs an image, but gets the vector of layers[0], an fc; put it before that",
        ),
        (
            ["fc: {units: 3}", "fc: {units: 3}", "pool: {k: 1, type: max}"],
            "6:13: layers[2].pool: pool needs an image, but gets the vector of layers[0], an fc; put it before that",
        ),
        (
            ["fc: {units: 3, activation: softmax}", "fc: {units: 3}"],
            "4:34: layers[0].fc.activation: softmax is for the last layer only; use relu, for example",
        ),
        (
            ["fc: {activation: relu}", "fc: {units: 3}"],
            "4:11: layers[0].fc: missing key 'units'; only in the last layer it defaults to the number of classes",
        ),
        (
            ["pool: {k: all, S: 2, type: max}", "fc: {units: 3}"],
            "4:25: layers[0].pool.S: S does not apply with 'k: all', where the only region is the whole image; "
            "leave it out",
        ),
        (
            ["pool: {size: 2, stride: all, type: max}"],
            "4:31: layers[0].pool.stride: expected a whole number of at least 1, got 'all'",
        ),
        (
            ["pool: {k: every, type: max}"],
            "4:17: layers[0].pool.k: expected a whole number of at least 1 or all, got 'every'",
        ),
        (
            ["fc: {units: 3}", "dropout: {rate: 0.1}"],
            "5:16: layers[1].dropout: dropout after the last layer would drop the network's outputs; put it before "
            "the last fc",
        ),
        (
            ["dropout: {rate: 1}", "fc: {units: 3}"],
            "4:23: layers[0].dropout.rate: expected a number of at least 0 and below 1, got 1",
        ),
        (
            ["batch_norm: {activation: softmax}"],
            "4:32: layers[0].batch_norm.activation: expected identity, relu, leaky_relu, sigmoid, tanh, softplus or "
            "elu, got 'softmax'",
        ),
        (
            ["batch_norm: {epsilon: 0}"],
            "4:29: layers[0].batch_norm.epsilon: expected a number of at least 1e-12, got 0",
        ),
        (
            ["fc: {activation: softmax, units: 3}", "batch_norm:"],
            "4:24: layers[0].fc.activation: softmax is for the last layer only; use relu, for example",
        ),
        (
            ["fc: {activation: relu}", "batch_norm:"],
            "4:11: layers[0].fc: missing key 'units'; only in the last layer it defaults to the number of classes",
        ),
        (
            ["conv: {K: 1, F: 1, activation: softmax}"],
            "4:38: layers[0].conv.activation: expected identity, relu, leaky_relu, sigmoid, tanh, softplus or elu, "
            "got 'softmax'",
        ),
    ],
)
def test_layers_that_cannot_follow_each_other_are_told(faults, layers, message):
    assert faults(HEAD + "".join(f"    - {layer}\n" for layer in layers)) == [f"a.yaml:{message}"]


def test_what_is_wrong_with_one_layer_does_not_hide_what_is_wrong_between_others(faults):
    layers = ["conv: {K: many, F: 1}", "fc: {units: 3}", "pool: {k: 1, type: max}"]
    assert [line.split(": ")[1] for line in faults(HEAD + "".join(f"    - {layer}\n" for layer in layers))] == [
        "layers[0].conv.K",
        "layers[2].pool",
    ]


def test_batch_norm_and_dropout_can_stand_anywhere(load):
    kinds = ["batch_norm:", "dropout:", "conv: {K: 1, F: 1}", "batch_norm: {epsilon: 1e-3, momentum: 0.99}", "dropout:"]
    kinds += ["pool: {size: all, type: average}", "batch_norm:", "fc: {units: 4}", "batch_norm:", "dropout: {rate: 0}"]
    config = load(HEAD + "".join(f"    - {kind}\n" for kind in [*kinds, "fc: {units: 3, activation: softmax}"]))
    entries = config.network.layers
    assert [entry.kind for entry in entries] == [kind.split(":")[0] for kind in kinds] + ["fc"]
    assert entries[3].options == BatchNormOptions(eps=0.001, momentum=0.99)
    assert entries[0].options == BatchNormOptions(activation="identity", eps=1e-5, momentum=0.9)
    assert entries[1].options == DropoutOptions(rate=0.5)


def test_one_sample_is_no_batch_for_a_batch_norm_behind_fc(faults, load):
    behind, before = (
        f"{HEAD}    - {a}\n    - {b}\n    - fc: {{units: 2}}\n" for a, b in (FC_AND_NORM, FC_AND_NORM[::-1])
    )
    assert faults(behind + "training: {batch_size: 1}") == [
        "a.yaml:7:24: training.batch_size: batch_norm after an fc needs more than one sample per batch, or each value "
        "is its own mean and becomes 0"
    ]
    assert load(behind + "training: {batch_size: 2}").training.batch_size == 2
    assert load(before + "training: {batch_size: 1}").training.batch_size == 1


@pytest.mark.parametrize("output", ["fc: {units: 3}", "conv: {K: 1, F: 1}"])
def test_cross_entropy_needs_softmax(faults, output):
    assert faults(f"{HEAD}    - {output}\ntraining: {{loss: cross_entropy}}") == [
        "a.yaml:5:18: training.loss: cross_entropy needs a last layer fc with 'activation: softmax'; "
        "add it or use loss mse"
    ]


def test_mse_goes_with_any_output(load):
    assert load(f"{HEAD}    - fc: {{units: 3, activation: softmax}}\ntraining: {{loss: mse}}").training.loss == "mse"


def test_nesterov_with_momentum_is_fine(load):
    assert load(f"{HEAD}    - fc: {{units: 3}}\ntraining: {{nesterov: true, momentum: 0.5}}").training.nesterov


def test_a_misfit_is_told_with_its_position_the_arithmetic_and_a_mend(load):
    with pytest.raises(ShapeError) as caught:
        load(
            "network:\n  input: [1, 12, 12]\n  layers:\n    - conv: {K: 3, F: 3}\n    - pool: {k: 20, type: max}\n"
            "    - conv: {K: 3, F: 30}\n"
        )
    assert str(caught.value).startswith("a.yaml:5:13: layers[1].pool: k = 20 does not fit an image of 10 x 10")
    assert "\n" not in str(caught.value)


def test_a_misfit_is_told_together_with_other_faults(load):
    with pytest.raises(ConfigError) as caught:
        load(HEAD + "    - conv: {K: 3, F: 30}\ntraining: {alpha: 0}")
    assert not isinstance(caught.value, ShapeError)
    assert [line.split(": ")[1] for line in str(caught.value).split("\n")] == ["layers[0].conv", "training.alpha"]


def test_shapes_wait_for_layers_that_are_right(faults):
    assert len(faults(HEAD + "    - conv: {K: 3, F: 30, P: x}\n")) == 1


def test_without_an_input_shapes_wait_for_the_data(load):
    config = load(
        "data: {source: digits}\nnetwork:\n  layers:\n    - conv: {K: 3, F: 9}\n    - fc: {activation: softmax}\n"
    )
    assert check_shapes(config.network, (1, 9, 9)) == []
    (misfit,) = check_shapes(config.network, (1, 8, 8), units=10)
    assert misfit.sentence.startswith("F = 9 does not fit an image of 8 x 8")
    assert config.where(misfit.path) == "a.yaml:4:13: layers[0].conv"


def test_a_value_that_is_not_written_is_where_it_would_be(load):
    config = load("network: {input: [1, 2, 2], layers: [fc: {units: 2}]}\ntraining: {Max: 3}", "training.seed=3")
    assert config.where(("training", "Max")) == "a.yaml:2:17: training.Max"
    assert config.where(("training", "alpha")) == "a.yaml:2:11: training.alpha"
    assert config.where(("training", "seed")) == "override training.seed=3: training.seed"
    assert config.where(("data", "path")) == "a.yaml:1:1: data.path"
    assert config.where(()) == "a.yaml:1:1"


def test_a_config_is_named_after_its_file(load, folder):
    assert load(HEAD + "    - fc:").name == "a"
    (folder / "my.net.yaml").write_text(HEAD + "    - fc:")
    assert load_config("my.net.yaml").name == "my.net"


AUGMENTED = """
network: {{input: [3, 20, 30], layers: [fc: {{units: 2, activation: softmax}}]}}
training:
  augmentation: {augmentation}
"""


@pytest.mark.parametrize(
    ("augmentation", "told"),
    [
        (
            "{crop: 20}",
            "training.augmentation.crop: 20 does not fit images of 20 x 30: it must be smaller than 20",
        ),
        (
            "{rotation: 181}",
            "training.augmentation.rotation: expected a number of at least 0 and at most 180, got 181",
        ),
        ("{horizontal: true}", "training.augmentation: unknown key 'horizontal'; did you mean 'horizontal_flip'"),
        (
            "{brightness: 1}",
            "training.augmentation.brightness: expected a number of at least 0 and below 1, got 1",
        ),
        (
            "{horizontal_flip: yes}",
            "training.augmentation.horizontal_flip: expected true or false, got 'yes'; write true",
        ),
        ("flip", "training.augmentation: expected a mapping with keys such as horizontal_flip,"),
    ],
)
def test_augmentation_that_cannot_be_is_told(tmp_path, augmentation, told):
    path = tmp_path / "a.yaml"
    path.write_text(AUGMENTED.format(augmentation=augmentation), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}:4:")
    assert told in str(caught.value)


@pytest.mark.parametrize("augmentation", ["", "{}", "{crop: 19, cutout: 19, rotation: 180, contrast: 0.99}"])
def test_augmentation_that_can_be_is_accepted(tmp_path, augmentation):
    path = tmp_path / "a.yaml"
    path.write_text(AUGMENTED.format(augmentation=augmentation), encoding="utf-8")
    assert load_config(path, ["training.augmentation.horizontal_flip=true"]).training.augmentation.horizontal_flip
