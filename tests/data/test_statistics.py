import numpy as np
import pytest
from PIL import Image

from cnntrain.data import Data, Dataset, Preprocessing, load_data
from cnntrain.data.statistics import describe_data, image_sizes


def test_the_digits():
    found = describe_data(load_data("digits", validation=0.1))
    assert found["samples"] == {"train": 1293, "validation": 144, "test": 360}
    assert found["image_shape"] == [1, 8, 8]
    assert found["pixels"] == "uint8"
    assert found["mean"] == pytest.approx([0.305], abs=0.002)
    assert found["std"] == pytest.approx([0.376], abs=0.002)
    assert found["classes"][3] == {"name": "3", "train": 131, "validation": 15, "test": 37}
    for split, total in found["samples"].items():
        assert sum(row[split] for row in found["classes"]) == total


def test_splits_that_are_not_there_and_channels_that_are_constant():
    images = np.zeros((4, 2, 3, 3), np.float32)
    images[:2, 0] = 1
    train = Dataset(images, np.array([0, 0, 2, 0]))
    found = describe_data(Data(train, None, None, ("a", "b", "c"), Preprocessing.none(2)))
    assert found["samples"] == {"train": 4, "validation": None, "test": None}
    assert [row["train"] for row in found["classes"]] == [3, 0, 1]
    assert found["classes"][0]["test"] is None
    assert found["mean"] == [0.5, 0.0]
    assert found["std"] == [0.5, 0.0]


def test_the_sizes_of_picture_files(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNTRAIN_CACHE", str(tmp_path / ".cache"))
    for i, (W, H) in enumerate([(10, 20), (30, 30), (40, 20), (8, 9), (50, 60)]):
        folder = tmp_path / "ab"[i % 2]
        folder.mkdir(exist_ok=True)
        Image.new("RGB", (W, H), (i, 0, 0)).save(folder / f"{i}.png")
    data = load_data("images", path=tmp_path, test=0.2, validation=0.2)
    expected = {"smallest": [9, 8], "median": [20, 30], "largest": [60, 50], "files": 5}
    assert image_sizes(data, tmp_path) == expected
    assert image_sizes(load_data("digits"), tmp_path) is None
