"""`source: csv`: lines of a label and pixels."""

import gzip
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntrain.data import ProgressReporter, load_data
from cnntrain.data.formats import csv_file, csv_lines
from cnntrain.errors import DataError


@pytest.fixture
def table():
    """Labels 0..9 and nine pixels each."""
    rng = np.random.default_rng(0)
    return np.column_stack([np.arange(30) % 10, rng.integers(0, 256, (30, 9))])


def text_of(table, header=None, newline="\n"):
    lines = [",".join(map(str, row)) for row in table.tolist()]
    return newline.join([*([] if header is None else [header]), *lines]) + newline


HEADER = "label," + ",".join(f"pixel{i}" for i in range(9))


def check(path, table, **options):
    splits = csv_file.load(path, **options)
    np.testing.assert_array_equal(splits.train.images.reshape(len(table), -1), table[:, 1:])
    np.testing.assert_array_equal(splits.train.labels, table[:, 0])
    return splits


@pytest.mark.parametrize("header", [None, HEADER, HEADER.upper(), '"label",' + HEADER[6:]])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n\n", " \n"])
@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_forms_of_lines(tmp_path, table, header, newline, begin):
    (tmp_path / "a.csv").write_text(begin + text_of(table, header, newline), encoding="utf-8", newline="")
    splits = check(tmp_path / "a.csv", table)
    assert splits.train.images.shape == (30, 1, 3, 3)
    assert splits.train.images.dtype == np.uint8
    assert splits.classes == tuple("0123456789")


def test_without_a_newline_at_the_end_and_in_quotes(tmp_path, table):
    (tmp_path / "a.csv").write_text(text_of(table).rstrip("\n"))
    check(tmp_path / "a.csv", table)
    (tmp_path / "b.csv").write_text("\n".join(",".join(f'"{x}"' for x in row) for row in table.tolist()))
    check(tmp_path / "b.csv", table)


def test_gzipped_whatever_its_name(tmp_path, table):
    (tmp_path / "a.csv").write_bytes(gzip.compress(text_of(table, HEADER).encode()))
    check(tmp_path / "a.csv", table)


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_blocks_of_any_size(tmp_path, table, block, monkeypatch):
    monkeypatch.setattr(csv_lines, "BLOCK", block)
    (tmp_path / "a.csv").write_text(text_of(table, HEADER))
    check(tmp_path / "a.csv", table)


@pytest.mark.parametrize(
    ("header", "place", "label"),
    [
        ("a,b,c,Label,d", 3, None),
        ("a,b,c,d,e", 0, None),
        ("a,b,c,d,target", 4, None),
        ("a,b,c,d,e", 2, "c"),
        ("label,b,c,d,e", 4, -1),
        (None, 1, 1),
        (None, 4, -1),
        (None, 0, None),
    ],
)
def test_where_the_labels_are(tmp_path, header, place, label):
    labels, pixels = np.arange(8), np.random.default_rng(0).integers(100, 256, (8, 4))
    (tmp_path / "a.csv").write_text(text_of(np.insert(pixels, place, labels, axis=1), header))
    train = csv_file.load(tmp_path / "a.csv", label=label).train
    np.testing.assert_array_equal(train.labels, labels)
    np.testing.assert_array_equal(train.images.reshape(8, 4), pixels)


def test_a_shape(tmp_path):
    table = np.column_stack([np.arange(5), np.random.default_rng(0).integers(0, 256, (5, 24))])
    (tmp_path / "a.csv").write_text(text_of(table))
    assert check(tmp_path / "a.csv", table, shape=(3, 2, 4)).train.images.shape == (5, 3, 2, 4)
    for options, words in (({}, "24 pixels a line, which make no square"), ({"shape": (1, 5, 5)}, "has 25")):
        with pytest.raises(DataError, match=words):
            csv_file.load(tmp_path / "a.csv", **options)


def test_fractions(tmp_path, table, monkeypatch):
    monkeypatch.setattr(csv_lines, "BLOCK", 50)
    unit = np.column_stack([table[:, 0], np.rint(table[:, 1:] / 255 * 8) / 8])
    (tmp_path / "a.csv").write_text(text_of(unit))
    assert check(tmp_path / "a.csv", unit).train.images.dtype == np.float32


@pytest.mark.parametrize(
    ("train", "test"),
    [("train.csv", "test.csv"), ("mnist_train.csv.gz", "mnist_test.csv"), ("Train.CSV", "x-test.csv")],
)
def test_a_folder(tmp_path, table, train, test):
    content = text_of(table).encode()
    (tmp_path / train).write_bytes(gzip.compress(content) if train.endswith("gz") else content)
    (tmp_path / test).write_text(text_of(table[:7], HEADER))
    (tmp_path / "sample_submission.csv").write_text("id,label\n1,0\n")
    splits = check(tmp_path, table)
    np.testing.assert_array_equal(splits.test.images.reshape(7, 9), table[:7, 1:])


def test_kaggles_test_has_no_labels(tmp_path, table):
    (tmp_path / "train.csv").write_text(text_of(table, HEADER))
    (tmp_path / "test.csv").write_text(text_of(table[:, 1:], HEADER[6:]))
    notes = []
    data = load_data("csv", path=tmp_path, reporter=ProgressReporter(note=notes.append))
    assert data.test is None
    assert notes == [
        f"{tmp_path}/test.csv is not used: without labels it cannot be a test split; its header names pixel0, pixel1, "
        "pixel2, pixel3, ..., pixel7, pixel8, and no 'label' as that of train.csv does"
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "a.csv is empty"),
        ("\n \n", "a.csv is empty"),
        ("label,a\n", "holds a header, and no samples"),
        ("1,2\n3\n", "line 2 has 1 values, but the first line has 2"),
        ("a,b\n1,2\n\n3,4,5\n", "line 4 has 3 values"),
        ("1,2\n3,x\n", "line 2 holds 'x' in column 1"),
        ("1,2\n3,\n", "line 2 holds nothing in column 1"),
        ("1,2\n3,nan\n", "line 2 holds 'nan' in column 1"),
        ("1,2\n3,-inf\n", "line 2 holds '-inf'"),
        ("1,2\n3,1e999\n", "line 2 holds '1e999'"),
        ("1,2\n3,1_0\n", "line 2 holds '1_0'"),
        ("1,2\n3,0x1\n", "line 2 holds '0x1'"),
        ("1,2\n3,-4\n", "line 2 holds the pixel -4"),
        ("1,2\n3,256\n", "line 2 holds the pixel 256"),
        ("1,0.5\n3,4\n", "line 1 holds the pixel 0.5 and line 2 the pixel 4"),
        ("1\n3\n", "has one value a line; a label and pixels are needed, separated by commas, semicolons or tabs"),
        ("1 2 3 4 5\n3 4 5 6 7\n", "each line holds 5 values separated by blanks"),
        ("1.5,2\n", "label 1.5"),
        ("-1,2\n", "label -1"),
        ("70000,2\n", "label 70000"),
        ("1,2\n\0\n", "line 2 has 1 values"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, content, words):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match=words):
        csv_file.load(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("label", "header", "words"),
    [
        ("x", "a,b", "no column 'x'; its header names a, b"),
        ("x", None, "no header, and so no column 'x'"),
        (2, None, "has 2 columns, and so no column 2"),
        (-3, "a,b", "has 2 columns, and so no column -3"),
    ],
)
def test_labels_that_are_nowhere(tmp_path, label, header, words):
    (tmp_path / "a.csv").write_text(text_of(np.array([[1, 2], [3, 4]]), header))
    with pytest.raises(DataError, match=words):
        csv_file.load(tmp_path / "a.csv", label=label)


def test_folders_without_a_file_or_with_two(tmp_path, table):
    with pytest.raises(DataError, match="there is no such folder"):
        csv_file.load(tmp_path / "missing")
    with pytest.raises(DataError, match=r"no training samples; looked for train\.csv"):
        csv_file.load(tmp_path)
    for name in ("a_train.csv", "b_train.csv"):
        (tmp_path / name).write_text(text_of(table))
    with pytest.raises(DataError, match="only one can be the train split"):
        csv_file.load(tmp_path)


def test_damaged_gzip(tmp_path, table):
    packed = gzip.compress(text_of(table).encode())
    (tmp_path / "a.csv").write_bytes(packed[:-20])
    with pytest.raises(DataError, match="the gzip file is damaged"):
        csv_file.load(tmp_path / "a.csv")


def test_a_line_without_an_end(tmp_path, monkeypatch, memory_below):
    monkeypatch.setattr(csv_lines, "MAX_LINE", 1000)
    monkeypatch.setattr(csv_lines, "BLOCK", 100)
    (tmp_path / "a.csv").write_text("1,2\n" + "0," * 1_000_000)
    with memory_below(1 << 20), pytest.raises(DataError, match="line 2 is longer than 1,000 characters"):
        csv_file.load(tmp_path / "a.csv")


def test_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_lines, "TEXT_LIMIT_FROM", 1 << 20)
    (tmp_path / "a.csv").write_bytes(gzip.compress((b"0," * 500_000 + b"0\n") * 3))
    with pytest.raises(DataError, match="50 times as many, which no table of images does"):
        csv_file.load(tmp_path / "a.csv")


PIECES = st.sampled_from(
    ["0", "1", "255", "0.5", "-1", "nan", "1e3", "x", '"', '"3"', ",", ",", ",", "\n", "\n", "\r", " ", "\0", "é", "_"]
)


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=40), st.lists(PIECES, max_size=30).map(lambda parts: "".join(parts).encode())))
def test_any_bytes(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(content)
        try:
            train, test, classes, *_ = csv_file.load(path)
        except DataError:
            return
    assert test is None
    assert len(train.images) == len(train.labels) > 0
    assert train.images.shape[1] == 1
    assert 0 <= train.labels.min() <= train.labels.max() < len(classes)


def test_a_header_of_too_many_names(tmp_path, memory_below):
    (tmp_path / "a.csv").write_text(",".join(["ab"] * 2_000_000) + "\n1,2\n")
    with memory_below(40 << 20), pytest.raises(DataError, match="has 2,000,000 columns; at most 1,000,000 are read"):
        csv_file.load(tmp_path / "a.csv")


def test_a_packed_file_of_many_lines_is_refused_before_it_is_kept(tmp_path, monkeypatch, memory_below):
    monkeypatch.setattr(csv_lines, "TEXT_LIMIT_FROM", 1 << 20)
    (tmp_path / "a.csv").write_bytes(
        gzip.compress(b"label" + b",p" * 784 + b"\n" + (b"1" + b",0" * 784 + b"\n") * 20_000)
    )
    with memory_below(60 << 20), pytest.raises(DataError, match="50 times as many"):
        csv_file.load(tmp_path / "a.csv")


def test_labels_without_number(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "MAX_CLASSES", 100)
    (tmp_path / "a.csv").write_text("label,p0\n" + "".join(f"a{i},0\n" for i in range(101)))
    with pytest.raises(DataError, match=r"line 102 holds label number 101 in column 0 .*; 100 different ones at most"):
        csv_file.load(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("label,p0\ncat,0\n" + "a" * 300 + ",0\n")
    with pytest.raises(DataError, match="line 3 holds a label of 300 characters"):
        csv_file.load(tmp_path / "a.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes of a name")
def test_pipes_and_devices(tmp_path):
    os.mkfifo(tmp_path / "train.csv")
    for path in (tmp_path / "train.csv", Path("/dev/zero")):
        with pytest.raises(DataError, match="this is a pipe or a device, not a file"):
            csv_file.load(path)
