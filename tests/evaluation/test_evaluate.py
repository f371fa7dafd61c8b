"""Saved weights give the very figures that the run ended with."""

import shutil

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import cnntrain
from cnntrain.errors import DataError, UsageError, WeightsError
from cnntrain.evaluation.evaluate import evaluate_saved
from cnntrain.network.array_layout import to_edge
from cnntrain.ops.phases import memory_shape


@pytest.fixture
def trained(tiny_config, record, tmp_path):
    return record(tiny_config(data={"validation": 0.25}), tmp_path / "run")


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_figures_of_a_run_are_reproduced_to_the_last_bit(trained, tmp_path, split):
    expected = {"split": split, **trained.result[split], "classes": ["0", "1", "2"]}
    result = cnntrain.evaluate(tmp_path / "run", split)
    assert {key: result[key] for key in expected} == expected


def test_test_split_is_the_default(trained, tmp_path):
    assert cnntrain.evaluate(str(tmp_path / "run")) == cnntrain.evaluate(tmp_path / "run", "test")


def test_a_weights_file_alone_is_enough(trained, tmp_path):
    shutil.copy(tmp_path / "run" / "best.safetensors", tmp_path / "alone.safetensors")
    best = min(trained.of("EpochEnded"), key=lambda event: event.validation_loss)
    result = cnntrain.evaluate(tmp_path / "alone.safetensors", "validation")
    assert (result["loss"], result["accuracy"]) == (best.validation_loss, best.validation_accuracy)


def test_figures_do_not_depend_on_the_threads_of_the_blas(make_config, record, tmp_path):
    layers = [{"fc": {"units": 300, "activation": "relu"}}, {"fc": {"activation": "softmax"}}]
    run = record(make_config(layers, data={"source": "digits"}, Max=1), tmp_path / "run")
    with threadpool_limits(limits=2, user_api="blas"):
        result = cnntrain.evaluate(tmp_path / "run")
    assert (result["loss"], result["accuracy"]) == (run.result["test"]["loss"], run.result["test"]["accuracy"])


NORMALIZED = [
    {"conv": {"K": 12, "F": 3, "P": 1}},
    {"batch_norm": {"activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"residual": {"layers": [{"conv": {"K": 16, "F": 3, "P": 1}}, {"batch_norm": {}}], "activation": "relu"}},
    {"fc": {"units": 16}},
    {"batch_norm": {"activation": "tanh"}},
    {"fc": {"activation": "softmax"}},
]


@pytest.mark.parametrize("workers", [1, 2])
def test_folded_layers_give_the_same_bits_everywhere(make_config, record, tmp_path, workers):
    """At the end of training, in ``evaluate``, in ``predict`` and in ``forward``."""
    config = make_config(NORMALIZED, data={"source": "digits"}, Max=2, batch_size=64, workers=workers)
    run = record(config, tmp_path / "run")
    result = cnntrain.evaluate(tmp_path / "run", "test")
    assert {key: result[key] for key in run.result["test"]} == run.result["test"]
    model, report = cnntrain.load(tmp_path / "run"), evaluate_saved(tmp_path / "run", "test")
    pixels = report.dataset.pixels(np.arange(len(report.dataset)))
    outputs = model.outputs(pixels)
    np.testing.assert_array_equal(outputs.max(axis=1), report.predictions.confidence)
    x = np.empty((*memory_shape(model.layers[0].in_shape), len(pixels)), "float32")
    model.preprocessing.columns(pixels, x)
    np.testing.assert_array_equal(model.forward(to_edge(x, model.layers[0].in_shape)), outputs)


def test_data_that_moved_can_be_named(trained, tiny, tmp_path):
    tiny.rename(tmp_path / "moved.npz")
    with pytest.raises(DataError):
        cnntrain.evaluate(tmp_path / "run")
    result = cnntrain.evaluate(tmp_path / "run", overrides=[f"data.path={tmp_path / 'moved.npz'}"])
    assert result["loss"] == trained.result["test"]["loss"]


def test_preprocessing_is_that_of_the_training_and_not_of_the_data(trained, tiny, tmp_path):
    """Other training images in the file: the test images are still seen as in training."""
    with np.load(tiny) as arrays:
        np.savez(tiny, **{**arrays, "x_train": arrays["x_train"] // 2})
    assert cnntrain.evaluate(tmp_path / "run")["loss"] == trained.result["test"]["loss"]


@pytest.mark.parametrize("split", ["validation", "all", ""])
def test_split_that_is_not_there_is_refused(tiny_config, record, tmp_path, split):
    record(tiny_config(), tmp_path / "run")
    with pytest.raises(UsageError) as caught:
        cnntrain.evaluate(tmp_path / "run", split)
    assert f"no {split} split, only train and test" in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "classes", "words"),
    [
        ((12, 6, 5), 3, ["(1, 5, 5)", "(1, 6, 5)"]),
        ((12, 5, 5), 4, ["3 classes", "4"]),
        ((120, 5, 5), 90, ["3 classes", "90", "..."]),
    ],
)
def test_data_of_another_kind_are_refused(trained, tmp_path, shape, classes, words):
    images = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    labels = np.arange(len(images)) % classes
    np.savez(tmp_path / "b.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    with pytest.raises(WeightsError) as caught:
        cnntrain.evaluate(tmp_path / "run", overrides=[f"data.path={tmp_path / 'b.npz'}"])
    assert [word for word in words if word not in str(caught.value)] == []
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
