import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cnntrain.data.digits
from cnntrain.cli.app import app


def evaluate(*words: str):
    return CliRunner().invoke(app, ["eval", *words])


@pytest.fixture
def run(digits_file, tmp_path):
    """A run folder, and what train said about it."""
    folder = tmp_path / "run"
    words = ["train", str(digits_file), "--out", str(folder), "--json", "--progress", "none", "--no-plots"]
    return str(folder), json.loads(CliRunner().invoke(app, words).stdout)


def test_evaluates_each_split_as_train_did(run):
    folder, trained = run
    for split in ("test", "validation", "train"):
        shown = evaluate(folder, "--split", split, "--json")
        result = json.loads(shown.stdout)
        expected = {"split": split, **trained[split], "classes": list("0123456789")}
        assert {key: result[key] for key in expected} == expected
        assert shown.stderr == ""


def test_shows_the_test_split_by_default(run):
    shown = evaluate(run[0])
    assert shown.exit_code == 0
    titles, row, *_ = (line.split() for line in shown.stdout.splitlines())
    assert titles == ["split", "samples", "loss", "accuracy", "top-3", "calibration", "error"]
    assert row[:2] == ["test", "360"]


def test_takes_a_weights_file_and_overrides(run):
    assert evaluate(f"{run[0]}/best.safetensors", "data.standardize=true").exit_code == 0
    shown = evaluate(run[0], "data.nonsense=1")
    assert shown.exit_code == 2
    assert shown.stderr.startswith("error: ")


def test_missing_weights_are_status_5():
    shown = evaluate("runs/[conv]")
    assert shown.exit_code == 5
    assert shown.stderr.startswith("error: runs/[conv]")


def test_plots_are_drawn_beside_the_weights(run):
    folder = Path(run[0])
    shown = evaluate(f"{folder}/best.safetensors", "--split", "validation", "--plots", "--json")
    drawn = [
        str(folder / "eval" / "best-validation" / f"{name}.png") for name in ("confusion", "mistakes", "calibration")
    ]
    assert json.loads(shown.stdout)["plots"] == drawn
    assert all(Path(path).exists() for path in drawn)
    assert json.loads(evaluate(run[0], "--json").stdout)["plots"] is None


def test_a_folder_that_cannot_be_made_is_told(run):
    (Path(run[0]) / "eval").write_text("in the way")
    shown = evaluate(run[0], "--plots")
    assert shown.exit_code == 2
    assert shown.stderr.startswith(f"error: {run[0]}/eval")


def test_all_of_other_data_is_evaluated_and_said(run, tmp_path):
    digits = Path(cnntrain.data.digits.FILE)
    shown = evaluate(run[0], str(digits), "--all", "--json")
    assert shown.exit_code == 0
    result = json.loads(shown.stdout)
    assert (result["split"], result["samples"]) == ("all", 1797)
    assert "note: evaluated on all 1,797 samples: 1,437 of train, 360 of test\n" in shown.stderr
    assert json.loads(evaluate(run[0], "--all", "--json").stdout)["samples"] == 1797


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["digits"], "digits: to evaluate on other data, add --all"),
        (["digits", "--all", "--split", "test"], "--all and --split exclude each other"),
    ],
)
def test_other_data_need_all(run, words, why):
    shown = evaluate(run[0], *words)
    assert shown.exit_code == 2
    assert why in shown.stderr
