"""A key without a value is an error in every section and command, unless null means something for that key."""

import pytest

from cnntrain.config import load_config
from cnntrain.config.schema.augmentation import AugmentationOptions
from cnntrain.config.schema.config import SOURCES
from cnntrain.config.schema.entries import OPTIONS
from cnntrain.config.schema.training import TrainingOptions
from cnntrain.errors import ConfigError

NETWORK = "network: {input: [1, 28, 28], layers: [fc: {units: 10, activation: softmax}]}\n"
WITHOUT = {"class_weights", "warmup", "step_every", "augmentation"}
"""Keys of ``training`` for which null means something: the default, that is to have none, or all defaults."""


@pytest.mark.parametrize("key", [*TrainingOptions.model_fields, *TrainingOptions.long_names])
def test_a_known_key_of_training_without_a_value(load, faults, key):
    text = f"{NETWORK}training:\n  {key}:\n"
    if key in WITHOUT:
        assert load(text).training == TrainingOptions(loss="cross_entropy")
    else:
        (told,) = faults(text)
        assert told.startswith(f"a.yaml:3:{len(key) + 4}: training.{key}: expected ")
        assert told.endswith(", got nothing")


@pytest.mark.parametrize("null", ["null", "~", "Null"])
@pytest.mark.parametrize("key", sorted(set(TrainingOptions.model_fields) - WITHOUT))
def test_a_null_is_refused_as_an_override_too(faults, key, null):
    (told,) = faults(f"{NETWORK}training: {{Max: 30}}\n", f"training.{key}={null}")
    assert told.startswith(f"override training.{key}={null}: training.{key}: expected ")


@pytest.mark.parametrize("key", AugmentationOptions.model_fields)
def test_augmentation_without_a_value(faults, key):
    (told,) = faults(f"{NETWORK}training: {{augmentation: {{{key}: }}}}")
    assert ": training.augmentation." + key in told


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("alpha:0.5", "unknown key 'alpha:0.5'; a ':' needs a space after it"),
        ("alpha:\u00a00.5", "unknown key 'alpha:\\xa00.5' (U+00A0 NO-BREAK SPACE); a ':' needs a space after it"),
        ("alpha\uff1a0.5", "unknown key 'alpha：0.5' (U+FF1A FULLWIDTH COLON); write 'alpha: VALUE'"),
        ("l2=0.01", "unknown key 'l2=0.01'; write 'l2: VALUE'"),
        ("lr=0.01", "unknown key 'lr=0.01'; write 'alpha: VALUE'"),
        ("nesterov_", "unknown key 'nesterov_'; did you mean 'nesterov'?"),
        ("alhpa: ", "unknown key 'alhpa'; did you mean 'alpha'?"),
        ("lr:", "unknown key 'lr'; did you mean 'alpha'?"),
    ],
)
def test_what_is_no_key_of_training_is_found_though_it_has_no_value(training_faults, written, message):
    assert training_faults(f"{{Max: 2, {written}}}") == [f"a.yaml:2:20: training: {message}"]


def test_a_misspelt_key_whose_value_is_commented_out(faults):
    told = faults(f"{NETWORK}training:\n  Max: 2\n  bogus:   # 0.01\n")
    assert told[0].startswith("a.yaml:4:3: training: unknown key 'bogus'; known here: alpha (learning_rate, α), Max")


EVERY_KEY = [
    *(f"training.{key}" for key in [*TrainingOptions.model_fields, *TrainingOptions.long_names, "bogus"]),
    *(f"training.augmentation.{key}" for key in AugmentationOptions.model_fields),
    *(f"data.{key}" for key in dict.fromkeys(key for options in SOURCES.values() for key in options.model_fields)),
    *(
        f"network.layers.{place}.{kind}.{key}"
        for place, kind in enumerate(OPTIONS)
        for key in OPTIONS[kind].model_fields
    ),
    *("network.input", "network.input.0", "network.layers", "network.layers.0", "network.layers.0.conv"),
    *("training", "data", "network", "training.augmentation", "bogus"),
]
LITERAL = ("data.path", "data.split", "data.labels", "data.label", "data.group", "training.tensorboard")
LAYERS = "[conv: {K: 1, F: 1}, pool: {k: 1, type: max}, fc: {units: 9}, batch_norm: , dropout: , fc: {units: 9}]"


@pytest.mark.parametrize("key", EVERY_KEY)
def test_an_override_without_a_value_is_an_error(faults, key):
    text = f"data: {{source: images, path: x}}\nnetwork: {{input: [1, 9, 9], layers: {LAYERS}}}"
    for nothing in [""] if key in LITERAL else ["", "   # x"]:
        told = faults(text, f"{key}={nothing}")
        assert any(line.startswith(f"override {key}={nothing}: ") for line in told)


def test_nothing_downloads_and_nothing_draws_a_new_split(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(f"data: {{source: mnist, path: x}}\n{NETWORK}")
    with pytest.raises(ConfigError, match=r"override data\.path=: data\.path: expected text, got nothing"):
        load_config(path, ["data.path="])
