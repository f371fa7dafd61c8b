import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnntrain.cli.app import app


def summary(*words: str):
    return CliRunner().invoke(app, ["summary", *words])


def test_shows_layers_and_memory(network_file):
    shown = summary(str(network_file), "network.layers.0.conv.K=4")
    assert shown.exit_code == 0
    rows = shown.stdout.splitlines()
    assert rows[2].split()[:5] == ["0", "conv", "K=4", "F=3", "S=2"]
    assert rows[-1].startswith("memory for training: ")
    assert shown.stderr == ""


def test_json_has_the_keys_of_the_contract(network_file):
    result = json.loads(summary(str(network_file), "--json").stdout)
    assert (
        result["layers"][0].items()
        >= {
            "index": 0,
            "type": "conv",
            "output_shape": [2, 3, 3],
            "parameters": 20,
            "multiply_adds": 162,
        }.items()
    )
    assert result["parameters"] == 50
    assert result["memory_bytes"] > 0


def test_a_run_has_a_summary_too(digits_file, tmp_path):
    folder = str(tmp_path / "run")
    CliRunner().invoke(app, ["train", str(digits_file), "--out", folder, "--progress", "none", "--no-plots"])
    of_run, of_config = (summary(words).stdout.splitlines() for words in (folder, str(digits_file)))
    assert of_run[:-1] == of_config[:-1]
    assert of_run[-1].split("; free: ")[0] == of_config[-1].split("; free: ")[0]
    assert summary(f"{folder}/best.safetensors", "--json").exit_code == 0


def test_images_count_where_the_network_needs_them(digits_file):
    shown, without = (summary(str(digits_file), *words).stdout.splitlines()[-1] for words in (
        ["network={layers: [fc: {activation: softmax}]}"], []
    ))  # fmt: skip
    assert " worker; free: " in shown
    assert " worker and no images; free: " in without


def test_a_missing_file_is_a_sentence():
    shown = summary("configs/[conv].yaml")
    assert shown.exit_code == 2
    assert shown.stderr.startswith("error: configs/[conv].yaml")
    assert len(shown.stderr.splitlines()) == 1


def run_into(stdout: int, network_file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cnntrain", "summary", str(network_file)]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def test_a_reader_who_left_hears_nothing(network_file):
    reader, writer = os.pipe()
    os.close(reader)
    shown = run_into(writer, network_file)
    os.close(writer)
    assert (shown.returncode, shown.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no disk that is always full")
def test_a_full_disk_is_a_sentence(network_file):
    with open("/dev/full", "w") as full:
        shown = run_into(full.fileno(), network_file)
    assert (shown.returncode, shown.stderr) == (2, f"error: {os.strerror(errno.ENOSPC)}\n")


def test_a_bug_keeps_its_traceback(network_file):
    code = "import cnntrain.network.summary as s; s.describe = None; from cnntrain.cli.app import main; main()"
    command = [sys.executable, "-c", code, "summary", str(network_file)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 1
    assert shown.stderr.startswith("Traceback")
    assert shown.stderr.splitlines()[-1].startswith("TypeError")
