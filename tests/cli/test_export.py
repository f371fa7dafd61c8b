import json

import pytest
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.onnx_export import verification


@pytest.fixture
def run(digits_file, tmp_path):
    folder = tmp_path / "run"
    assert CliRunner().invoke(app, ["train", str(digits_file), "--out", str(folder), "--json"]).exit_code == 0
    return str(folder)


def export(*words):
    return CliRunner().invoke(app, ["export", *words])


def test_says_what_was_written_and_how_far_it_is_from_the_original(run, tmp_path):
    shown = export(run, "--onnx", str(tmp_path / "[a].onnx"), "--verify")
    assert shown.exit_code == 0
    wrote, verified = shown.stdout.splitlines()
    assert wrote.startswith(f"wrote {tmp_path}/[a].onnx: opset 17, ")
    assert verified.startswith("verified on 360 images of the test split: largest difference ")
    assert verified.endswith(", the same class for all of them")


def test_json_is_all_that_is_printed(run, tmp_path):
    shown = export(run, "--onnx", str(tmp_path / "a.onnx"), "--json")
    assert json.loads(shown.stdout)["verified"] is None
    assert shown.stderr == ""


def test_a_difference_is_status_3(run, tmp_path, monkeypatch):
    monkeypatch.setattr(
        verification,
        "compare",
        lambda *_: {"split": "test", "samples": 1, "largest_difference": float("nan"), "classes_that_differ": 1},
    )
    shown = export(run, "--onnx", str(tmp_path / "a.onnx"), "--verify")
    assert shown.exit_code == 3
    assert shown.stderr.startswith("error: ")


def test_a_file_that_exists_is_status_2(run):
    assert export(run, "--onnx", f"{run}/config.yaml").exit_code == 2
