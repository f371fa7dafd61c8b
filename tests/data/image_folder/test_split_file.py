"""split.csv: any names come back as they went."""

import os
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.data.image_folder import csv_rows, split_file
from cnntrain.data.image_folder.csv_rows import rows_of
from cnntrain.data.names import nfc
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


def test_more_names_than_are_possible(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_rows, "MAX_COUNT", 3)
    lines = [f"{i}.png,a,train\n" for i in range(4)]
    path = tmp_path / "split.csv"
    path.write_text("file,class,split\n" + "".join(lines[:3]))
    assert len(split_file.read(path)) == 3
    path.write_text("file,class,split\n" + "".join(lines))
    with pytest.raises(DataError, match=r"split\.csv: line 5 is too many: at most 3 rows are allowed"):
        split_file.read(path)


def test_a_line_without_end(tmp_path, memory_below, monkeypatch):
    monkeypatch.setattr(csv_rows, "MAX_BYTES", 6_000_000)
    path = tmp_path / "split.csv"
    path.write_bytes(b"file,class,split\n" + b"," * 5_000_000)
    with memory_below(25_000_000), pytest.raises(DataError, match="line 2 has more than 1,000,000 characters"):
        split_file.read(path)


def test_names_take_little_memory(tmp_path, memory_below, monkeypatch):
    monkeypatch.setattr(csv_rows, "MAX_BYTES", 1_000_000)
    path = tmp_path / "split.csv"
    path.write_text("file,class,split\n" + "".join(f"{i:x},cat,train\n" for i in range(50_000)))
    with memory_below(13_000_000):
        assert len(split_file.read(path)) == 50_000


def test_names_in_the_other_form_of_unicode(photos, tmp_path, Told):
    """A split file of another system names the same files."""
    folder = photos("r\u00f6t/gr\u00fcn.png", "r\u00f6t/2.png", "blau/1.png", "blau/2.png")
    first = Told(folder, test=0.5, validation=0.0)
    split_file.write(tmp_path / "split.csv", first.data)
    os.rename(folder / "r\u00f6t", folder / "ro\u0308t")
    os.rename(folder / "ro\u0308t" / "gr\u00fcn.png", folder / "ro\u0308t" / "gru\u0308n.png")
    assert split_file.matches(tmp_path / "split.csv", folder)
    again = Told(folder, split=tmp_path / "split.csv")
    assert again.notes == first.notes
    assert again.data.classes == first.data.classes == ("blau", "r\u00f6t")
    for split in ("train", "test"):
        assert list(map(nfc, again.names(split))) == list(first.names(split))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"a"b,c\n', "line 1 has text behind a closing quote"),
        ('"a,b\n', "line 1 is the last one, and a quote is not closed"),
        ("a," + "x" * 200_000 + "\n", "line 1 has a value of more than 131,072 characters"),
    ],
)
def test_malformed_rows_are_described_in_plain_words(tmp_path, text, words):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        list(rows_of(tmp_path / "s.csv", "split file"))
