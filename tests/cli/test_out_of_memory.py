"""Running out of memory is a sentence with an exit status, in every command and wherever it happens."""

import json
import os
import subprocess
import sys
from importlib import import_module

import pytest
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.network.network import Network
from cnntrain.network.workspaces import MicroBatchWorkspace

WORDS = "Unable to allocate 1.2 GiB for an array with shape (300, 1000, 1000) and data type float32"
SENTENCE = (
    "error: there is not enough memory (1.2 GiB more was asked for): smaller images, a smaller training.batch_size, a "
    "smaller network or fewer --workers take less\n"
)
COMMANDS = {
    "train": ["train", "CONFIG", "--out", "new", "--progress", "none"],
    "dry-run": ["train", "CONFIG", "--dry-run", "--progress", "none"],
    "resume": ["resume", "RUN", "training.Max=3", "--progress", "none"],
    "eval": ["eval", "RUN"],
    "predict": ["predict", "RUN", "IMAGE"],
    "export": ["export", "RUN", "--onnx", "new.onnx", "--verify"],
    "gradcheck": ["gradcheck", "CONFIG", "--progress", "none"],
    "summary": ["summary", "CONFIG"],
    "bench": ["bench", "CONFIG", "--progress", "none"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory")
    (folder / "digits.yaml").write_text(
        "data: {source: digits, validation: 0.9}\ntraining: {Max: 1, workers: 1}\n"
        "network: {layers: [pool: {k: 4, type: max}, fc: {activation: softmax}]}\n"
    )
    image_module = import_module("PIL.Image")
    image_module.new("L", (8, 8)).save(folder / "image.png")
    shown = CliRunner().invoke(app, ["train", str(folder / "digits.yaml"), "--out", str(folder / "run")])
    assert shown.exit_code == 0, shown.stderr
    return folder


def no_memory(*args, **kwargs):
    raise MemoryError(WORDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_network_that_does_not_fit_is_a_sentence(folder, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MicroBatchWorkspace, "__init__", no_memory)
    places = {"CONFIG": folder / "digits.yaml", "RUN": folder / "run", "IMAGE": folder / "image.png"}
    shown = CliRunner().invoke(app, [str(places.get(word, word)) for word in COMMANDS[command]])
    assert (shown.exit_code, shown.stderr) == (8, SENTENCE)
    assert not list(tmp_path.glob("new*"))


def test_data_that_cannot_be_described_are_a_sentence(monkeypatch):
    monkeypatch.setattr(import_module("cnntrain.data.statistics"), "describe_data", no_memory)
    shown = CliRunner().invoke(app, ["data", "info", "digits", "--json"])
    assert (shown.exit_code, shown.stderr) == (8, SENTENCE)
    assert json.loads(shown.stdout)["error"]["exit"] == 8


def test_a_training_that_runs_out_of_memory_is_saved(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(
        import_module("cnntrain.training.fit"), "LossHistory", lambda: type("", (), {"add": no_memory})()
    )
    words = ["train", str(folder / "digits.yaml"), "--out", str(tmp_path / "run"), "--progress", "none", "--json"]
    freed = []
    free_workspaces = Network.free_workspaces
    monkeypatch.setattr(Network, "free_workspaces", lambda network: freed.append(free_workspaces(network)))
    manager = import_module("cnntrain.training.fit").CheckpointManager
    finish = manager.finish
    monkeypatch.setattr(manager, "finish", lambda self: (finish(self), freed.append("saved"))[0])
    shown = CliRunner().invoke(app, words)
    assert (shown.exit_code, shown.stderr) == (8, SENTENCE)
    assert json.loads(shown.stdout.splitlines()[0])["stop"] == "failed"
    assert freed.index(None) < freed.index("saved")  # the memory of micro-batches makes room for saving
    monkeypatch.undo()
    resumed = CliRunner().invoke(app, ["resume", str(tmp_path / "run"), "--progress", "none"])
    assert resumed.exit_code == 0, resumed.stderr
    weights = [path / "weights.safetensors" for path in (tmp_path / "run", folder / "run")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ImportError("libopenblas.so: failed to map segment from shared object"), 8),
        (ImportError("cannot import name 'facts'"), 1),
    ],
)
def test_a_library_that_finds_no_memory_is_a_sentence(monkeypatch, error, status):
    def fail(*args):
        raise error

    monkeypatch.setattr(import_module("cnntrain.data.statistics"), "describe_data", fail)
    assert CliRunner().invoke(app, ["data", "info", "digits"]).exit_code == status


LARGE = (
    "data: {source: digits}\ntraining: {Max: 1, batch_size: 64}\n"
    "network: {layers: [conv: {K: 32, F: 1, P: 600}, pool: {k: all, type: average}, fc: {activation: softmax}]}\n"
)


def limited(*words: str, gigabytes: float, code: str = ""):
    """Run a command in a process that may take so much memory."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, 2 * (int({gigabytes} * 2**30),)); {code}"
    return subprocess.run(
        [sys.executable, "-c", f"{limit}\nfrom cnntrain.cli.app import main; main()", *words],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit is one of Linux")
class TestUlimit:
    def test_a_run_that_is_too_large_is_refused(self, tmp_path):
        (tmp_path / "large.yaml").write_text(LARGE)
        shown = limited("train", str(tmp_path / "large.yaml"), "--out", str(tmp_path / "run"), gigabytes=1.2)
        assert shown.returncode == 8, shown.stderr
        assert "left by the limit of this process (ulimit); " in shown.stderr
        assert "Traceback" not in shown.stderr
        assert not (tmp_path / "run").exists()

    def test_summary_tells_the_memory_of_a_network_without_taking_it(self, tmp_path):
        (tmp_path / "large.yaml").write_text(LARGE)
        shown = limited("summary", str(tmp_path / "large.yaml"), "--json", gigabytes=1)
        assert json.loads(shown.stdout)["memory_bytes"] > 2e9

    @pytest.mark.parametrize("workers", [1, 2])
    def test_a_run_whose_limit_nobody_knew_ends_with_a_sentence(self, tmp_path, workers):
        (tmp_path / "large.yaml").write_text(LARGE)
        unknown = "import cnntrain.training.footprint as f; f.process_memory = lambda: None"
        words = ["train", str(tmp_path / "large.yaml"), "--out", str(tmp_path / "run"), "--workers", str(workers)]
        shown = limited(*words, gigabytes=1.2, code=unknown)
        assert shown.returncode in (7, 8), shown.stderr
        assert "there is not enough memory" in shown.stderr
        assert "Traceback" not in shown.stderr
