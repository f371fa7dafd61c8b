"""``cnntrain train --dry-run``."""

import json

import pytest
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.cli.views.training_text import span
from cnntrain.profiling import dry_run


@pytest.fixture(autouse=True)
def few_steps(monkeypatch, tmp_path):
    monkeypatch.setattr(dry_run, "SECONDS", 0)
    monkeypatch.chdir(tmp_path)


def dry(*words):
    return CliRunner().invoke(app, ["train", "--dry-run", *map(str, words)])


def test_shows_layers_data_memory_and_time_and_writes_nothing(digits_file, tmp_path):
    shown = dry(digits_file, "training.workers=1")
    assert (shown.exit_code, shown.stderr) == (0, "")
    words = " ".join(shown.stdout.split())
    assert "conv K=2 F=3 S=2 relu" in words
    assert "data digits: 1,293 train, 144 validation, 360 test samples of 10 classes" in words
    assert "1 worker, float32" in words
    assert "memory for training:" in words
    assert "a batch is 1 micro-batch: at most 1 process has work" in words
    assert "a step of 64 samples takes" in words
    assert "for 2 epochs (Max)" in words
    assert max(len(line.rstrip()) for line in shown.stdout.splitlines()) <= 80
    assert list(tmp_path.iterdir()) == [digits_file]


def test_json_is_one_object(digits_file):
    shown = dry(digits_file, "--workers", "1", "--json")
    result = json.loads(shown.stdout)
    assert shown.stdout.count("\n") == 1
    assert (result["Max"], result["batches"], result["workers"]) == (2, 21, 1)


def test_errors_are_those_of_a_run(digits_file):
    assert dry(digits_file, "data.source=idx", "data.path=nowhere").exit_code == 4
    assert dry(digits_file, "network.layers.0.conv.F=20").exit_code == 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0053, "5.3 ms"),
        (0.53, "0.53 seconds"),
        (99.4, "99 seconds"),
        (130, "2.2 minutes"),
        (3600, "60 minutes"),
        (7200, "2 hours"),
        (3 * 86400, "3 days"),
        (3000 * 86400, "3,000 days"),
    ],
)
def test_durations_have_few_digits(seconds, text):
    assert span(seconds) == text
