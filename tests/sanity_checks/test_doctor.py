"""``cnntrain doctor`` as a user sees it; healthy configs pass."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import cnntrain
from cnntrain.cli.app import app
from cnntrain.data.duplicates import find_duplicates
from cnntrain.errors import DataError
from cnntrain.evaluation.scoring import Score
from cnntrain.sanity_checks.doctor import doctor
from cnntrain.sanity_checks.short_training import balanced_shuffle, miniature, without_dropout

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).parents[2] / "configs"


def run(*words: object):
    return CliRunner().invoke(app, ["doctor", *map(str, words)])


def not_passed(report):
    return [check for check in report["checks"] if check["status"] != "pass"]


def real_data(name):
    if "CNNTRAIN_DATA" not in os.environ:
        pytest.skip("CNNTRAIN_DATA, the folder of real data sets, is not set")
    return f"data.path={Path(os.environ['CNNTRAIN_DATA']) / name}"


@pytest.mark.parametrize("name", ["digits", "article"])
def test_shipped_configs_pass_every_check(name):
    assert not_passed(doctor(CONFIGS / f"{name}.yaml")) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "folder"), [("mnist_lenet5", "mnist"), ("mnist", "mnist"), ("cifar10", "cifar10-subset")]
)
def test_shipped_configs_pass_every_check_on_real_data(name, folder):
    assert not_passed(doctor(CONFIGS / f"{name}.yaml", [real_data(folder)])) == []


def test_status_text_and_advice_are_printed(patient):
    healthy = run(patient.write(), "--progress", "none")
    assert healthy.exit_code == 0
    assert healthy.stderr == ""
    lines = healthy.stdout.splitlines()
    assert all(line.startswith("pass ") for line in lines[:-1])
    assert lines[-1].startswith(f"{len(lines) - 1} of {len(lines) - 1} checks passed, in ")
    ill = run(patient.write(), "training.alpha=1e-7", "--progress", "plain")
    assert ill.exit_code == 3
    at = next(i for i, line in enumerate(ill.stdout.splitlines()) if line.startswith("fail  step / W"))
    assert ill.stdout.splitlines()[at + 1].strip().startswith("> raise training.alpha")
    assert "failed, in" in ill.stdout.splitlines()[-1]
    assert "overfitting 20 samples" in ill.stderr


def test_json_is_one_object(patient):
    shown = run(patient.write(), "--json", "--progress", "none")
    report = json.loads(shown.stdout)
    assert report["passed"]
    assert report["counts"] == {"pass": len(report["checks"]), "warn": 0, "fail": 0}
    assert {"check", "status", "text", "advice", "figures"} == report["checks"][0].keys()


def test_the_result_is_the_same_each_time_and_nothing_is_written(patient, monkeypatch):
    path = patient.write()
    before = {file: file.read_bytes() for file in patient.folder.rglob("*") if file.is_file()}
    monkeypatch.chdir(patient.folder)
    assert doctor(path) == doctor(path)
    assert {file: file.read_bytes() for file in patient.folder.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    ("word", "status"), [("nowhere.yaml", 2), ("nowhere.safetensors", 5), ("digits training.alpha=-1", 2)]
)
def test_what_cannot_be_checked_is_refused_in_one_sentence(tmp_path, monkeypatch, word, status):
    monkeypatch.chdir(tmp_path)
    refused = run(*word.split())
    assert refused.exit_code == status
    assert refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1


def test_a_config_without_data_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("network: {input: [1, 8, 8], layers: [{fc: {units: 3, activation: softmax}}]}")
    refused = run(tmp_path / "a.yaml")
    assert refused.exit_code == 2
    assert "a data section is needed" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "training",
    [
        {"batch_size": "all", "reduction": "sum", "alpha": 0.0005, "momentum": 0.9},
        {"loss": "mse", "alpha": 0.1},
        {"schedule": "one_cycle", "alpha": 0.1},
        {"optimizer": "adamw", "alpha": 0.01, "label_smoothing": 0.1, "class_weights": "balanced"},
        {"schedule": "step", "step_every": 2, "dtype": "float64"},
    ],
)
def test_other_healthy_configs_pass(patient, training):
    patient.training |= training
    if training.get("optimizer"):
        del patient.training["momentum"]
    assert patient.examine() == {}


def test_a_single_layer_that_begins_at_zero_passes(patient):
    patient.layers = [{"fc": {"activation": "softmax", "init": "zeros"}}]
    assert patient.examine() == {}


def test_of_many_channels_only_the_range_is_shown(patient):
    """As those of a pretrained backbone are."""
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(64, 300))
    for split in ("train", "test"):
        pixels = patient.arrays[f"x_{split}"].reshape(-1, 64) / 255 @ basis
        patient.arrays[f"x_{split}"] = (pixels[..., None, None] / 40 + 0.5).clip(0, 1).astype(np.float32)
    patient.layers, patient.data = [{"fc": {"activation": "softmax"}}], {"layout": "NCHW"}
    report = doctor(patient.write())
    (channels,) = [check for check in report["checks"] if check["check"] == "channels"]
    assert len(channels["text"]) < 80
    assert not_passed(report) == []


def test_outputs_other_than_softmax_are_compared_with_their_own_guess(patient):
    patient.layers = [*patient.layers[:-1], {"fc": {"activation": "sigmoid"}}]
    patient.training = {"loss": "mse", "optimizer": "adam", "alpha": 0.01, "batch_size": 32}
    report = doctor(patient.write())
    (first,) = [check for check in report["checks"] if check["check"] == "initial loss"]
    assert first["figures"]["expected"] == pytest.approx(10 / 8)  # 1/2 sum (1/2 - y)², 10 classes
    assert not_passed(report) == []


def test_a_shuffle_in_balance_gives_each_class_all_labels_in_proportion():
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat([0, 1, 3], [600, 300, 100]))
    shuffled = balanced_shuffle(labels, rng)
    assert np.bincount(shuffled).tolist() == np.bincount(labels).tolist()
    for label in (0, 1, 3):
        shares = np.bincount(shuffled[labels == label], minlength=4) / np.sum(labels == label)
        np.testing.assert_allclose(shares, [0.6, 0.3, 0, 0.1], atol=0.02)


def test_a_miniature_has_the_whole_schedule():
    config = cnntrain.load_config("digits", ["training.schedule=step", "training.Max=40", "training.step_every=20"])
    data = cnntrain.builder.load_config_data(config)
    small, train = miniature(config, cnntrain.build(config), data.train)
    assert (small.training.Max, small.training.step_every) == (2, 1)
    assert len(train) == len(data.train)


def test_dropout_goes_wherever_it_is():
    network = {"layers": [{"dropout": {"rate": 0.5}}, {"residual": {"layers": [{"dropout": {"rate": 0.2}}]}}]}
    changed = without_dropout(network)["layers"]
    assert changed == [{"dropout": {"rate": 0.0}}, {"residual": {"layers": [{"dropout": {"rate": 0.0}}]}}]


def test_duplicates_are_found_within_and_across_splits(patient):
    patient.arrays["x_train"][9] = patient.arrays["x_train"][3]
    patient.arrays["x_test"][5] = patient.arrays["x_train"][3]
    data = cnntrain.builder.load_config_data(cnntrain.load_config(patient.write()))
    (group,) = find_duplicates(data)
    assert [(sample.split, sample.index) for sample in group] == [("train", 3), ("train", 9), ("test", 5)]


def test_data_that_moved_since_the_run(patient):
    cnntrain.train(cnntrain.load_config(patient.write()), patient.folder / "run", plots=False)
    moved = patient.folder / "moved.npz"
    (patient.folder / "data.npz").rename(moved)
    with pytest.raises(DataError):
        doctor(patient.folder / "run")
    assert doctor(patient.folder / "run", [f"data.path={moved}"])["passed"]


def test_a_layer_that_begins_with_zeros_is_healthy(tmp_path):
    config = {
        "data": {"source": "digits"},
        "network": {"layers": [{"fc": {"activation": "softmax", "init": "zeros"}}]},
        "training": {"optimizer": "adamw", "alpha": 0.005, "batch_size": 32, "schedule": "one_cycle", "Max": 20},
    }
    (tmp_path / "zeros.yaml").write_text(json.dumps(config), encoding="utf-8")
    checks = {check["check"]: check["status"] for check in doctor(tmp_path / "zeros.yaml")["checks"]}
    assert (checks["penalty"], checks["step / W"]) == ("pass", "pass")


def test_shuffled_labels_show_nothing_where_true_labels_gain_little(patient, monkeypatch):
    """An accuracy a little above chance is luck in a network that has hardly learned."""
    scores = iter([0.21, 0.2])
    monkeypatch.setattr("cnntrain.sanity_checks.short_training.score", lambda *_: Score(2.0, next(scores, 0.2), 200))
    assert "shuffled labels" not in patient.examine()
