"""split.csv: any names come back as they went."""

import os
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.data.pictures import split_file
from cnntrain.errors import DataError

NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name).map(os.fsdecode)
WORDS = st.sampled_from(
    ["train", "validation", "test", "a/1.png", "x", ",", ",", "\n", '"', "\r", "\0", "é", "file,class,split\n"]
)


def data_of(names):
    """A training set of all names but the last two, which are for validation and test."""
    everything = Dataset(np.zeros((len(names), 1, 1, 1), np.uint8), np.arange(len(names)) % 2, None, tuple(names))
    limits = [0, len(names) - 2, len(names) - 1, len(names)]
    parts = [everything.take(np.arange(*pair)) for pair in pairwise(limits)]
    return Data(*parts, ("cat, black", 'the "dog"'), Preprocessing.none(1))


@given(st.lists(NAMES, min_size=3, max_size=6, unique=True))
def test_any_names_survive(names):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "split.csv"
        data = data_of(names)
        split_file.write(path, data)
        found = split_file.read(path)
        assert found == {
            name: (data.classes[label], split)
            for split, dataset in data.splits().items()
            for name, label in zip(dataset.names, dataset.labels, strict=True)
        }


def test_samples_without_files_leave_no_file(tmp_path):
    data = data_of(["a", "b", "c"])
    nameless = Dataset(data.train.images, data.train.labels)
    split_file.write(tmp_path / "split.csv", Data(nameless, None, None, data.classes, data.preprocessing))
    assert not list(tmp_path.iterdir())


@given(st.one_of(st.binary(max_size=60), st.lists(WORDS, max_size=12).map(lambda words: "".join(words).encode())))
def test_any_bytes_are_read_or_told(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "split.csv"
        path.write_bytes(content)
        try:
            found = split_file.read(path)
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017
            return
        assert "train" in {split for _, split in found.values()}
