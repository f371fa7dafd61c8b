"""Mixup and cutmix: images, labels and shares that belong together, the loss of mixed labels, and whole trainings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnntrain
from cnntrain.builder import build
from cnntrain.config import config_from_dict, load_config
from cnntrain.config.schema.augmentation import AugmentationOptions
from cnntrain.data.mixing import Mixing, rectangle
from cnntrain.errors import ConfigError
from cnntrain.ops.counter_rng import SampleIds
from cnntrain.types import MixedLabels


def mix(pixels, labels, samples, epoch=1, seed=0, **options):
    ids = SampleIds(epoch, np.asarray(samples))
    return Mixing(AugmentationOptions(**options), seed)(pixels, np.asarray(labels), ids)


def constant_images(n, dtype="float32", side=12):
    """Image i has all pixels at i / n, and label i."""
    values = np.arange(n) / n
    pixels = np.broadcast_to(values[:, None, None, None], (n, 3, side, side))
    return np.rint(pixels * 255).astype(np.uint8) if dtype == "uint8" else pixels.astype(np.float32)


@pytest.mark.parametrize("options", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 1.0, "cutmix": 1.0}])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_shares_of_labels_are_shares_of_pixels(options, dtype):
    n, white = 16, 1 if dtype == "float32" else 255
    pixels = constant_images(n, dtype)
    mixed, (first, second, share) = mix(pixels, range(n), range(n), **options)
    assert mixed.dtype == pixels.dtype
    assert (first == np.arange(n)).all()
    assert (second != first).all()
    assert ((share >= 0) & (share <= 1)).all()
    expected = white * (share * first + (1 - share) * second) / n
    np.testing.assert_allclose(mixed.mean(axis=(1, 2, 3)), expected, atol=1e-6 if dtype == "float32" else 1.01)
    assert (pixels == constant_images(n, dtype)).all()


def test_cutmix_pastes_a_rectangle_and_mixup_blends():
    pixels = constant_images(8)
    assert all(len(np.unique(image)) <= 2 for image in mix(pixels, range(8), range(8), cutmix=1.0)[0])
    assert all(len(np.unique(image)) == 1 for image in mix(pixels, range(8), range(8), mixup=1.0)[0])
    kinds = [len(np.unique(image)) for image in mix(pixels, range(8), range(8), mixup=1.0, cutmix=1.0)[0]]
    assert set(kinds) == {1, 2}


def test_epoch_seed_and_sample_decide():
    pixels = constant_images(8)
    same = [mix(pixels, range(8), range(8), mixup=1.0).__getitem__(0) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    for other in ({"epoch": 2}, {"seed": 1}, {"samples": range(8, 16)}):
        arguments = {"samples": range(8), "mixup": 1.0} | other
        assert (mix(pixels, range(8), **arguments)[0] != same[0]).any()


def test_a_sample_alone_stays_as_it_is():
    pixels = constant_images(2)[1:]
    mixed, labels = mix(pixels, [3], [5], mixup=1.0)
    assert (mixed == pixels).all()
    assert labels.share.tolist() == [1.0]


def test_beta_of_one_gives_uniform_shares():
    n = 2000
    shares = mix(np.zeros((n, 1, 1, 1), np.float32), np.zeros(n, np.int64), range(n), mixup=1.0)[1].share
    assert np.abs(np.histogram(shares, 4, (0, 1))[0] / n - 0.25).max() < 0.04


@given(st.floats(0, 1), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True), st.integers(1, 30))
def test_a_pasted_rectangle_is_inside(side, u, v, size):
    rows, columns = rectangle(side, u, v, size, 2 * size)
    assert 0 <= rows.start <= rows.stop <= size
    assert 0 <= columns.start <= columns.stop <= 2 * size


NETWORK = {"network": {"input": [1, 4, 4], "layers": [{"fc": {"units": 3, "activation": "softmax"}}]}}


@pytest.mark.parametrize(
    "training", [{}, {"label_smoothing": 0.1}, {"class_weights": [1, 2, 0.5]}, {"loss": "mse"}], ids=str
)
def test_the_loss_of_mixed_labels_and_its_delta(training):
    network = build(config_from_dict(NETWORK | {"training": {"dtype": "float64", **training}}, "test"))
    rng = np.random.default_rng(0)
    z, share = rng.normal(size=(3, 5)), rng.random(5)
    first, second = rng.integers(0, 3, (2, 5))
    loss, correct, delta = network.compute_loss(z, MixedLabels(first, second, share), network.training_loss)
    total = sum(
        s * network.compute_loss(z[:, [i]], first[[i]], network.training_loss)[0]
        + (1 - s) * network.compute_loss(z[:, [i]], second[[i]], network.training_loss)[0]
        for i, s in enumerate(share)
    )
    assert loss == pytest.approx(total, rel=1e-12)
    assert correct == (z.argmax(axis=0) == np.where(share < 0.5, second, first)).sum()
    h, numeric = 1e-5, np.empty_like(z)
    for index in np.ndindex(*z.shape):
        ends = []
        for sign in (1, -1):
            moved = z.copy()
            moved[index] += sign * h
            ends.append(network.compute_loss(moved, MixedLabels(first, second, share), network.training_loss)[0])
        numeric[index] = (ends[0] - ends[1]) / (2 * h)
    np.testing.assert_allclose(delta, numeric, rtol=1e-7, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["mixup", "cutmix"])
def test_a_run_has_the_same_bits_on_two_workers(tmp_path, key):
    words = ["training.Max=1", f"training.augmentation.{key}=0.4", "data.validation=0", "training.batch_size=256"]
    files = []
    for workers in (1, 2):
        run = tmp_path / str(workers)
        cnntrain.train(load_config("digits", [*words, f"training.workers={workers}"]), out=run, plots=False)
        files.append((run / "weights.safetensors").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["training.augmentation.mixup=0.2", "training.batch_size=1"], "mixup mixes two samples of a batch, and"),
        (["training.augmentation.hue=0.2"], "hue changes colors, and the images are gray; leave it out"),
        (
            ["training.augmentation.hue=0.6"],
            "training.augmentation.hue: expected a number of at least 0 and at most 0.5, got",
        ),
        (["training.augmentation.mixup=-1"], "training.augmentation.mixup: expected a number of at least 0, got -1"),
    ],
)
def test_what_does_not_apply_is_refused(tmp_path, words, message):
    with pytest.raises((ConfigError, cnntrain.errors.ShapeError), match=message):
        cnntrain.train(load_config("digits", words), out=tmp_path / "run", plots=False)
