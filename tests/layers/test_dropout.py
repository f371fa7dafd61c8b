"""Dropout: how much is left out, that nothing is in use, and that a mask belongs to its sample and epoch."""

import math

import numpy as np
import pytest

from cnntrain.layers.dropout import DROPOUT, Dropout
from cnntrain.network.workspaces import MicroBatchWorkspace
from cnntrain.ops.phases import in_phases, phases


def mask_of(layer, epoch, samples, dtype="float64"):
    """The output for a micro-batch of ones."""
    memory = MicroBatchWorkspace([layer], len(samples), dtype)
    memory.sample_ids.epoch, memory.sample_ids.samples = epoch, np.array(samples)
    memory.x.fill(1)
    return layer.forward(memory.x, memory.caches[0]).copy()


def layer_of(rate, shape=(5, 4, 3), index=2, seed=7):
    return Dropout(index, shape, rate, seed)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_the_share_that_is_left_out_and_the_scale_of_the_rest(rate):
    mask = mask_of(layer_of(rate, (20, 10, 10)), 1, range(30))
    assert np.mean(mask == 0) == pytest.approx(rate, abs=0.01)
    assert np.unique(mask[mask != 0]) == pytest.approx(1 / (1 - rate), rel=1e-3)
    assert mask.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("rate", [0.0, 0.25])
def test_the_least_bits_that_stay_are_those_of_the_rate(rate, monkeypatch):
    layer, limit = layer_of(rate, (7,)), round(rate * 2**16)
    drawn = np.array([0, limit, limit + 1, 2**16 - 1, max(limit - 1, 0), limit, 1, 0], np.uint16)

    def words(ids, out):
        out[...] = drawn.view(np.uint64)

    monkeypatch.setattr(layer.rng, "words", words)
    kept = mask_of(layer, 1, [0]) != 0
    assert kept[:, 0].tolist() == (drawn[:7] >= limit).tolist()
    assert kept.all() == (rate == 0)


@pytest.mark.parametrize("shape", [(7,), (5, 4, 3), (3, 2, 12), (3, 2, 18)])
def test_the_mask_is_that_of_each_sample_drawn_alone(shape):
    """16 bits a value in the order (H, C, W), however memory orders the columns.

    The numbers of Philox with the counter (0, sample, epoch, 0).
    """
    layer, samples, values = layer_of(0.3, shape), [9, 0, 250], math.prod(shape)
    together = mask_of(layer, 3, samples)
    key = np.random.SeedSequence(7, spawn_key=(DROPOUT, 2)).generate_state(2, np.uint64)
    for i, sample in enumerate(samples):
        raw = np.random.Philox(key=key, counter=[0, sample, 3, 0]).random_raw(-(-values // 4))
        kept = raw.view(np.uint16)[:values].reshape(*shape, 1) >= round(0.3 * 2**16)
        kept = in_phases(kept, phases(shape[2]))[..., 0] if len(shape) == 3 else kept[..., 0]
        np.testing.assert_array_equal(together[..., i] != 0, kept)


def test_a_rate_just_below_one_is_finite():
    assert np.isfinite(mask_of(layer_of(0.999999999), 1, range(8))).all()


def test_the_mask_of_a_sample_does_not_depend_on_its_slice():
    layer = layer_of(0.4)
    together = mask_of(layer, 3, [9, 0, 250, 4])
    apart = np.concatenate(
        [mask_of(layer_of(0.4), 3, [9]), mask_of(layer, 3, [0, 250]), mask_of(layer, 3, [4])], axis=-1
    )
    np.testing.assert_array_equal(together, apart)
    np.testing.assert_array_equal(together[..., [3, 1]], mask_of(layer, 3, [4, 0]))


def test_samples_iterations_layers_and_seeds_have_masks_of_their_own():
    masks = [
        mask_of(layer_of(0.5, index=index, seed=seed), epoch, [sample]).tobytes()
        for index in (1, 2)
        for seed in (0, 1)
        for epoch in (1, 2)
        for sample in (0, 1)
    ]
    assert len(set(masks)) == 16


def test_a_vector_whose_size_is_no_multiple_of_four():
    mask = mask_of(layer_of(0.5, (7,)), 1, range(200), "float32")
    assert mask.shape == (7, 200)
    assert mask.dtype == np.float32
    np.testing.assert_allclose(mask.mean(axis=1), 1, atol=0.35)


def test_in_use_nothing_is_left_out():
    layer, x = layer_of(0.5), np.random.default_rng(0).normal(size=(5, 4, 3, 2))
    np.testing.assert_array_equal(layer.infer(x, layer.cache(2, "float64")), x)


def test_what_comes_in_is_left_as_it_is():
    """Others may still need it: an activation its a, for sigma'."""
    layer, x = layer_of(0.5), np.random.default_rng(0).normal(size=(5, 4, 3, 2))
    before = x.copy()
    layer.forward(x, layer.cache(2, "float64"))
    np.testing.assert_array_equal(x, before)
