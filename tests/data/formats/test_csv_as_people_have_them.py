"""CSV files as Kaggle, UCI, pandas, NumPy and spreadsheets have them: read right, or refused for the right reason."""

import numpy as np
import pytest

from cnntrain.data import ProgressReporter, load_data
from cnntrain.data.formats import csv_file
from cnntrain.data.formats.csv_images import read_images
from cnntrain.errors import DataError

N = 60
RNG = np.random.default_rng(0)
LABELS = np.arange(N) % 3
PIXELS = RNG.integers(0, 256, (N, 64))
PIXELS[:, [0, 63]] = 0  # black corners
PIXELS[::25, [0, 63]] = 12
NAMES = [f"pixel{i}" for i in range(64)]


def text(*columns, header=None, separator=","):
    rows = np.column_stack([np.asarray(column, object) for column in columns])
    lines = [separator.join(map(str, row)) for row in rows.tolist()]
    return "\n".join([*([] if header is None else [separator.join(map(str, header))]), *lines]) + "\n"


def mangled(row):
    """As pandas names columns by a row that is no header."""
    times, names = {}, []
    for value in map(str, row):
        times[value] = times.get(value, -1) + 1
        names.append(f"{value}.{times[value]}" if times[value] else value)
    return names


NO_FAMILY = ["a", *(f"{chr(97 + i // 8)}{chr(97 + i % 8)}" for i in range(64))]
RIGHT = {
    "digit recognizer": (text(LABELS, PIXELS, header=["label", *NAMES]), "column 0, 'label'"),
    "fashion": (text(LABELS, PIXELS, header=["label", *(f"pixel{i + 1}" for i in range(64))]), "column 0, 'label'"),
    "rows x columns": (
        text(LABELS, PIXELS, header=["label", *(f"{i // 8 + 1}x{i % 8 + 1}" for i in range(64))]),
        "column 0, 'label'",
    ),
    **{
        f"last, {name}": (text(PIXELS, LABELS, header=[*NAMES, name]), f"column 64, '{name}'")
        for name in ("digit", "y", "labels", "Class_ID", "emotion", "what it is")
    },
    "last, in the middle of odd names": (
        text(PIXELS, LABELS, header=[*NO_FAMILY[1:], "Target"]),
        "column 64, 'Target'",
    ),
    "no header": (text(LABELS, PIXELS), "column 0, the first"),
    "no header, last": (text(PIXELS, LABELS), "column 64, the last, as its values show"),
    "no header, sorted": (text(np.sort(LABELS), PIXELS), "column 0, the first"),
    "a frame without names": (text(LABELS, PIXELS, header=range(65)), "column 0, the first"),
    "a frame without names, last": (
        text(PIXELS, LABELS, header=range(65)),
        "column 64, the last, as its values show",
    ),
    "a frame without names, with its index": (
        text(range(N), LABELS, PIXELS, header=["", *range(65)]),
        "column 1, the first",
    ),
    "letters": (
        text(LABELS, PIXELS, header=["0", *(f"0.{i}" for i in range(1, 65))]),
        "column 0, '0'",
    ),
    "a row for a header": (text(LABELS, PIXELS, header=mangled([2, *([0, 0, 7, 7] * 16)])), "column 0, the first"),
    "pandas with its index": (text(range(N), LABELS, PIXELS, header=["", "label", *NAMES]), "column 1, 'label'"),
    "a shuffled index": (
        text(RNG.permutation(900)[:N], LABELS, PIXELS, header=["", "label", *NAMES]),
        "column 1, 'label'",
    ),
    "unnamed": (text(range(N), LABELS, PIXELS, header=["Unnamed: 0", "y", *NAMES]), "column 1, 'y'"),
    "an id": (text(range(1, N + 1), LABELS, PIXELS, header=["id", "label", *NAMES]), "column 1, 'label'"),
    "an id, last": (text(PIXELS, LABELS, range(N), header=[*NAMES, "species", "id"]), "column 64, 'species'"),
    "an index without a name that is the label": (text(LABELS, PIXELS, header=["", *NAMES]), "column 0, ''"),
    "no header, with an index": (text(range(N), LABELS, PIXELS), "column 1, the first"),
    "more columns": (
        text(LABELS, ["Training"] * N, PIXELS, header=["label", "Usage", *NAMES]),
        "column 0, 'label'",
    ),
    "impossible pixels": (text(LABELS + 300, PIXELS, header=[*NAMES, "pixel64"]), "column 0, 'pixel0'"),
    "comments": ("# made by me\n#\n" + text(LABELS, PIXELS, header=["label", *NAMES]), "column 0, 'label'"),
    "savetxt": ("# " + text(LABELS, PIXELS, header=["label", *NAMES]), "column 0, 'label'"),
    "trailing commas": (
        text(LABELS, PIXELS, header=["label", *NAMES]).replace("\n", ",\n"),
        "column 0, 'label'",
    ),
    "trailing commas below the header": (
        text(LABELS, PIXELS, header=["label", *NAMES]).replace("\n", ",\n").replace(",\n", "\n", 1),
        "column 0, 'label'",
    ),
    "semicolons": (text(LABELS, PIXELS, header=["label", *NAMES], separator=";"), "column 0, 'label'"),
    "sep=": ("sep=;\n" + text(LABELS, PIXELS, header=["label", *NAMES], separator=";"), "column 0, 'label'"),
    "tabs": (text(LABELS, PIXELS, separator="\t"), "column 0, the first"),
}


def check(splits, classes=("0", "1", "2")):
    images = splits.train.images.reshape(N, 64)
    np.testing.assert_array_equal(images, PIXELS)
    assert splits.classes == classes or splits.classes == ("300", "301", "302")


@pytest.mark.parametrize("name", RIGHT)
def test_read_right(tmp_path, name):
    content, labels = RIGHT[name]
    (tmp_path / "a.csv").write_text(content)
    splits = csv_file.load(tmp_path / "a.csv")
    assert f"labels: {labels}" in splits.choices
    check(splits)
    counted = "sorted" if "sorted" in name else LABELS
    if counted is LABELS:
        np.testing.assert_array_equal(splits.train.labels, LABELS)


@pytest.mark.parametrize("name", ["fashion", "comments", "trailing commas", "tabs"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("begin", "encoding"), [("", "utf-8"), ("\ufeff", "utf-8"), ("\ufeff", "utf-16-le"), ("\ufeff", "utf-16-be")]
)
def test_encodings_and_ends_of_lines(tmp_path, name, newline, begin, encoding):
    content = RIGHT[name][0].replace("\n", newline)
    (tmp_path / "a.csv").write_bytes((begin + content).encode(encoding))
    check(csv_file.load(tmp_path / "a.csv"))


def test_what_is_not_read_is_reported(tmp_path):
    (tmp_path / "a.csv").write_text(RIGHT["an id"][0])
    assert csv_file.load(tmp_path / "a.csv").choices[-1] == "not read: column 0, 'id'"
    (tmp_path / "a.csv").write_text(RIGHT["a frame without names"][0])
    assert csv_file.load(tmp_path / "a.csv").choices[0] == (
        "header: the first line, which only counts columns: 0, 1, 2, 3, ..., 63, 64"
    )


def test_a_hand_sign_set_without_one_letter(tmp_path):
    labels = np.array([i for i in range(25) if i != 9] * 3)[:N]
    pixels = RNG.integers(0, 256, (N, 64))
    (tmp_path / "sign_mnist_train.csv").write_text(text(labels, pixels))
    notes = []
    data = load_data("csv", path=tmp_path, reporter=ProgressReporter(note=notes.append))
    assert notes == ["1 of 25 classes has no training sample: 9"]
    assert data.choices == ("labels: column 0, the first",)


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_labels_that_are_text(tmp_path, separator, quote):
    words = np.array(["dog", "cat", "Grün"])[LABELS]
    quoted = [f"{quote}{word}{quote}" for word in words]
    for header in (None, ["species", *NAMES]):
        (tmp_path / "a.csv").write_text(text(quoted, PIXELS, header=header, separator=separator), encoding="utf-8")
        splits = csv_file.load(tmp_path / "a.csv")
        check(splits, ("Grün", "cat", "dog"))
        np.testing.assert_array_equal(np.array(splits.classes)[splits.train.labels], words)
    (tmp_path / "a.csv").write_text(text(PIXELS, quoted, separator=separator), encoding="utf-8")
    check(csv_file.load(tmp_path / "a.csv"), ("Grün", "cat", "dog"))


def test_a_separator_within_quotes(tmp_path):
    words = np.array(['"big, dog"', '"cat"', '"big, red cat"'])[LABELS]
    (tmp_path / "a.csv").write_text(text(words, PIXELS, header=["label", *NAMES]))
    check(csv_file.load(tmp_path / "a.csv"), ("big, dog", "big, red cat", "cat"))


WRONG = {
    "all named as pixels": (
        text(LABELS, PIXELS, header=[f"pixel{i}" for i in range(65)]),
        "all columns are named as pixels, pixel0, pixel1, pixel2, pixel3, ..., pixel63, pixel64; add data.label=COLUMN",
    ),
    "two that could be labels": (
        text(LABELS, LABELS, PIXELS, header=["fine", "coarse", *NAMES]),
        "the columns 'fine', 'coarse' could all hold the labels; add data.label=COLUMN",
    ),
    "a test file": (
        text(range(N), PIXELS, header=["id", *NAMES]),
        "no column holds labels: 'id' numbers the lines, and the others are named as pixels",
    ),
    "equally good": (
        text(LABELS, PIXELS[:, 1:63] % 17, LABELS[::-1]),
        "column 0 and column 63 could both hold the labels; add data.label=0 or data.label=63",
    ),
    "one label for all, without a header": (
        text([7] * N, RNG.integers(0, 256, (N, 64))),
        "column 0 and column 64 could both hold the labels; add data.label=0 or data.label=64",
    ),
    "one label for all, and few shades": (
        text([3] * N, RNG.integers(0, 9, (N, 64))),
        "column 0 and column 64 could both hold the labels; add data.label=0 or data.label=64",
    ),
    "UTF-8 names, and a label in Latin-1": (
        text([*LABELS[:-1], "\udce9t\udce9"], PIXELS, header=["label", *NAMES]),
        "line 61 holds a label in column 0 (counted from 0) that is not text in UTF-8; save the file as UTF-8",
    ),
    "pixels in one cell": (
        "emotion,pixels,Usage\n" + "0,70 80 82 72 58,Training\n" * 5,
        "column 1, 'pixels', holds 5 values separated by blanks; give each pixel a column of its own",
    ),
    "names of files": (
        "id,label\nimages/1.jpg,cat\nimages/2.jpg,dog\n",
        "column 0, 'id', holds names of image files, such as 'images/1.jpg'",
    ),
    "a column too many": (
        text(LABELS, PIXELS, [7] * N),
        "has 65 pixels a line, which make no square; is there a column",
    ),
    "a missing value in the first line": ("5,0,NA,0,0\n3,0,9,0,0\n", "line 1 holds 'NA' in column 2"),
    "a missing label": (
        text([*LABELS[:-1], ""], PIXELS, header=["label", *NAMES]),
        "line 61 holds nothing in column 0",
    ),
    "a label that is no number": (text([*LABELS[:-1], "nan"], PIXELS), "line 60 holds 'nan' in column 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_refused_for_the_right_reason(tmp_path, name):
    content, words = WRONG[name]
    (tmp_path / "a.csv").write_text(content, "utf-8", "surrogateescape")
    with pytest.raises(DataError) as caught:
        csv_file.load(tmp_path / "a.csv")
    assert words in str(caught.value)


def test_the_key_settles_it(tmp_path):
    (tmp_path / "a.csv").write_text(WRONG["all named as pixels"][0])
    check(csv_file.load(tmp_path / "a.csv", label="pixel0"))
    (tmp_path / "a.csv").write_text(WRONG["two that could be labels"][0])
    check(csv_file.load(tmp_path / "a.csv", label="coarse"))
    (tmp_path / "a.csv").write_text(RIGHT["no header, with an index"][0])
    check(csv_file.load(tmp_path / "a.csv", label=1))


def test_text_without_its_mark_and_bytes_that_are_no_text(tmp_path):
    content = text(LABELS, PIXELS, header=["label", *NAMES])
    (tmp_path / "a.csv").write_bytes(content.encode("utf-16-le"))
    with pytest.raises(DataError, match="is not text in UTF-8: it begins with 6c 00 61 00"):
        csv_file.load(tmp_path / "a.csv")


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-be"])
def test_utf_32(tmp_path, encoding):
    (tmp_path / "a.csv").write_bytes(("\ufeff" * (encoding == "utf-32-be") + "label,0\n1,2\n").encode(encoding))
    with pytest.raises(DataError, match="is text in UTF-32; save it as UTF-8"):
        csv_file.load(tmp_path / "a.csv")


def test_names_of_columns_in_latin_1(tmp_path):
    (tmp_path / "a.csv").write_bytes(text(LABELS, PIXELS, header=["étiquette", *NAMES]).encode("latin-1"))
    splits = csv_file.load(tmp_path / "a.csv")
    assert splits.choices == ("labels: column 0, 'étiquette'",)
    check(splits)
    check(csv_file.load(tmp_path / "a.csv", label="étiquette"))


def test_a_column_that_is_not_there_is_answered_by_the_first_and_last_names(tmp_path):
    (tmp_path / "a.csv").write_text(RIGHT["last, digit"][0])
    with pytest.raises(DataError, match=r"its header names pixel0, pixel1, pixel2, pixel3, \.\.\., pixel63, digit$"):
        csv_file.load(tmp_path / "a.csv", label="label")


@pytest.mark.parametrize("name", ["val.csv", "validation.csv", "x_valid.csv.csv", "mnist_dev.csv"])
def test_validation_files(tmp_path, name):
    name = name.replace(".csv.csv", ".csv")
    for file, count in (("train.csv", N), (name, 10), ("test.csv", 5)):
        (tmp_path / file).write_text(text(LABELS[:count], PIXELS[:count], header=["label", *NAMES]))
    data = load_data("csv", path=tmp_path)
    assert [len(data.train), len(data.validation), len(data.test)] == [N, 10, 5]
    assert data.choices[0] == f"splits: train.csv as train, {name} as validation, test.csv as test"


TEST_FILES = {
    "an id in place of the label": text(range(N), PIXELS, header=["id", *NAMES]),
    "no label": text(PIXELS, header=NAMES),
}


@pytest.mark.parametrize("name", TEST_FILES)
def test_a_test_file_without_labels_is_not_used(tmp_path, name):
    (tmp_path / "train.csv").write_text(text(LABELS, PIXELS, header=["label", *NAMES]))
    (tmp_path / "test.csv").write_text(TEST_FILES[name])
    notes = []
    data = load_data("csv", path=tmp_path, reporter=ProgressReporter(note=notes.append))
    assert data.test is None
    assert "test.csv is not used: without labels it cannot be a test split" in notes[0]


def test_columns_of_a_test_file_are_found_by_their_names(tmp_path):
    (tmp_path / "train.csv").write_text(text(LABELS, PIXELS, header=["label", *NAMES]))
    (tmp_path / "test.csv").write_text(text(range(N), PIXELS[:, ::-1], LABELS, header=["id", *NAMES[::-1], "label"]))
    test = csv_file.load(tmp_path).test
    np.testing.assert_array_equal(test.images.reshape(N, 64), PIXELS)
    np.testing.assert_array_equal(test.labels, LABELS)


@pytest.mark.parametrize("has_id", [False, True])
def test_pixels_of_a_test_file_in_another_order(tmp_path, has_id):
    (tmp_path / "train.csv").write_text(text(LABELS, PIXELS, header=["label", *NAMES]))
    order = RNG.permutation(64)
    columns, header = (LABELS, PIXELS[:, order]), ["label", *(NAMES[i] for i in order)]
    if has_id:
        columns, header = (range(N), *columns), ["id", *header]
    (tmp_path / "test.csv").write_text(text(*columns, header=header))
    test = csv_file.load(tmp_path).test
    np.testing.assert_array_equal(test.images.reshape(N, 64), PIXELS)
    np.testing.assert_array_equal(test.labels, LABELS)


TRAIN_FILES = {
    "header, first": (text(LABELS, PIXELS, header=["label", *NAMES]), 0),
    "first": (text(LABELS, PIXELS), 0),
    "last": (text(PIXELS, LABELS), 64),
}
HELD_OUT = RNG.permutation(N)[:40]


@pytest.mark.parametrize("name", TRAIN_FILES)
def test_labels_of_a_test_file_without_a_header_in_another_place(tmp_path, name):
    content, label = TRAIN_FILES[name]
    (tmp_path / "train.csv").write_text(content)
    columns = [PIXELS[HELD_OUT], LABELS[HELD_OUT]]
    (tmp_path / "test.csv").write_text(text(*(columns if label == 0 else columns[::-1])))
    with pytest.raises(DataError, match=f"labels in column {label}, but here column {64 - label} seems to hold them"):
        csv_file.load(tmp_path)
    (tmp_path / "test.csv").write_text(text(*(columns[::-1] if label == 0 else columns)))
    test = csv_file.load(tmp_path).test
    np.testing.assert_array_equal(test.images.reshape(-1, 64), PIXELS[HELD_OUT])
    np.testing.assert_array_equal(test.labels, LABELS[HELD_OUT])


def test_a_test_file_whose_header_alone_names_the_labels(tmp_path):
    (tmp_path / "train.csv").write_text(text(LABELS, PIXELS))
    (tmp_path / "test.csv").write_text(text(PIXELS, LABELS, header=[*NAMES, "label"]))
    test = csv_file.load(tmp_path).test
    np.testing.assert_array_equal(test.images.reshape(N, 64), PIXELS)
    np.testing.assert_array_equal(test.labels, LABELS)


def test_a_test_file_of_one_class(tmp_path):
    (tmp_path / "train.csv").write_text(text(LABELS, PIXELS))
    (tmp_path / "test.csv").write_text(text(LABELS[LABELS == 1], PIXELS[LABELS == 1]))
    assert set(csv_file.load(tmp_path).test.labels) == {1}


def test_the_number_of_columns_is_checked_before_the_pixels_are_read(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("the pixels are read")

    monkeypatch.setattr(csv_file.CsvText, "blocks", refuse)
    (tmp_path / "a.csv").write_text(text(LABELS, PIXELS[:, 1:]))
    with pytest.raises(DataError, match="make no square"):
        csv_file.load(tmp_path / "a.csv")


ORDERS = {
    "sorted names": sorted(range(64), key=str),
    "backwards": range(63, -1, -1),
    "shuffled": RNG.permutation(64),
}


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("first", [0, 1])
def test_pixels_are_in_the_order_of_their_names(tmp_path, name, first):
    order = np.array(ORDERS[name])
    (tmp_path / "a.csv").write_text(text(PIXELS[:, order], LABELS, header=[*(f"px{i + first}" for i in order), "y"]))
    splits = csv_file.load(tmp_path / "a.csv")
    check(splits)
    shown = ", ".join(f"px{i + first}" for i in (0, 1, 2, 3))
    assert f"pixels: in the order of the numbers in their names, {shown}, ..., px{first + 62}, px{first + 63}" in (
        splits.choices
    )
    images, _ = read_images(tmp_path / "a.csv", (1, 8, 8))
    np.testing.assert_array_equal(images.reshape(N, 64), PIXELS)
    (tmp_path / "a.csv").write_text(text(LABELS, PIXELS, header=["y", *(f"px{i * 2}" for i in order)]))
    check(csv_file.load(tmp_path / "a.csv"))  # numbers that do not count tell no order
