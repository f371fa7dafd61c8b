"""Which options make training and validation loss incomparable."""

import pytest

from cnntrain.training.monitoring import only_in_training

SOFTMAX = {"fc": {"units": 3, "activation": "softmax"}}


@pytest.mark.parametrize(
    ("layers", "training", "names"),
    [
        ([], {}, ()),
        ([{"dropout": {"rate": 0.5}}], {}, ("dropout",)),
        ([{"dropout": {"rate": 0.0}}], {}, ()),
        ([], {"augmentation": {"crop": 1}}, ("augmentation",)),
        ([], {"label_smoothing": 0.1}, ("label smoothing",)),
        ([], {"class_weights": "balanced"}, ("class weights",)),
        ([], {"class_weights": [1, 2, 3]}, ("class weights",)),
        ([], {"l2": 0.1, "optimizer": "adamw", "weight_decay": 0.1}, ()),  # reported losses do not include penalties
        ([{"dropout": {}}], {"label_smoothing": 0.1}, ("dropout", "label smoothing")),
    ],
)
def test_options_that_only_affect_the_training_loss_are_named(make_config, layers, training, names):
    assert only_in_training(make_config([*layers, SOFTMAX], (1, 4, 4), **training)) == names
