"""All samples of another source count, once each, whatever its splits and the order of its classes."""

import numpy as np
import pytest
from PIL import Image

import cnntrain
from cnntrain.data import ProgressReporter
from cnntrain.errors import DataError, WeightsError
from cnntrain.evaluation.evaluate import evaluate_all_samples


def draw(folder, per_class, seed=0):
    """Images of classes, each of another brightness."""
    rng = np.random.default_rng(seed)
    for k, (name, count) in enumerate(per_class.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        level = 40 + 60 * (sorted(per_class).index(name) if "level" not in name else k)
        for i in range(count):
            pixels = rng.integers(level, level + 20, (9, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{seed}-{i}.png")
    return folder


@pytest.fixture
def photos(make_config, record, tmp_path):
    """A run on a folder of images."""
    folder = draw(tmp_path / "photos", {"ape": 8, "bee": 8, "cat": 8})
    config = make_config(
        [{"fc": {"activation": "softmax"}}], data={"source": "images", "path": str(folder), "size": [6, 6]}, Max=2
    )
    record(config, tmp_path / "run")
    return tmp_path / "run"


def test_all_of_another_folder(photos, tmp_path):
    other = draw(tmp_path / "other", {"ape": 7, "bee": 6, "cat": 5}, seed=1)
    notes = []
    report = evaluate_all_samples(photos, str(other), reporter=ProgressReporter(note=notes.append))
    assert report.split == "all"
    assert report.score.samples == 18
    assert notes[-1] == "evaluated on all 18 samples: 18 of train"
    entries = cnntrain.load(photos).predict(other)
    by_file = {entry["file"].removeprefix(f"{other}/"): entry["class"] for entry in entries}
    found = {report.file(i): report.classes[report.predictions.predicted[i]] for i in range(18)}
    assert found == by_file
    assert cnntrain.evaluate(photos, data=other)["samples"] == 18


def test_a_folder_with_splits_and_fewer_classes(photos, tmp_path):
    draw(tmp_path / "other" / "train", {"bee": 4, "cat": 3}, seed=1)
    draw(tmp_path / "other" / "test", {"bee": 2, "cat": 1}, seed=2)
    notes = []
    report = evaluate_all_samples(photos, str(tmp_path / "other"), reporter=ProgressReporter(note=notes.append))
    assert notes[-1] == "evaluated on all 10 samples: 7 of train, 3 of test"
    true = {report.classes[i] for i in report.dataset.labels.tolist()}
    assert true == {"bee", "cat"}
    assert all(report.file(i).split("/")[-2] == report.classes[report.dataset.labels[i]] for i in range(10))


def test_all_of_the_data_of_the_run(photos):
    assert evaluate_all_samples(photos).score.samples == 24


def test_a_class_that_the_network_does_not_know(photos, tmp_path):
    other = draw(tmp_path / "other", {"ape": 3, "dog": 3}, seed=1)
    with pytest.raises(DataError, match=r"the network does not know 'dog'; its classes are \(ape, bee, cat\)"):
        evaluate_all_samples(photos, str(other))


def test_arrays(make_config, record, tmp_path):
    rng, labels = np.random.default_rng(0), np.arange(30) % 3
    images = rng.integers(0, 256, (30, 5, 5), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels)
    data = {"source": "npz", "path": str(tmp_path / "a.npz"), "validation": 0.2}
    record(make_config([{"fc": {"activation": "softmax"}}], data=data, Max=1), tmp_path / "run")
    np.savez(tmp_path / "b.npz", x_train=images[:7], y_train=labels[:7], x_test=images[7:], y_test=labels[7:])
    for source in (tmp_path / "a.npz", tmp_path / "b.npz"):
        report = evaluate_all_samples(tmp_path / "run", str(source))
        assert report.score.samples == 30
        entries = cnntrain.load(tmp_path / "run").predict(images)
        assert report.predictions.predicted.tolist() == [int(entry["class"]) for entry in entries]
    rows = "\n".join(",".join(map(str, [*image.ravel(), label])) for image, label in zip(images, labels, strict=True))
    (tmp_path / "d.csv").write_text(rows)
    report = evaluate_all_samples(tmp_path / "run", str(tmp_path / "d.csv"), ["data.label=-1"])
    assert report.predictions.predicted.tolist() == [int(entry["class"]) for entry in entries]
    np.savez(tmp_path / "c.npz", x_train=images[:, :4], y_train=labels)
    with pytest.raises(WeightsError, match="the network takes images of"):
        evaluate_all_samples(tmp_path / "run", str(tmp_path / "c.npz"))
