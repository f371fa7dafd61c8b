"""Runs to whose messages and results nobody listens: the same weights, and the status of the training."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="devices and terminals of Linux")

FILES = {"metrics.csv", "summary.json", "weights.safetensors", "environment.json"}
MAIN = "from cnntrain.cli.app import main; main()"
API = """
import sys
import cnntrain
cnntrain.train(cnntrain.load_config(sys.argv[1], ["training.Max=2"]), "run", plots=False)
"""


def run(words, tmp_path, **streams):
    if words[0] == "train":  # loading what draws takes most of a short command's time
        words = [*words, "--no-plots"]
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, words)], cwd=tmp_path, timeout=60, check=False, **streams
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """A config, and the weights that come of it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    config = folder / "c.yaml"
    config.write_text(
        "data: {source: digits, validation: 0.1}\n"
        "network:\n  layers:\n    - fc: {activation: softmax}\n"
        "training: {Max: 2, workers: 1}\n"
    )
    assert run(["train", config, "-o", "run"], folder, capture_output=True).returncode == 0
    return config, (folder / "run" / "weights.safetensors").read_bytes()


def check(folder, expected):
    assert {path.name for path in folder.iterdir()} >= FILES
    assert (folder / "weights.safetensors").read_bytes() == expected[1]


@pytest.mark.parametrize("options", [("rich",), ("plain", "--json"), ("none",)])
def test_a_full_disk_for_messages_and_results(expected, tmp_path, options):
    with open("/dev/full", "w") as full:
        shown = run(["train", expected[0], "-o", "run", "--progress", *options], tmp_path, stdout=full, stderr=full)
    assert shown.returncode == 0
    check(tmp_path / "run", expected)


def test_a_reader_who_has_left(expected, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as gone:
        shown = run(["train", expected[0], "-o", "run"], tmp_path, stdout=gone, stderr=gone)
    assert shown.returncode == 0
    check(tmp_path / "run", expected)


def test_streams_that_are_closed(expected, tmp_path):
    words = [sys.executable, "-c", MAIN, "train", str(expected[0]), "-o", "run", "--no-plots"]
    command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *words]
    assert subprocess.run(command, cwd=tmp_path, timeout=60, check=False).returncode == 0
    check(tmp_path / "run", expected)


def test_a_terminal_that_closes_while_a_run_is_shown(expected, tmp_path):
    ours, theirs = os.openpty()
    words = ["train", expected[0], "training.Max=40", "-o", "run", "--progress", "rich"]
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, *map(str, words), "--no-plots"], stdout=theirs, stderr=theirs, cwd=tmp_path
    ) as process:
        os.close(theirs)
        assert os.read(ours, 100)
        os.close(ours)  # nobody's controlling terminal: no signal comes, but each write fails
        assert process.wait(60) == 0
    assert {path.name for path in (tmp_path / "run").iterdir()} >= FILES


def test_a_script_of_ones_own(expected, tmp_path):
    with open("/dev/full", "w") as full:
        shown = subprocess.run(
            [sys.executable, "-c", API, str(expected[0])], cwd=tmp_path, stderr=full, timeout=60, check=False
        )
    assert shown.returncode == 0
    check(tmp_path / "run", expected)


def test_an_error_keeps_its_status_though_nobody_hears_of_it(tmp_path):
    with open("/dev/full", "w") as full:
        assert run(["eval", "nowhere"], tmp_path, stderr=full).returncode == 5
        assert run(["no-such-command"], tmp_path, stderr=full).returncode == 2


@pytest.mark.parametrize("words", [["--help"], ["data", "--help"], ["schema"]])
def test_what_a_command_is_for_must_be_written(words, tmp_path):
    with open("/dev/full", "w") as full:
        shown = run(words, tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (shown.returncode, shown.stderr) == (2, "error: No space left on device\n")
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as gone:
        shown = run(words, tmp_path, stdout=gone, stderr=subprocess.PIPE, text=True)
    assert (shown.returncode, shown.stderr) == (128 + signal.SIGPIPE, "")
