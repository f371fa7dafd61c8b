import numpy as np
import pytest

from cnntrain.data import SOURCES, Preprocessing, load_data
from cnntrain.errors import DataError


def test_preprocessing_is_measured_on_the_samples_that_remain():
    data = load_data("digits", validation=0.25)
    assert (len(data.train), len(data.validation), len(data.test)) == (1078, 359, 360)
    assert data.preprocessing == Preprocessing.measure(data.train)
    assert data.preprocessing != load_data("digits").preprocessing


def test_without_standardising_pixels_stay_as_they_are():
    assert load_data("digits", standardize=False).preprocessing == Preprocessing((0.0,), (1.0,))


def test_the_same_seed_gives_the_same_data():
    first, second = load_data("digits", validation=0.1, seed=5), load_data("digits", validation=0.1, seed=5)
    np.testing.assert_array_equal(first.validation.images, second.validation.images)


def test_a_source_takes_its_own_keys(write_npz, labels):
    path = write_npz(images=np.zeros((10, 3, 7, 3), np.uint8), labels=labels)
    assert load_data("npz", path=path, layout="NHWC").input_shape == (3, 3, 7)


def test_a_source_that_is_not_known():
    with pytest.raises(DataError) as caught:
        load_data("mnits")
    assert str(caught.value) == f"data.source: there is no source 'mnits'; there are {', '.join(SOURCES)}"


def test_data_beyond_the_memory(monkeypatch, tmp_path):
    def load(path, scale):
        raise MemoryError

    monkeypatch.setitem(SOURCES, "npz", load)
    with pytest.raises(DataError) as caught:
        load_data("npz", path=tmp_path)
    assert str(caught.value) == f"{tmp_path}: the data do not fit into memory"
