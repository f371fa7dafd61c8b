"""The fingerprint of data is the same for the same data, and another for any that differ."""

import json

import numpy as np
import pytest

from cnntrain.data import fingerprint as module
from cnntrain.data.dataset import Dataset
from cnntrain.data.fingerprint import differences, fingerprint
from cnntrain.data.preprocessing import Preprocessing
from cnntrain.data.splits import Data


@pytest.fixture
def make():
    def data(change=lambda images, labels: None, classes=("a", "b"), test=True, rows=None):
        rng = np.random.default_rng(0)
        images, labels = rng.integers(0, 255, (30, 1, 4, 4), dtype=np.uint8), np.arange(30) % 2
        change(images, labels)
        train = Dataset(images, labels, rows)
        return Data(train, None, train if test else None, classes, Preprocessing.none(1))

    return data


def test_the_same_data_have_the_same_fingerprint(make):
    assert differences(fingerprint(make()), fingerprint(make())) == []
    assert json.loads(json.dumps(fingerprint(make()))) == fingerprint(make())


def one_pixel(images, labels):
    images[29, 0, 3, 3] ^= 1


def one_label(images, labels):
    labels[7] ^= 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"change": one_pixel}, ["train images differ", "test images differ"]),
        ({"change": one_label}, ["train labels differ", "test labels differ"]),
        ({"classes": ("a", "c")}, ["classes differ"]),
        ({"test": False}, ["test samples: 30 then, none now"]),
    ],
)
def test_other_data_are_told(make, options, told):
    found = differences(fingerprint(make()), fingerprint(make(**options)))
    assert found[: len(told)] == told


def test_rows_in_another_order_are_other_data(make):
    turned = make(rows=np.arange(30)[::-1])
    assert differences(fingerprint(make(test=False)), fingerprint(turned))[0] == "train images differ"


def test_of_too_many_pixels_some_are_looked_at(make, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10 * 16)
    monkeypatch.setattr(module, "CHUNK", 3 * 16)

    def every_third(images, labels):
        images[::3] ^= 1

    def between(images, labels):
        images[1::3] ^= 1

    assert differences(fingerprint(make()), fingerprint(make(every_third)))
    assert not differences(fingerprint(make()), fingerprint(make(between)))
