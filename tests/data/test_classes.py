"""Classes that exist: too few of them, and those that no training sample is of."""

import re

import numpy as np
import pytest
from typer.testing import CliRunner

import cnntrain
from cnntrain.autoconfig.init import init
from cnntrain.cli.app import app
from cnntrain.config import config_from_dict
from cnntrain.data import ProgressReporter, load_data
from cnntrain.errors import DataError


@pytest.fixture
def notes():
    return []


@pytest.fixture
def load(write_npz, notes):
    def load(train, test=None, **options):
        def pixels(labels):
            return np.random.default_rng(0).integers(0, 256, (len(labels), 4, 4), np.uint8)

        arrays = {"x_train": pixels(train), "y_train": np.array(train)}
        if test is not None:
            arrays |= {"x_test": pixels(test), "y_test": np.array(test)}
        names = options.pop("names", None)
        arrays |= {} if names is None else {"class_names": np.array(names)}
        return load_data("npz", path=write_npz(**arrays), reporter=ProgressReporter(note=notes.append), **options)

    return load


@pytest.mark.parametrize("labels", [[0] * 4, [7] * 4, [1] * 4, ["cat"] * 4, [0]])
def test_one_class_is_refused(load, labels):
    with pytest.raises(DataError, match=f"two classes are needed, but .* training sample.* the label '{labels[0]}'"):
        load(labels)


def test_one_class_is_refused_from_every_source(tmp_path, write_idx, write_batch, color_images):
    write_idx("train-images-idx3-ubyte", np.zeros((5, 4, 4), np.uint8))
    write_idx("train-labels-idx1-ubyte", np.zeros(5, np.uint8))
    write_batch("data_batch_1.bin", color_images, np.zeros(10, np.uint8))
    (tmp_path / "a.csv").write_text("label,p0\n3,9\n3,8\n")
    for source, path in (("idx", tmp_path), ("cifar10", tmp_path), ("csv", tmp_path / "a.csv")):
        with pytest.raises(DataError, match="two classes are needed"):
            load_data(source, path=path)


@pytest.mark.parametrize(
    ("train", "names", "note"),
    [
        ([0, 1, 99], None, "97 of 100 classes have no training sample: 2 to 98"),
        ([*range(9), *range(10, 25)], None, "1 of 25 classes has no training sample: 9"),
        ([1, 2, 5, 8], None, "4 of 8 classes have no training sample: 3, 4, 6, 7"),
        ([0, 1], ["a", "b", "c", "d"], "2 of 4 classes have no training sample: c, d"),
    ],
)
def test_classes_without_training_samples_are_noted(load, notes, train, names, note):
    load(train, names=names)
    assert notes == [note]


def test_samples_of_such_classes_are_counted(load, notes):
    load([0, 1, 4], [2, 2, 3, 4])
    assert notes == [
        "2 of 5 classes have no training sample: 2, 3",
        "test has classes without training samples, which cannot be learned: 2 (2 samples), 3 (1 sample)",
    ]


def test_nothing_is_noted_where_all_are_there(load, notes):
    load([0, 1, 2], [0])
    load([10, 20, 30], [10])
    assert notes == []


@pytest.fixture
def gap(write_npz):
    """Three classes of 40 samples, easy to tell apart, labelled 0, 1 and 99."""
    y = np.arange(120) % 3
    x = np.random.default_rng(0).integers(0, 60, (120, 8, 8)).astype(np.uint8)
    for i in range(120):
        x[i, 2 * y[i] : 2 * y[i] + 2] = 255
    return write_npz(x_train=x, y_train=np.array([0, 1, 99])[y])


def test_weights_are_1_where_the_classes_that_exist_are_equal(gap):
    config = config_from_dict(
        {
            "data": {"source": "npz", "path": str(gap)},
            "network": {"layers": [{"fc": {"activation": "softmax"}}]},
            "training": {"class_weights": "balanced"},
        },
        "gap",
    )
    assert cnntrain.build(config).objective.class_weights == (1.0,) * 100


def test_init_counts_the_classes_that_exist(gap, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = init(str(gap))
    assert result["found"] == "data: 120 images of 3 classes, 40 each; gray, 8 x 8"
    assert "class_weights" not in (tmp_path / "data.yaml").read_text()


def test_eval_leaves_out_classes_that_nothing_is_of(gap, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = config_from_dict(
        {
            "data": {"source": "npz", "path": str(gap), "validation": 0.2},
            "network": {"layers": [{"fc": {"activation": "softmax"}}]},
            "training": {"Max": 3, "workers": 1, "alpha": 0.01},
        },
        "gap",
    )
    with pytest.warns(UserWarning, match="97 of 100 classes have no training sample: 2 to 98"):
        cnntrain.train(config, "run", plots=False)
    shown = CliRunner().invoke(app, ["eval", "run", "--split", "train"])
    assert shown.exit_code == 0
    assert re.search(r"^9\d more classes that have no samples here and were never predicted$", shown.stdout, re.M)
    assert "top-" not in shown.stdout
    assert len(shown.stdout.splitlines()) < 60


@pytest.mark.parametrize("names", [("Cat", "cat"), ("Cat", "cat", "dog")])
def test_text_labels_that_are_nearly_the_same_are_noted(tmp_path, names):
    labels = np.array(names)[np.arange(12) % len(names)]
    np.savez(tmp_path / "a.npz", images=np.arange(12 * 16, dtype=np.uint8).reshape(12, 4, 4), labels=labels)
    notes = []
    load_data("npz", path=tmp_path / "a.npz", validation=0.0, reporter=ProgressReporter(note=notes.append))
    (note,) = [note for note in notes if "nearly the same" in note]
    assert note.startswith("'Cat', 'cat' are 2 different classes")
