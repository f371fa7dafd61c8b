"""A run folder from a stranger, in which a file is something else: every command answers with a sentence."""

import os
import shutil
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnntrain.cli.app import app

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no pipes with names")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "digits.yaml").write_text(
        "data: {source: digits, validation: 0.9}\ntraining: {Max: 1, workers: 1, optimizer: adam}\n"
        "network: {layers: [pool: {k: 4, type: max}, fc: {activation: softmax}]}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("cnntrain.training.fit"), "write_run_artifacts", lambda *_, **__: iter(()))
        shown = CliRunner().invoke(app, ["train", str(folder / "digits.yaml"), "--out", str(folder / "run")])
    assert shown.exit_code == 0, shown.stderr
    return folder / "run"


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("cnntrain.training.fit"), "write_run_artifacts", lambda *_, **__: iter(()))
    return shutil.copytree(trained, tmp_path / "run")


def pipe(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()
    (path / "inside").write_text("")


def garbage(path):
    path.write_bytes(bytes(range(256)) * 9)


def endless(path):
    path.symlink_to("/dev/zero")


def circle(path):
    path.symlink_to(path.name)


def huge(path):
    with path.open("wb") as file:
        file.truncate(3_000_000_000)


def in_place_of(path, make):
    path.unlink(missing_ok=True)
    make(path)


def answer(words):
    """The exit status and what is said, which is no traceback."""
    shown = CliRunner().invoke(app, [str(word) for word in words])
    assert shown.exception is None or isinstance(shown.exception, SystemExit), shown.exception
    assert shown.exit_code in (0, 2, 4, 5), shown.stderr
    assert shown.exit_code == 0 or "error: " in shown.stderr
    return shown.exit_code, shown.stdout + shown.stderr


KINDS = [pipe, folder, garbage, endless, circle, huge]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("name", ["config.yaml", "metrics.jsonl", "summary.json", "environment.json"])
def test_runs_are_listed_whatever_lies_there(run, name, make):
    in_place_of(run / name, make)
    code, text = answer(["runs", run])
    assert code == 0
    assert name in text


@pytest.mark.parametrize("make", KINDS)
def test_weights_that_are_none(run, make):
    in_place_of(run / "weights.safetensors", make)
    for words in (["eval", run], ["summary", run], ["gradcheck", run], ["export", run, "--onnx", run / "a.onnx"]):
        code, text = answer(words)
        assert code == 5
        assert "weights.safetensors" in text


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("name", ["checkpoint.safetensors", "metrics.jsonl", "config.yaml", "summary.json", ".lock"])
def test_a_run_goes_on_or_says_why_not(run, name, make):
    in_place_of(run / name, make)
    answer(["resume", run, "training.Max=2"])


@pytest.mark.parametrize("make", KINDS)
def test_a_report_that_is_none(run, make):
    (run / "postmortem").mkdir()
    make(run / "postmortem" / "report.json")
    code, text = answer(["replay", run])
    assert code == 2
    assert "report.json" in text


@pytest.mark.parametrize("name", ["metrics.jsonl", ".lock"])
@pytest.mark.parametrize("is_there", [True, False])
def test_no_command_writes_where_a_link_leads(run, tmp_path, name, is_there):
    target = tmp_path / "precious"
    if is_there:
        target.write_bytes((run / name).read_bytes() if (run / name).exists() else b"precious")
    in_place_of(run / name, lambda path: path.symlink_to(target))
    before = target.read_bytes() if is_there else None
    code, text = answer(["resume", run, "training.Max=2"])
    assert (code, f"{name}: this is a symbolic link" in text) == (2, True)
    assert (target.read_bytes() if target.exists() else None) == before


@pytest.mark.parametrize("name", ["config.yaml", "checkpoint.safetensors", "weights.safetensors", "summary.json"])
def test_files_that_are_replaced_leave_what_a_link_led_to(run, tmp_path, name):
    target = tmp_path / "precious"
    (run / name).rename(target)
    (run / name).symlink_to(target)
    before = target.read_bytes()
    code, _ = answer(["resume", run, "training.Max=2"])
    assert code == 0
    assert target.read_bytes() == before
    assert not (run / name).is_symlink()


@pytest.mark.parametrize("place", ["eval", "eval/weights-test"])
def test_plots_are_drawn_into_the_run_alone(run, tmp_path, place):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (run / place).parent.mkdir(exist_ok=True)
    (run / place).symlink_to(elsewhere)
    code, text = answer(["eval", run, "--plots"])
    assert code == 2
    assert f"{Path(place).name}: this is a link" in text
    assert not list(elsewhere.iterdir())
