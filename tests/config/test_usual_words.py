"""Words of other tools lead to the right key, and advice is only given where it would be accepted."""

import pytest

from cnntrain.config.familiar_names import KEYS, LAYERS, OF_LAYERS, advice, sections
from cnntrain.config.fields import fits
from cnntrain.config.schema.config import SOURCES
from cnntrain.config.schema.entries import OPTIONS
from cnntrain.errors import ConfigError

NETWORK = "network: {input: [1, 28, 28], layers: [fc: {units: 10, activation: softmax}]}\n"


def test_every_word_means_a_key_there_is():
    known = {f"{name}.{key}" for name, model in sections() for key in model.model_fields}
    assert set(KEYS) <= known
    assert set(LAYERS) == set(OF_LAYERS) == set(OPTIONS)
    assert all(set(words) <= set(OPTIONS[kind].model_fields) for kind, words in OF_LAYERS.items())


def test_no_word_means_two_keys():
    words = [word for of_key in KEYS.values() for word in of_key.split()]
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("lr", "alpha"),
        ("learning-rate", "alpha"),
        ("LR", "alpha"),
        ("num_epochs", "Max"),
        ("early_stopping", "patience"),
        ("wd", "weight_decay"),
        ("num_workers", "workers"),
        ("batch", "batch_size"),
        ("random_state", "seed"),
        ("val_split", "data.validation"),
        ("imgsz", "data.size"),
        ("hflip", "training.augmentation.horizontal_flip"),
    ],
)
def test_a_usual_word_in_training(training_faults, faults, key, meant):
    (told,) = training_faults(f"{{{key}: 3}}")
    assert told == f"a.yaml:2:12: training: unknown key '{key}'; did you mean '{meant}'?"
    full = meant if "." in meant else f"training.{meant}"
    assert faults(NETWORK, f"{key}=3") == [f"override {key}=3: unknown key '{key}'; did you mean '{full}'?"]


def test_a_device_is_no_key(training_faults):
    told = training_faults("{device: cuda}")
    assert told == ["a.yaml:2:12: training: unknown key 'device'; cnntrain runs on the CPU; leave it out"]


@pytest.mark.parametrize(
    ("layer", "meant"),
    [
        ("conv2d: {}", ["conv"]),
        ("Dense: {}", ["fc"]),
        ("MaxPooling2D: {}", ["pool"]),
        ("BatchNormalization: ", ["batch_norm"]),
        ("conv: {out_channels: 3, kernel_size: 3}", ["K", "F"]),
        ("pool: {pool_size: 2, mode: max}", ["k", "type"]),
        ("dropout: {p: 0.5}", ["rate"]),
    ],
)
def test_a_usual_word_in_a_layer(faults, layer, meant):
    told = faults(f"network: {{input: [1, 9, 9], layers: [{layer}, fc: {{units: 2}}]}}")
    hints = [line.partition("did you mean '")[2].rstrip("'?") for line in told if "did you mean" in line]
    assert hints == meant


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--lr", "0.1", "write training.alpha=0.1"),
        ("--epochs", "5", "write training.Max=5"),
        ("--seed", "3", "write training.seed=3"),
        ("--batch-size", "all", "write training.batch_size=all"),
        ("--batch_size", "0", "write training.batch_size=VALUE"),
        ("--lr", None, "write training.alpha=VALUE"),
        ("--training.alpha", "0.1", "write training.alpha=0.1"),
        ("--data.path", "pics #1", "write 'data.path=pics #1'"),
        ("--imgsz", "[96, 96]", "write data.size=VALUE"),
        ("--device", "cpu", "cnntrain runs on the CPU; leave it out"),
        ("--bogus", "1", None),
        ("--training.bogus", "1", None),
    ],
)
def test_advice_for_an_option(option, value, told):
    assert advice(option, value) == told


NUMBERS = ['""', '"0"', '"1.5"', '"-1"', '"1"', "0.0", "-1.0", "1.0", "2.5", '"00"', '"1_0"', '" "', "'a'", '"007"']


@pytest.mark.parametrize("key", ["alpha", "Max", "epsilon", "batch_size", "momentum", "seed", "step_factor", "workers"])
@pytest.mark.parametrize("written", NUMBERS)
def test_what_is_advised_would_be_accepted(load, key, written):
    try:
        load(f"{NETWORK}training: {{{key}: {written}}}")
    except ConfigError as error:
        told = str(error)
        if "take the quotes away" in told:
            load(f"{NETWORK}training: {{{key}: {written.strip(chr(34))}}}")
        elif "; write " in told:
            load(f"{NETWORK}training: {{{key}: {told.partition('; write ')[2]}}}")


def test_letters_that_only_look_alike_are_named(faults):
    (told,) = faults("network: {input: [1, 9, 9], layers: [conv: {\u041a: 1, K: 1, F: 1}, fc: {units: 2}]}")
    assert told.endswith("layers[0].conv: unknown key '\u041a' (U+041A CYRILLIC CAPITAL LETTER KA); did you mean 'K'?")
    told = faults(f"{NETWORK}training: {{optimizer: \u0430dam, Max: \uff13}}")
    assert told[0].endswith("got '\u0430dam' (U+0430 CYRILLIC SMALL LETTER A); did you mean 'adam'?")
    assert told[1].endswith("got '\uff13' (U+FF13 FULLWIDTH DIGIT THREE)")


def test_what_fits_is_asked_of_the_schema():
    assert fits(SOURCES["images"], "size", [96, 96])
    assert not fits(SOURCES["images"], "size", [0, 96])
