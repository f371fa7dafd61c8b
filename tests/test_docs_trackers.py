"""docs/trackers.md: its examples run; MLflow and W&B are stand-ins that record their calls."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from cnntrain.training.tensorboard import METRICS

PAGE = (Path(__file__).parent.parent / "docs" / "trackers.md").read_text(encoding="utf-8")
EXAMPLES = {
    next(iter(re.findall(r"^import (?!cnntrain)(\w+)", example, re.MULTILINE)), None): example
    for example in re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
}
FIGURES = {"train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "alpha"}


def run(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("cnntrain.evaluation.artifacts.draw_run", lambda *_: iter(()))  # plots take seconds
    exec(compile(EXAMPLES[name], "example.py", "exec"), {})


def test_the_first_example_prints_a_line_an_epoch(tmp_path, monkeypatch, capsys):
    run(None, tmp_path, monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:1] for line in lines] == ["1", "2"]
    assert all(name in lines[0] for name in FIGURES)


def test_mlflow(tmp_path, monkeypatch):
    mlflow = MagicMock()
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    run("mlflow", tmp_path, monkeypatch)
    assert [call.kwargs["step"] for call in mlflow.log_metrics.call_args_list] == [1, 2]
    assert mlflow.log_metrics.call_args.args[0].keys() >= FIGURES
    assert mlflow.log_dict.call_args.args[0]["training"]["Max"] == 2
    assert (tmp_path / mlflow.log_artifacts.call_args.args[0] / "weights.safetensors").exists()


def test_wandb(tmp_path, monkeypatch):
    logged = MagicMock()
    wandb = SimpleNamespace(init=MagicMock())
    wandb.init.return_value.__enter__.return_value = logged
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    run("wandb", tmp_path, monkeypatch)
    assert [call.kwargs["step"] for call in logged.log.call_args_list] == [1, 2]
    assert logged.log.call_args.args[0].keys() >= FIGURES


@pytest.mark.parametrize("name", METRICS)
def test_the_table_names_every_scalar(name):
    assert f"`{name}`" in PAGE
