"""Which losses may be compared: those of the weights, and what training alone does."""

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
        ([], {"l2": 0.1, "optimizer": "adamw", "weight_decay": 0.1}, ()),  # penalties are in no loss that is shown
        ([{"dropout": {}}], {"label_smoothing": 0.1}, ("dropout", "label smoothing")),
    ],
)
def test_what_makes_the_training_loss_another_measure_is_named(make_config, layers, training, names):
    assert only_in_training(make_config([*layers, SOFTMAX], (1, 4, 4), **training)) == names
