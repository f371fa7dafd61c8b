import io
import json

import pytest
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.cli.views.runs_view import show


def call(*words: str):
    return CliRunner().invoke(app, ["runs", *words])


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Makes a run folder below the working folder."""
    monkeypatch.chdir(tmp_path)

    def make(name, alpha=0.1):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(
            "data: {source: digits}\nnetwork: {layers: [fc: {activation: softmax}]}\n"
            f"training: {{alpha: {alpha}}}\n"
        )
        rows = [{"epoch": i, "validation_loss": 1 / i, "validation_accuracy": 0.9, "seconds": 40.0} for i in (1, 2)]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        summary = {"stop": "max", "epochs": 2, "seconds": 80.5, "test": {"loss": 0.5, "accuracy": 0.875}}
        (folder / "summary.json").write_text(json.dumps(summary))
        (folder / "environment.json").write_text('{"started": "2025-03-01T10:00:00+00:00"}')
        return folder

    return make


def test_lists_the_runs_of_the_folder_runs(run):
    run("a")
    run("b")
    shown = call()
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert [line.rstrip() for line in shown.stdout.splitlines()] == [
        "run  source  stopped  epochs  best val.     test  time         day",
        "a    digits  max           2    90.00 %  87.50 %  1:20  2025-03-01",
        "b    digits  max           2    90.00 %  87.50 %  1:20  2025-03-01",
    ]


def test_compares_runs_that_are_named(run):
    run("a")
    run("b", alpha=0.2)
    shown = call("runs/a", "runs/b")
    assert [line.split() for line in shown.stdout.splitlines()[:4]] == [
        ["a", "b"],
        ["training.alpha", "0.1", "0.2"],
        [],
        ["stopped", "max", "max"],
    ]
    assert json.loads(call("runs/a", "runs/b", "--json").stdout)["differences"] == {"training.alpha": [0.1, 0.2]}


def test_what_is_broken_is_told_on_stderr(run):
    run("a")
    (run("b") / "summary.json").write_text("[broken]")
    (run("c") / "summary.json").unlink()
    shown = call("runs")
    assert shown.exit_code == 0
    assert shown.stderr.startswith("warning: runs/b: summary.json cannot be read")
    assert "[broken]" not in shown.stdout
    assert [line.split()[2] for line in shown.stdout.splitlines()[1:4]] == ["max", "broken", "unfinished"]
    assert shown.stdout.splitlines()[-1] == "unfinished: still running, or killed"


def test_no_runs_is_status_2(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = call()
    assert shown.exit_code == 2
    assert shown.stderr.startswith("error: runs: no runs found")


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("width", [80, 120, 30])
@pytest.mark.parametrize("compared", [False, True])
def test_any_names_fit_any_width(count, width, compared):
    made = {
        "run": "runs/" + "n" * 90, "source": "fashion-mnist", "stop": None, "epochs": 12_345, "best": None,
        "train": None, "validation": None, "test": {"accuracy": 1.0, "loss": 1e9}, "seconds": 1e6, "started": None,
        "problem": None,
    }  # fmt: skip
    differences = {"network.layers.10.batch_norm.momentum": [0.123456789] * count, "data.path": ["/p" * 90] * count}
    stream = io.StringIO()
    result = {"runs": [made] * count, "differences": differences if compared else None}
    show(result, Console(file=stream, width=width, markup=False, highlight=False, emoji=False))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert max(map(cell_len, lines)) <= width
    if width >= 80:
        assert sum(line.count("100.00 %") for line in lines) == count


def test_runs_are_sorted_by_a_key_that_is_shown(run):
    for name, alpha in (("a", 0.3), ("b", 0.1), ("c", 0.2)):
        run(name, alpha)
    lines = call("--sort", "training.alpha").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["run", "b", "c", "a"]
    assert [line.split()[-1] for line in lines] == ["training.alpha", "0.1", "0.2", "0.3"]
    assert json.loads(call("--sort", "-run", "--json").stdout)["runs"][0]["run"] == "runs/c"
    shown = call("--sort", "nothing")
    assert (shown.exit_code, shown.stdout) == (2, "")


def test_a_csv_table_has_the_keys_that_differ(run):
    run("a")
    run("b", alpha=0.2)
    lines = call("--csv").stdout.splitlines()
    assert lines[0].split(",")[:2] == ["run", "source"]
    assert lines[0].split(",")[-1] == "training.alpha"
    assert [line.split(",")[0] for line in lines[1:]] == ["runs/a", "runs/b"]
    assert call("--csv", "--json").exit_code == 2


def test_runs_that_differ_by_seed_get_mean_and_deviation(run):
    for name, seed, accuracy in (("a", 0, 0.9), ("b", 1, 0.94)):
        folder = run(name)
        text = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(text.replace("alpha: 0.1", f"alpha: 0.1, seed: {seed}"))
        rows = [{"epoch": 1, "validation_loss": 0.5, "validation_accuracy": accuracy, "seconds": 1.0}]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for words in ((), ("runs/a", "runs/b")):
        lines = call(*words).stdout.splitlines()
        assert "2 runs that differ only by seed: a, b" in lines
        assert "   validation  accuracy 92.00 ± 2.83 %, loss 0.5000 ± 0.0000" in lines
        assert "   test        accuracy 87.50 ± 0.00 %, loss 0.5000 ± 0.0000" in lines
