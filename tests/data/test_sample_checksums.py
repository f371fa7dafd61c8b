"""samples.npz: one checksum a sample, whatever the names of the classes; a damaged file is none."""

import io

import numpy as np
import pytest

from cnntrain.data import Data, Dataset, load_data, sample_checksums


def with_classes(data: Data, classes: tuple[str, ...]) -> Data:
    return Data(data.train, data.validation, data.test, classes, data.preprocessing)


@pytest.mark.parametrize("name", ["a\nb", "\udcff", "猫", "<b>"])
def test_what_is_written_is_read(tmp_path, name):
    data = load_data("digits", validation=0.1)
    classes = (name, *data.classes[1:])
    sample_checksums.write(tmp_path / "samples.npz", with_classes(data, classes))
    found, splits = sample_checksums.read(tmp_path / "samples.npz") or ([], {})
    assert found == list(classes)
    assert set(splits) == {"train", "validation", "test"}
    for split, dataset in data.splits().items():
        assert np.array_equal(splits[split].labels, dataset.labels)
        assert np.array_equal(splits[split].checksums, sample_checksums.checksums(dataset))


def test_one_pixel_changes_the_checksum_of_its_sample_only():
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 5, 7), dtype=np.uint8)
    before = sample_checksums.checksums(Dataset(images, np.zeros(40, int)))
    images[11, 2, 4, 6] ^= 1
    after = sample_checksums.checksums(Dataset(images, np.zeros(40, int)))
    assert np.flatnonzero(before != after).tolist() == [11]


@pytest.mark.parametrize(
    "change",
    [
        {"train_labels": np.array([7])},
        {"train_labels": np.array([0, 0])},
        {"train_labels": np.array([0.5])},
        {"train_checksums": np.array([[1]], np.uint32)},
        {"classes": np.frombuffer(b"3", np.uint8)},
        {"classes": np.array([object()])},
    ],
)
def test_a_file_with_other_contents_is_none(tmp_path, change):
    arrays = {
        "classes": np.frombuffer(b'["a"]', np.uint8),
        "train_labels": np.array([0]),
        "train_checksums": np.array([1], np.uint32),
    }
    path = tmp_path / "samples.npz"
    np.savez(path, **arrays)
    assert sample_checksums.read(path) is not None
    content = io.BytesIO()
    np.savez(content, **(arrays | change))
    path.write_bytes(content.getvalue())
    assert sample_checksums.read(path) is None


def test_large_data_leave_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(sample_checksums, "MAX_BYTES", 1000)
    sample_checksums.write(tmp_path / "samples.npz", load_data("digits"))
    assert list(tmp_path.iterdir()) == []
