"""``--tensorboard [DIR]``: which word is DIR."""

import json

import pytest
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.cli.tensorboard_option import tensorboard_words

QUICK = ["training.Max=1", "training.workers=1"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words, status=0):
        result = CliRunner().invoke(app, [*words, "--no-plots", "--json"])
        assert result.exit_code == status, result.stderr
        return result

    return run


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        (["digits", *QUICK], None),
        (["digits", *QUICK, "--tensorboard"], "runs/digits/tensorboard"),
        (["digits", "--tensorboard", *QUICK], "runs/digits/tensorboard"),
        (["--tensorboard", "digits", *QUICK], "runs/digits/tensorboard"),
        (["--tensorboard", "--out", "x", "digits", *QUICK], "x/tensorboard"),
        (["--out", "x", "--tensorboard", "digits", *QUICK], "x/tensorboard"),
        (["digits", *QUICK, "--tensorboard", "logs/a b"], "logs/a b"),
        (["digits", *QUICK, "--tensorboard=true"], "true"),
        (["digits", *QUICK, "--tensorboard", "yes"], "yes"),
        (["--tensorboard", "tb", "digits", *QUICK], "tb"),
        (["digits", *QUICK, "training.tensorboard=true"], "runs/digits/tensorboard"),
    ],
)
def test_the_folder(run, tmp_path, words, folder):
    run("train", *words)
    assert len(list(tmp_path.glob("**/weights.safetensors"))) == 1
    written = [str(path.parent.relative_to(tmp_path)) for path in tmp_path.glob("**/*tfevents*")]
    assert written == ([] if folder is None else [folder])


def test_the_header_says_where(run, tmp_path):
    assert (
        "events   runs/digits/tensorboard, for TensorBoard\n" in run("train", "digits", *QUICK, "--tensorboard").stderr
    )
    assert "for TensorBoard" not in run("train", "digits", *QUICK).stderr


def test_resume(run, tmp_path):
    run("train", "digits", *QUICK)
    run("resume", "runs/digits", "--tensorboard", "training.Max=2")
    assert len(list((tmp_path / "runs/digits/tensorboard").iterdir())) == 1


def test_without_a_config_the_message_names_config(run):
    assert "missing argument CONFIG" in json.loads(run("train", "--tensorboard", status=2).stdout)["error"]["message"]


def test_words():
    assert tensorboard_words(None) == []
    assert tensorboard_words("") == ["training.tensorboard=true"]
    assert tensorboard_words("no") == ["training.tensorboard=./no"]
    assert tensorboard_words("/a") == ["training.tensorboard=/a"]
