"""Predictions for CSV and npz files: what the same images give as arrays."""

import gzip

import numpy as np
import pytest

from cnntrain.errors import DataError

PIXELS = [f"pixel{i}" for i in range(24)]


@pytest.fixture
def model(make_model):
    return make_model((1, 4, 6), fit=None)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (9, 1, 4, 6), dtype=np.uint8)


def without_source(entries):
    return [{key: value for key, value in entry.items() if key not in ("file", "sample")} for entry in entries]


def lines(header, *columns):
    rows = np.column_stack(columns).tolist()
    return "\n".join(",".join(map(str, row)) for row in ([header] if header else []) + rows) + "\n"


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
@pytest.mark.parametrize(
    ("header", "before", "after"),
    [
        (PIXELS, 0, 0),
        (None, 0, 0),
        (["label", *PIXELS], 1, 0),
        ([*PIXELS, "digit"], 0, 1),
        (["id", *PIXELS], 1, 0),
        (["", "label", *PIXELS], 2, 0),
    ],
)
def test_csv_files_with_and_without_labels(model, images, tmp_path, header, before, after, ending):
    numbers = np.arange(9)[:, None] % 3
    text = lines(header, *[numbers] * before, images.reshape(9, -1), *[numbers] * after)
    path = tmp_path / f"test.{ending}"
    path.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
    notes = []
    entries = [entry for batch in model.predictions(path, on_note=notes.append) for entry in batch]
    assert without_source(entries) == without_source(model.predict(images))
    assert [(entry["file"], entry["sample"]) for entry in entries] == [(str(path), i) for i in range(9)]
    assert len(notes) == (before + after > 0)


def test_without_a_header_the_labels_are_where_their_values_say(model, images, tmp_path):
    for i, columns in enumerate(([np.arange(9) % 3, images.reshape(9, -1)], [images.reshape(9, -1), np.arange(9) % 3])):
        (tmp_path / f"{i}.csv").write_text(lines(None, *columns))
    entries = model.predict(tmp_path / "0.csv")  # fewer than ten lines: the first column, as in training
    assert without_source(entries) == without_source(model.predict(images))


def test_fractions(model, images, tmp_path):
    (tmp_path / "a.csv").write_text(lines(PIXELS, images.reshape(9, -1) / 255))
    entries = model.predict(tmp_path / "a.csv")
    np.testing.assert_allclose(
        [entry["probability"] for entry in entries], [e["probability"] for e in model.predict(images)], atol=1e-5
    )


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (["x_train", "y_train", "x_test"], "x_test"),
        (["images", "labels"], "images"),
        (["anything"], "anything"),
        (["X_test", "ids"], "X_test"),
    ],
)
def test_npz_files(model, images, tmp_path, names, taken):
    arrays = {name: images if name == taken else np.zeros(3) for name in names}
    np.savez(tmp_path / "a.npz", **arrays)
    notes = []
    entries = [entry for batch in model.predictions(str(tmp_path / "a.npz"), on_note=notes.append) for entry in batch]
    assert without_source(entries) == without_source(model.predict(images))
    assert notes == ([f"{tmp_path / 'a.npz'}: the images are those of {taken}"] if len(names) > 1 else [])


def test_rows_of_an_npz_file(model, images, tmp_path):
    np.savez(tmp_path / "a.npz", x_test=images.reshape(9, -1))
    assert without_source(model.predict(tmp_path / "a.npz")) == without_source(model.predict(images))


def test_files_of_other_images_are_refused(model, images, tmp_path):
    (tmp_path / "a.csv").write_text(lines([*PIXELS, "pixel24", "pixel25"], np.zeros((3, 26), int)))
    (tmp_path / "b.csv").write_text(lines(PIXELS[:23], np.zeros((3, 23), int)))
    (tmp_path / "c.csv").write_text(lines(PIXELS, np.full((3, 24), 300)))
    np.savez(tmp_path / "d.npz", x_test=np.zeros((2, 1, 5, 6), np.uint8))
    np.savez(tmp_path / "e.npz", a=images, b=images)
    (tmp_path / "f.npz").write_bytes(b"")
    for name, why in {
        "a.csv": "has 26 columns, 0 of them no pixels, but the network takes 24 pixels",
        "b.csv": "has 23 columns",
        "c.csv": "holds pixels from 300 to 300; whole numbers must lie in 0..255",
        "d.npz": r"are 1 x 5 x 6 \(channels x rows x columns\), but the network takes 1 x 4 x 6",
        "e.npz": "holds a, b; name the array to predict x_test",
        "f.npz": "npz",
        "none.csv": "No such file",
    }.items():
        with pytest.raises(DataError, match=why) as caught:
            model.predict(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
