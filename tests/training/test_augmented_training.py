"""Augmentation in a run: in training alone, and the same bits wherever and however often a batch is made."""

import numpy as np
import pytest

import cnntrain
from cnntrain.builder import load_config_data
from cnntrain.errors import DivergedError, ShapeError
from cnntrain.network.network import Network
from cnntrain.training import divergence
from cnntrain.training.fit import fit
from cnntrain.training.samples import TrainingSamples

LAYERS = [{"conv": {"K": 3, "F": 3, "activation": "relu"}}, {"fc": {"activation": "softmax"}}]
ALL = {
    "horizontal_flip": True,
    "vertical_flip": True,
    "crop": 2,
    "rotation": 15,
    "brightness": 0.2,
    "contrast": 0.2,
    "cutout": 3,
}


@pytest.fixture
def config(make_config):
    """Digits, with all that augmentation can do."""

    def make(**training):
        data = {"source": "digits", "validation": 0.2}
        return make_config(LAYERS, data=data, **({"augmentation": ALL, "Max": 2, "batch_size": 100} | training))

    return make


def weights(config, folder):
    for event in fit(config, folder, plots=False):
        last = event
    return (folder / "weights.safetensors").read_bytes(), last.result


@pytest.mark.slow
def test_augmented_runs_have_the_same_bits_on_any_number_of_workers(config, tmp_path):
    single, result = weights(config(workers=1), tmp_path / "1")
    for workers in (2, 3):
        others, same = weights(config(workers=workers), tmp_path / str(workers))
        assert (others == single, same["train"], same["test"]) == (True, result["train"], result["test"])
    assert weights(config(workers=1, augmentation={}), tmp_path / "plain")[0] != single


def test_judging_sees_the_images_as_they_are(config, tmp_path):
    settings = config(workers=1)
    _, result = weights(settings, tmp_path / "run")
    network, data = cnntrain.load(tmp_path / "run").network, load_config_data(settings)
    for split, dataset in data.splits().items():
        columns = np.empty((8, 1, 8, len(dataset)), np.float32)
        data.preprocessing.columns(dataset.images, columns)
        a = network.forward(columns.transpose(3, 1, 0, 2))
        loss = -np.log(a[np.arange(len(dataset)), dataset.labels]).mean()
        assert result[split]["loss"] == pytest.approx(loss, rel=1e-5)


def test_a_batch_can_be_made_again(config):
    """Whatever was made in between, and by another object, as another process has it."""
    settings = config()
    data, network = load_config_data(settings), cnntrain.build(settings)
    first, other = (TrainingSamples(data, settings.training) for _ in range(2))
    memory, samples = network.workspace(5), np.array([3, 1, 4, 15, 9])
    labels = first.load(memory, 7, samples)
    expected = memory.x.copy()
    np.testing.assert_array_equal(labels, data.train.labels[samples])
    first.load(memory, 8, samples)
    assert (memory.x != expected).any(axis=(0, 1, 2)).all()
    other.load(memory, 7, samples)
    np.testing.assert_array_equal(memory.x, expected)


def test_a_loss_that_is_not_finite_is_explained_on_the_images_that_made_it(config, tmp_path, monkeypatch):
    learned, explained = [], []
    forward_backward, first_nonfinite = Network.forward_backward, divergence.first_nonfinite

    def learning(self, memory, *args, **options):
        learned.append(memory.x.copy())
        return forward_backward(self, memory, *args, **options)

    def explaining(network, memory):
        explained.append(memory.x.copy())
        return first_nonfinite(network, memory)

    monkeypatch.setattr(Network, "forward_backward", learning)
    monkeypatch.setattr(divergence, "first_nonfinite", explaining)
    with pytest.raises(DivergedError):
        for _ in fit(config(workers=1, alpha=1e30, loss="mse"), tmp_path / "run", plots=False):
            pass
    assert explained
    assert any(np.array_equal(explained[0], x) for x in learned)


def test_what_is_too_large_for_the_datas_images_is_told_before_anything_is_written(config, tmp_path):
    with pytest.raises(ShapeError) as caught:
        list(fit(config(augmentation={"crop": 8, "cutout": 7, "rotation": 180}), tmp_path / "run", plots=False))
    assert str(caught.value) == (
        "a test: training.augmentation.crop: 8 does not fit images of 8 x 8: it must be smaller than 8"
    )
    assert not (tmp_path / "run").exists()
