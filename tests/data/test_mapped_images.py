"""Images on disk: what is read ahead, and that nothing is where they fit into memory."""

import mmap

import numpy as np
import pytest

from cnntrain.config import TrainingOptions
from cnntrain.data import Data, Dataset, Preprocessing, mapped_images
from cnntrain.data.mapped_images import MappedImages
from cnntrain.training.samples import TrainingSamples

pytestmark = pytest.mark.skipif(not hasattr(mmap, "MADV_RANDOM"), reason="this system takes no advice on mapped files")
SHAPE = (40, 3, 30, 31)
SIZE = 3 * 30 * 31
OFFSET = 4321
"""Of the images in the file; not at the beginning of a page."""


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)


@pytest.fixture
def images(tmp_path, pixels):
    path = tmp_path / "images"
    path.write_bytes(bytes(OFFSET) + pixels.tobytes())
    with path.open("rb") as file:
        return MappedImages.of(file, OFFSET, SHAPE)


@pytest.fixture
def advised(monkeypatch):
    """What the system is advised, as (advice, first byte, number of bytes) of the images."""
    calls = []
    advise = MappedImages._advise

    def recorded(self, *call):
        calls.append(call)
        advise(self, *call)

    monkeypatch.setattr(MappedImages, "_advise", recorded)
    return calls


def with_free_memory(monkeypatch, size):
    monkeypatch.setattr(mapped_images, "free_memory", lambda: size)


@pytest.mark.parametrize("free", [2 * 40 * SIZE, None])
def test_images_that_fit_into_memory_are_not_read_ahead(images, pixels, advised, monkeypatch, free):
    with_free_memory(monkeypatch, free)
    rows = np.array([7, 3, 39])
    assert np.array_equal(Dataset(images, np.zeros(40, np.int64)).gather(rows), pixels[rows])
    assert advised == []


def test_others_are_read_one_by_one_or_together_in_order(images, pixels, advised, monkeypatch):
    with_free_memory(monkeypatch, 2 * 40 * SIZE - 1)
    train = Dataset(images, np.zeros(20, np.int64), np.arange(0, 40, 2))
    for indices in ([19, 2], [3, 4, 5], []):
        assert np.array_equal(train.gather(np.array(indices, np.intp)), pixels[2 * np.array(indices, np.intp)])
    assert advised == [
        (mmap.MADV_RANDOM, 0, 40 * SIZE),
        (mmap.MADV_WILLNEED, 38 * SIZE, SIZE),
        (mmap.MADV_WILLNEED, 4 * SIZE, SIZE),
        (mmap.MADV_WILLNEED, 6 * SIZE, 10 * SIZE),
    ]


def test_what_is_read_ahead_is_limited(images, advised, monkeypatch):
    with_free_memory(monkeypatch, 0)
    monkeypatch.setattr(mapped_images, "MAX_AHEAD", 3 * SIZE)
    images.read_ahead(np.arange(40)[::-2])
    assert advised[1:] == [(mmap.MADV_WILLNEED, 35 * SIZE, 10 * SIZE)]


def test_a_batch_is_read_while_the_one_before_is_used(images, advised, monkeypatch):
    with_free_memory(monkeypatch, 0)
    data = Data(Dataset(images, np.zeros(40, np.int64)), None, None, ("a",), Preprocessing.none(3))
    batches = [np.array([0, 9]), np.array([30, 1]), np.array([20])]
    used = []
    for batch in TrainingSamples(data, TrainingOptions()).read_ahead(batches):
        used.append((batch.tolist(), sum(advice == mmap.MADV_WILLNEED for advice, *_ in advised)))
    assert used == [([0, 9], 4), ([30, 1], 5), ([20], 5)]
    assert list(TrainingSamples(data, TrainingOptions()).read_ahead([])) == []
