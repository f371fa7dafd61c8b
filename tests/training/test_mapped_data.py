"""Images that stay in a file train to the same bits as images in memory, on any number of workers."""

import mmap
import os
import sys

import numpy as np
import pytest

from cnntrain.builder import build_for
from cnntrain.data import Data, Dataset, Preprocessing, mapped_images
from cnntrain.data.image_folder import cache_file
from cnntrain.errors import DataError
from cnntrain.training.batches import batches
from cnntrain.training.loop import LoopEnded, train_loop
from cnntrain.training.samples import TrainingSamples
from cnntrain.training.sharing import sample_arrays
from cnntrain.training.workers import process_group

LAYERS = [{"conv": {"K": 2, "F": 2, "activation": "relu"}}, {"fc": {"activation": "softmax"}}]


@pytest.fixture
def in_memory():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 3, 5, 4), np.uint8)
    return Dataset(images, np.arange(50) % 3, names=tuple(f"{i}.png" for i in range(50)))


@pytest.fixture
def mapped(in_memory, tmp_path):
    """The same samples, in another order in a file that holds more."""
    rows = np.random.default_rng(1).permutation(60)[:50]
    images = np.zeros((60, 3, 5, 4), np.uint8)
    images[rows] = in_memory.images
    np.save(tmp_path / "a.npy", images)
    return Dataset(np.load(tmp_path / "a.npy", mmap_mode="r"), in_memory.labels, rows, in_memory.names)


def data_of(dataset):
    train, held, test = (dataset.take(np.arange(*limits)) for limits in ((0, 30), (30, 38), (38, 50)))
    return Data(train, held, test, ("a", "b", "c"), Preprocessing.measure(train))


def trained(config, data, workers):
    network = build_for(config, data)
    with process_group(config, network, data, workers) as (comm, shared):
        assert shared.test.names == data.test.names
        *_, evaluated = train_loop(network, shared, config.training, comm)
    assert isinstance(evaluated, LoopEnded)
    return network.theta.tobytes(), evaluated.scores


def test_a_mapped_set_is_the_set_in_memory(in_memory, mapped):
    for indices in batches(50, 7, 0, 1):
        np.testing.assert_array_equal(mapped.gather(indices), in_memory.gather(indices))
    order = np.array([4, 9, 2])
    taken, expected = mapped.take(order), in_memory.take(order)
    assert taken.images is mapped.images  # nothing is copied
    np.testing.assert_array_equal(taken.take(np.array([2, 0])).gather(np.arange(2)), expected.images[[2, 0]])
    assert taken.take(np.array([2, 0])).names == ("2.png", "4.png")
    assert Preprocessing.measure(taken) == Preprocessing.measure(expected)


def test_the_bits_are_the_same(make_config, in_memory, mapped):
    config = make_config(LAYERS, (3, 5, 4), batch_size=8, Max=2)
    expected = trained(config, data_of(in_memory), 1)
    for workers in (1, 2):
        assert trained(config, data_of(mapped), workers) == expected


def test_workers_get_no_copy_of_what_lies_in_a_file(in_memory, mapped):
    assert "train.images" not in sample_arrays(data_of(mapped))
    assert "train.images" in sample_arrays(data_of(in_memory))


@pytest.fixture
def decoded(in_memory, tmp_path):
    """The same samples as the cache of decoded images has them; the file's name is taken away."""
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        writer = cache_file.Writer(file, in_memory.images.shape)
        writer.add(in_memory.images)
        writer.close(cache_file.DecodeReport([], []))
    images, _ = cache_file.read(path, in_memory.images.shape)
    path.unlink()
    return Dataset(images, in_memory.labels, np.arange(50), in_memory.names)


def test_no_name_is_needed_after_the_start(make_config, in_memory, decoded):
    config = make_config(LAYERS, (3, 5, 4), batch_size=8, Max=1)
    expected = trained(config, data_of(in_memory), 1)
    for workers in (1, 2, 2):  # as after a rollback
        assert trained(config, data_of(decoded), workers) == expected


@pytest.mark.skipif(not hasattr(mmap, "MADV_RANDOM"), reason="this system takes no advice on mapped files")
def test_reading_ahead_changes_no_bits_and_reads_each_batch_before_it_is_used(
    make_config, in_memory, decoded, monkeypatch
):
    config = make_config(LAYERS, (3, 5, 4), batch_size=8, Max=2)
    expected = trained(config, data_of(in_memory), 1)
    monkeypatch.setattr(mapped_images, "free_memory", lambda: 0)
    ahead, used, read_ahead, load = set(), [], Dataset.read_ahead, TrainingSamples.load

    def recorded(self, indices):
        ahead.update(indices.tolist())
        read_ahead(self, indices)

    def loaded(self, workspace, epoch, samples):
        used.append(ahead.issuperset(samples.tolist()))
        return load(self, workspace, epoch, samples)

    monkeypatch.setattr(Dataset, "read_ahead", recorded)
    monkeypatch.setattr(TrainingSamples, "load", loaded)
    assert trained(config, data_of(decoded), 1) == expected
    assert decoded.images.reads_ahead
    assert used
    assert all(used)


def test_another_file_under_the_name_is_not_read(make_config, in_memory, decoded, tmp_path):
    (tmp_path / "a.npy").write_bytes(b"something else")
    config = make_config(LAYERS, (3, 5, 4), batch_size=8, Max=1)
    assert trained(config, data_of(decoded), 2) == trained(config, data_of(in_memory), 1)


@pytest.mark.skipif(sys.platform != "linux", reason="opens a file by its descriptor")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_was_cut_off_is_said_before_it_is_read(make_config, decoded, workers):
    data = data_of(decoded)
    config = make_config(LAYERS, (3, 5, 4), batch_size=8, Max=1)
    network = build_for(config, data)
    os.truncate(f"/proc/self/fd/{decoded.images.descriptor}", 1000)
    with (
        pytest.raises(DataError, match="was truncated while in use"),
        process_group(config, network, data, workers),
    ):
        pass
