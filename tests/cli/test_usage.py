"""Words that no command understands: empty ones, options of other tools, and what --json says of errors."""

import json

import pytest
from typer.testing import CliRunner

from cnntrain.cli.app import app


def run(*words: str):
    return CliRunner().invoke(app, words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "a.yaml", "--workers", ""], "--workers: expected a word, got ''"),
        (["train", "a.yaml", "--workers="], "--workers: expected a value, got nothing"),
        (["train", "a.yaml", "-o", ""], "-o: expected a word, got ''"),
        (["train", ""], "after train: expected a word, got ''"),
        (["train", "a.yaml", "--out="], "--out: expected a value, got nothing"),
        (["export", "runs/a", "--onnx", ""], "--onnx: expected a word, got ''"),
        (["bench", "a.yaml", "--batches", ""], "--batches: expected a word, got ''"),
        (["eval", ""], "after eval: expected a word, got ''"),
        (["data", "info", "mnist", "--sheet", ""], "--sheet: expected a word, got ''"),
        (["init", "photos", "--out="], "--out: expected a value, got nothing"),
        (["predict", "runs/a", ""], "after runs/a: expected a word, got ''"),
        ([""], "after cnntrain: expected a word, got ''"),
    ],
)
def test_an_empty_word_is_an_error(words, told):
    shown = run(*words)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert shown.stderr.startswith(f"error: {told}")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "a.yaml", "--epochs", "5"], "no such option: --epochs; write training.Max=5"),
        (["train", "a.yaml", "--lr=0.1"], "no such option: --lr; write training.alpha=0.1"),
        (["train", "a.yaml", "-lr", "0.1"], "no such option: -lr; write training.alpha=0.1"),
        (["train", "--seed", "3", "a.yaml"], "no such option: --seed; write training.seed=3"),
        (["bench", "a.yaml", "--batch-size", "64"], "no such option: --batch-size; write training.batch_size=64"),
        (["resume", "runs/a", "--epochs", "5"], "no such option: --epochs; write training.Max=5"),
        (["train", "a.yaml", "--device", "cpu"], "no such option: --device; cnntrain runs on the CPU; leave it out"),
        (["train", "a.yaml", "--save-dir", "x"], "no such option: --save-dir; use --out DIR for the run folder"),
        (["init", "photos", "--size", "5000"], "Invalid value for '--size': expected at most 4096, got '5000'"),
        (["train", "a.yaml", "--quiet"], "no such option: --quiet; write --progress none"),
    ],
)
def test_an_option_of_another_tool_leads_to_the_override(words, told):
    shown = run(*words)
    assert shown.exit_code == 2
    assert shown.stderr.splitlines()[-1] == f"error: {told}"


@pytest.mark.parametrize("words", [["runs", "--epochs", "5"], ["eval", "runs/a", "--quiet"], ["train", "a", "--bogus"]])
def test_advice_names_nothing_that_the_command_does_not_have(words):
    assert run(*words).stderr.splitlines()[-1].startswith("error: No such option: --")


@pytest.mark.parametrize(
    ("words", "kind", "status"),
    [
        (["train", "nowhere.yaml", "--json"], "ConfigError", 2),
        (["train", "--json"], "UsageError", 2),
        (["train", "a.yaml", "--json", "--lr", "0.1"], "UsageError", 2),
        (["train", "a.yaml", "--json", "--workers", ""], "UsageError", 2),
        (["resume", "nowhere", "--json"], "UsageError", 2),
        (["replay", "nowhere", "--json"], "UsageError", 2),
        (["eval", "nowhere", "--json"], "WeightsError", 5),
        (["eval", "a", "--split", "all", "--json"], "UsageError", 2),
        (["runs", "nowhere", "--json"], "UsageError", 2),
        (["predict", "nowhere", "a.png", "--json"], "WeightsError", 5),
        (["predict", "nowhere", "--json"], "UsageError", 2),
        (["export", "nowhere", "--onnx", "a.onnx", "--json"], "WeightsError", 5),
        (["gradcheck", "nowhere.yaml", "--json"], "ConfigError", 2),
        (["summary", "nowhere.yaml", "--json"], "ConfigError", 2),
        (["bench", "nowhere.yaml", "--json"], "ConfigError", 2),
        (["init", "nowhere", "--json"], "DataError", 4),
        (["schema", "--json", "x"], "UsageError", 2),
        (["data", "info", "nowhere", "--json"], "DataError", 4),
        (["data", "fetch", "nowhere", "--json"], "UsageError", 2),
        (["data", "bogus", "--json"], "UsageError", 2),
        (["bogus", "--json"], "UsageError", 2),
    ],
)
def test_with_json_an_error_is_an_object(tmp_path, monkeypatch, words, kind, status):
    monkeypatch.chdir(tmp_path)
    shown = run(*words)
    error = json.loads(shown.stdout)["error"]
    assert (shown.exit_code, error["kind"], error["exit"]) == (status, kind, status)
    assert error["message"] in shown.stderr


def test_without_json_stdout_stays_empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("train", "nowhere.yaml", "--json")
    assert run("train", "nowhere.yaml").stdout == ""


def test_a_result_is_the_only_object(digits_file, tmp_path):
    """What fails behind a result adds none: here a check that does not pass."""
    shown = run("gradcheck", str(digits_file), "--json", "--inject", "layers.0.W:no_flip", "--samples", "2")
    assert shown.exit_code == 3
    assert json.loads(shown.stdout)["passed"] is False


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["gradcheck", "a.yaml", "--threshold", "abc"], "'--threshold': expected a number, got 'abc'"),
        (["bench", "a.yaml", "--batches=abc"], "'--batches': expected a whole number, got 'abc'"),
        (["predict", "a", "b", "--top", "0"], "'--top': expected at least 1, got '0'"),
        (["eval", "a", "--split", "all"], "'--split': 'all' is not one of 'test', 'validation', 'train'."),
    ],
)
def test_a_wrong_number_is_told_in_plain_words(words, told):
    assert told in run(*words).stderr


@pytest.mark.parametrize("words", [[], ["data"]])
def test_no_words_show_the_help_and_no_error(words):
    result = run(*words)
    assert result.exit_code == 2
    assert result.output.lstrip().startswith("Usage: ")
    assert "error:" not in result.output
    assert "Commands:" in result.output
