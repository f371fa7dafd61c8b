"""What is noted of each sample is what the network says of it."""

from typing import NamedTuple

import numpy as np
import pytest

import cnntrain
from cnntrain.data import Dataset, Preprocessing
from cnntrain.evaluation.report import MAX_MISTAKES, evaluate_network

SOFTMAX = [{"fc": {"activation": "softmax"}}]
SIGMOID = [{"fc": {"units": 3, "activation": "sigmoid"}}]
IMAGE = [{"conv": {"K": 3, "F": 4}}, {"pool": {"k": 1, "type": "average"}}]
WIDE_IMAGE = [{"conv": {"K": 2, "F": 4}}]  # 2 x 1 x 2: four classes, numbered channel by channel
CASES = [
    pytest.param(SOFTMAX, "cross_entropy", id="logits"),
    pytest.param(SOFTMAX, "mse", id="softmax behind mse"),
    pytest.param(SIGMOID, "mse", id="sigmoid"),
    pytest.param(IMAGE, "mse", id="image"),
    pytest.param(WIDE_IMAGE, "mse", id="wide image"),
]


class Case(NamedTuple):
    network: object
    dataset: Dataset
    classes: tuple[str, ...]

    def evaluate(self):
        return evaluate_network(self.network, "test", self.dataset, Preprocessing.none(1), self.classes)


@pytest.fixture
def case(make_config):
    def make(layers, loss="cross_entropy", count=70):
        W = 5 if layers is WIDE_IMAGE else 4
        classes = 4 if layers is WIDE_IMAGE else 3
        layers = [{"fc": {"units": 3, "activation": "softmax"}}] if layers is SOFTMAX else layers
        network = cnntrain.build(make_config(layers, (1, 4, W), loss=loss, batch_size=16, dtype="float64"))
        rng = np.random.default_rng(0)
        images = rng.random((count, 1, 4, W)).astype(np.float32)
        return Case(network, Dataset(images, rng.integers(0, classes, count)), tuple("abcd"[:classes]))

    return make


@pytest.mark.parametrize(("layers", "loss"), CASES)
def test_answers_are_those_of_forward(case, layers, loss):
    network, dataset, _ = this = case(layers, loss)
    output = network.forward(dataset.images).reshape(len(dataset), -1)
    report = this.evaluate()
    predictions = report.predictions
    np.testing.assert_array_equal(predictions.predicted, output.argmax(axis=1))
    np.testing.assert_allclose(predictions.confidence, output.max(axis=1), rtol=1e-12)
    before = (output > output[np.arange(len(dataset)), dataset.labels][:, np.newaxis]).sum(axis=1)
    np.testing.assert_array_equal(predictions.rank, before)
    assert report.score.accuracy == (predictions.rank == 0).mean()
    assert predictions.are_probabilities == (layers is SOFTMAX)
    result = report.result()
    assert (result["calibration_error"] is not None) == (layers is SOFTMAX)
    assert np.trace(result["confusion"]) / len(dataset) == report.score.accuracy


@pytest.mark.parametrize(("layers", "loss"), CASES)
def test_mistakes_begin_with_the_most_confident(case, layers, loss):
    _, dataset, classes = this = case(layers, loss, count=90)
    report = this.evaluate()
    wrong = np.flatnonzero(report.predictions.predicted != dataset.labels)
    mistakes = report.result()["mistakes"]
    assert len(wrong) > len(mistakes) == MAX_MISTAKES
    outputs = [row["output"] for row in mistakes]
    assert outputs == sorted(report.predictions.confidence[wrong], reverse=True)[:MAX_MISTAKES]
    for row in mistakes:
        sample = row["sample"]
        assert row["true"] == classes[dataset.labels[sample]] != row["predicted"]
        assert row["predicted"] == classes[report.predictions.predicted[sample]]
        assert row["probability"] == (row["output"] if layers is SOFTMAX else None)
        assert row["file"] is None


def test_the_first_of_equal_outputs_comes_first(case):
    network, dataset, _ = this = case(SOFTMAX)
    network.set_parameters({name: np.zeros_like(value) for name, value in network.parameters().items()})
    predictions = this.evaluate().predictions
    assert not predictions.predicted.any()
    np.testing.assert_array_equal(predictions.rank, dataset.labels)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_outputs_that_overflow_give_no_calibration_and_no_warning(case, loss):
    network, dataset, _ = this = case(SOFTMAX, loss)
    network.set_parameters({name: np.full_like(value, 1e308) for name, value in network.parameters().items()})
    report = this.evaluate()
    assert not np.isfinite(report.score.loss)
    assert report.result()["calibration_error"] is None
    assert (report.predictions.rank >= dataset.labels).all()


def test_very_many_classes_get_no_matrix(case):
    network, dataset, _ = case(SOFTMAX)
    names = tuple(f"class {i}" for i in range(60_000))
    result = evaluate_network(network, "test", dataset, Preprocessing.none(1), names).result()
    assert result["confusion"] is None
    assert len(result["per_class"]) == 60_000
    assert result["confused"]
