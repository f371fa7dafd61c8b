"""Listing runs: whatever lies in the folders, the list is made."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from cnntrain.errors import UsageError
from cnntrain.runs import compare
from cnntrain.runs.compare import MetricsSummary, config_differences, flatten, list_runs, run_folders


@pytest.fixture
def two(tiny_config, record, tmp_path):
    """Folder with two runs that differ in alpha and in the filters."""
    conv = {"conv": {"K": 3, "F": 2}}
    record(tiny_config(data={"validation": 0.25}, alpha=0.1), tmp_path / "runs" / "a")
    record(tiny_config([conv, {"fc": {"activation": "softmax"}}], alpha=0.2), tmp_path / "runs" / "b")
    return tmp_path / "runs"


def test_runs_are_listed_with_what_they_reached(two):
    result = list_runs([two])
    assert [run["run"] for run in result["runs"]] == [str(two / "a"), str(two / "b")]
    assert result["differences"] is None
    for run in result["runs"]:
        summary = json.loads((two / run["run"] / "summary.json").read_text())
        for key in ("stop", "epochs", "seconds", "train", "validation", "test"):
            assert run[key] == summary[key]
        assert (run["source"], run["problem"]) == ("npz", None)
        lines = [json.loads(line) for line in (two / run["run"] / "metrics.jsonl").read_text().splitlines()]
        assert run["best"].items() <= lines[summary["best"]["epoch"] - 1].items()
        assert (run["rollbacks"], run["alpha_factor"]) == (0, 1.0)
        assert run["started"] == json.loads((two / run["run"] / "environment.json").read_text())["started"]


def test_runs_that_are_named_are_compared(two):
    differing = list_runs([two / "a", two / "b"])["differences"]
    assert differing["training.alpha"] == [0.1, 0.2]
    assert differing["network.layers.0.conv.K"] == [2, 3]
    assert differing["network.layers.1.pool.k"] == [2, None]
    assert "training.seed" not in differing
    assert list_runs([two / "a"])["differences"] is None


def test_a_run_without_an_end(two):
    (two / "a" / "summary.json").unlink()
    with (two / "a" / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4, "trai')
    run = list_runs([two])["runs"][0]
    assert (run["stop"], run["epochs"], run["test"], run["problem"]) == (None, 3, None, None)
    assert (run["rollbacks"], run["alpha_factor"]) == (0, 1.0), "as the checkpoint says"
    lines = [json.loads(line) for line in (two / "a" / "metrics.jsonl").read_text().splitlines()[:3]]
    assert run["best"]["monitor_loss"] == min(line["monitor_loss"] for line in lines)
    assert run["seconds"] > 0


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        ({"rollbacks": 2}, (2, 0.25)),
        ({"rollbacks": -1}, (None, None)),
        ({"rollbacks": "2"}, (None, None)),
        ([], (None, None)),
    ],
)
def test_rollbacks_of_a_run_without_an_end(two, monkeypatch, progress, expected):
    (two / "a" / "summary.json").unlink()
    about = {compare.weights.CHECKPOINT: {"progress": progress}}
    monkeypatch.setattr(compare.weights, "read_metadata", lambda path: (None, about))
    run = list_runs([two])["runs"][0]
    assert (run["rollbacks"], run["alpha_factor"]) == expected
    (two / "a" / "summary.json").write_text("{}")
    assert list_runs([two])["runs"][1]["rollbacks"] == 0


def test_an_unfinished_run_without_a_checkpoint(two):
    for name in ("summary.json", "checkpoint.safetensors"):
        (two / "a" / name).unlink()
    assert list_runs([two])["runs"][0]["rollbacks"] is None


def test_losses_of_any_size_are_shown(two):
    (two / "a" / "summary.json").write_text(
        '{"test": {"loss": 7.4e36, "accuracy": 1e40}, "epochs": 1e40, "best": {"epoch": 1}}'
    )
    run = list_runs([two])["runs"][0]
    assert run["test"] == {"loss": 7.4e36}
    assert run["epochs"] == 3


def test_a_link_that_leads_nowhere(tmp_path):
    (tmp_path / "runs").symlink_to("/gone")
    with pytest.raises(UsageError, match="runs: this is a link that leads nowhere"):
        list_runs([tmp_path / "runs"])


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("config.yaml", "data: [", "config.yaml"),
        ("config.yaml", None, "config.yaml"),
        ("summary.json", '{"stop":', "summary.json cannot be read"),
        ("summary.json", "[1]", "summary.json is not a JSON object"),
        ("summary.json", "[" * 100_000, "summary.json cannot be read"),
        ("summary.json", b"\xff\xfe", "summary.json cannot be read"),
        ("metrics.jsonl", "{}\nrubbish\n{}\n", "metrics.jsonl:2: not a JSON object"),
        ("environment.json", "null", "environment.json is not a JSON object"),
    ],
)
def test_a_broken_file_is_named_and_stops_nothing(two, file, content, words):
    path = two / "a" / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    broken, whole = list_runs([two])["runs"]
    assert words in broken["problem"]
    assert "\n" not in broken["problem"]
    assert (whole["problem"], whole["stop"]) == (None, "max")


def test_values_of_the_wrong_kind_are_as_good_as_missing(two):
    (two / "a" / "summary.json").write_text(
        '{"stop": 1, "seconds": "x", "epochs": Infinity, "test": 3, "train": {"loss": "y"}}'
    )
    (two / "a" / "metrics.jsonl").write_text(
        '{"epoch": 1, "validation_loss": "x", "train_loss": NaN, "seconds": {}, "a": 1e999}\n'
    )
    run = list_runs([two])["runs"][0]
    assert [run[key] for key in ("stop", "seconds", "epochs", "test", "train")] == [None, 0, 1, None, None]
    assert run["best"] == {"epoch": 1}


def test_folders_that_are_no_runs_are_named_beside_runs(two):
    (two / "c").mkdir()
    (two / ".hidden").mkdir()
    (two / "file").write_text("")
    problems = [run["problem"] for run in list_runs([two])["runs"]]
    assert problems == [None, None, "this folder holds no run"]


@pytest.mark.parametrize(
    ("name", "words"), [("nothing", "no runs found: "), ("file", "file"), ("empty", "no runs found in")]
)
def test_a_folder_without_runs_is_an_error_of_one_sentence(tmp_path, name, words):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    with pytest.raises(UsageError) as caught:
        list_runs([tmp_path / name])
    assert words in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_runs_are_in_the_order_of_their_numbers(two):
    for name in ("a-2", "a-10", "a-9", "ab"):
        shutil.copytree(two / "a", two / name)
    assert [path.name for path in run_folders(two)] == ["a", "a-2", "a-9", "a-10", "ab", "b"]


def test_the_best_line_is_that_of_the_least_validation_loss():
    def best(rows):
        metrics = MetricsSummary()
        for row in rows:
            metrics.add(row)
        return metrics.best

    assert best([]) is None
    rows = [{"epoch": i, "train_loss": i, "validation_loss": v} for i, v in enumerate([3.0, 1.0, float("inf")])]
    assert best(rows) == rows[1]
    by_their_own = [{"epoch": i, "train_loss": i, "monitor_loss": v} for i, v in enumerate([3.0, 1.0, 2.0])]
    assert best(by_their_own) == by_their_own[1]
    assert best([{"train_loss": 2.0}, {"train_loss": 1.0, "validation_loss": None}]) == {
        "train_loss": 1.0,
        "validation_loss": None,
    }


def test_configs_are_compared_key_by_key():
    a = flatten({"x": {"y": [1, 8, 8]}, "layers": [{"conv": {"K": 2}}, {"fc": {}}]})
    assert a == {"x.y": [1, 8, 8], "layers.0.conv.K": 2}
    assert config_differences([a, a | {"x.y": [3, 8, 8], "z": 1}]) == {"x.y": [[1, 8, 8], [3, 8, 8]], "z": [None, 1]}


def test_a_folder_and_a_file_that_may_not_be_read_stop_no_list(two, monkeypatch):
    """As an ordinary user sees it; the tests may be run by one whom no permission binds."""
    closed, config = two / "a", two / "b" / "config.yaml"
    exists = os.path.exists
    monkeypatch.setattr("os.path.exists", lambda path: closed not in Path(path).parents and exists(path))
    monkeypatch.setattr("os.access", lambda path, *_, **options: Path(path) != closed)

    def load_config(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("cnntrain.runs.compare.load_config", load_config)
    runs = list_runs([two])["runs"]
    assert [run["problem"] for run in runs] == [
        "this folder cannot be read", f"{config.name} cannot be read: Permission denied",
    ]  # fmt: skip
    assert runs[1]["epochs"] > 0


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_folder_that_may_not_be_read(two):
    two.chmod(0)
    try:
        with pytest.raises(UsageError):
            list_runs([two])
    finally:
        two.chmod(0o755)


def test_differences_are_in_the_order_of_a_config():
    a, b = {"training.a": 1, "network.layers.10.fc.units": 2}, {"network.layers.2.fc.units": 1, "data.p": 3}
    assert list(config_differences([a, b])) == [
        "data.p", "network.layers.2.fc.units", "network.layers.10.fc.units", "training.a",
    ]  # fmt: skip


def test_the_runs_of_a_sweep_are_its_trials(two):
    two.rename(two.parent / "trials")
    (two.parent / "sweep.yaml").write_text("base: base.yaml\n")
    assert [path.name for path in run_folders(two.parent)] == ["a", "b"]
