"""The scripts in benchmarks/ run and print what they should; how fast anything is, no test says."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "benchmarks"
SMALL = """\
network:
  input: [1, 8, 8]
  layers:
    - conv: {K: 2, F: 3, activation: relu}
    - conv: {K: 3, F: 3, activation: relu}
    - fc: {units: 10, activation: softmax}
"""
MACHINE = {"processor", "cores", "system", "python", "numpy", "blas", "torch", "cnntrain", "load"}
with_torch = pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
without_torch = pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed")


def run(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / script), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def result(script: str, *words: object) -> dict:
    done = run(script, *words, "--json")
    assert done.stderr == ""
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found.pop("machine").keys() == MACHINE
    return found


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def images(tmp_path):
    """A folder like MNIST's, with images that say their class."""
    rng = np.random.default_rng(0)
    for name, count in (("train", 200), ("t10k", 50)):
        labels = rng.integers(0, 10, count, np.uint8)
        pixels = rng.integers(0, 50, (count, 28, 28), np.uint8)
        pixels[np.arange(count), 2 * labels, :] = 255
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(
            bytes([0, 0, 8, 3]) + np.array(pixels.shape, ">i4").tobytes() + pixels.tobytes()
        )
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(
            bytes([0, 0, 8, 1]) + np.array(labels.shape, ">i4").tobytes() + labels.tobytes()
        )
    return tmp_path


def test_kernels(small):
    found = result("kernels.py", small, "--rounds", 1, "--seconds", 0.001)
    first, second = found["layers"]
    assert first["layer"] == "layers[0] 1 x 8 x 8 -> 2"
    assert first.keys() == {"layer", "forward", "dW"}, "nobody wants the delta of the pixels"
    assert second.keys() == {"layer", "forward", "dW", "delta_prev"}
    assert found["peak_gflops"] > 0
    assert found["share"] == pytest.approx(found["gflops"] / found["peak_gflops"])
    shown = run("kernels.py", small, "network.layers.0.conv.K=4", "--rounds", 1, "--seconds", 0.001)
    assert "layers[0] 1 x 8 x 8 -> 4" in shown.stdout


def test_startup():
    found = result("startup.py", "--rounds", 1, "--commands", "python", "help")
    assert list(found["seconds"]) == ["python -c pass", "cnntrain --help"]
    assert run("startup.py", "--rounds", 1, "--commands", "python").stdout.splitlines()[-1].endswith(" s")


def test_workers():
    (digits,) = result(
        "workers.py", "--networks", "digits", "--batch-size", 4, "--workers", 2, "--rounds", 1, "--seconds", 0.001
    )["results"]
    assert digits["workers"] == [1, 2]
    assert min(digits["ms"]) > 0


def test_pictures(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (9, 9)).save(tmp_path / name / "1.png")
    found = result("images.py", tmp_path, "--rounds", 1, "--size", 4)
    assert found["images"] == 2
    assert found["seconds"].keys() == {"Pillow alone", "first run", "second run"}


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells a process's share")
def test_memory(small):
    data = ["data.source=digits", "training.Max=1", "training.batch_size=16"]
    found = result("memory.py", small, *data, "--workers", 2)
    assert 1e6 < found["peak_bytes"] < 1e9


def test_inference(small):
    found = result("inference.py", small, "--images", 40, "--rounds", 1, "--seconds", 0.01)
    (small_network,) = found["results"]
    assert (small_network["network"], small_network["images"]) == ("small", 40)
    rates = [small_network[f"{side}_images_per_second"] for side in ("cnntrain", "onnxruntime")]
    assert small_network["ratio"] == pytest.approx(rates[0] / rates[1])
    assert small_network["onnxruntime_batch_size"] in (1, 8, 32)
    assert small_network["largest_difference"] < 1e-5
    assert found["onnxruntime"]
    shown = run("inference.py", "--networks", "digits", "--images", 8, "--rounds", 1, "--seconds", 0.01)
    assert shown.stdout.splitlines()[-1].startswith("digits ")


@without_torch
@pytest.mark.parametrize("words", [["step.py"], ["epoch.py", "nowhere"]])
def test_what_needs_torch_says_so(words):
    done = run(*words)
    assert done.returncode == 1
    assert done.stderr.endswith("which is not installed here: pip install torch\n")


@with_torch
def test_step():
    (digits,) = result("step.py", "--networks", "digits", "--rounds", 1, "--seconds", 0.01)["results"]
    assert (digits["network"], digits["batch_size"]) == ("digits", 32)
    better = min(digits["contiguous_ms"], digits["channels_last_ms"])
    assert digits["ratio"] == pytest.approx(better / digits["cnntrain_ms"])
    assert digits["torch_share"] == pytest.approx(digits["share"] / digits["ratio"])
    assert [layer["type"] for layer in digits["layers"]] == ["conv", "pool", "conv", "pool", "fc"]
    assert digits["gemm_gflops"] > 0


@with_torch
def test_step_of_a_config(tmp_path):
    training = """\
training: {optimizer: OPTIMIZER, batch_size: 6, label_smoothing: 0.1}
"""
    layers = """\
network:
  input: [3, 12, 12]
  layers:
    - conv: {K: 4, F: 3, P: 1}
    - batch_norm: {activation: relu}
    - pool: {k: 2, type: max}
    - pool: {k: all, type: average}
    - dropout: {rate: 0.3}
    - fc: {units: 5, activation: softmax}
"""
    paths = [tmp_path / f"{name}.yaml" for name in ("adamw", "adam", "rmsprop", "sgd")]
    for path in paths:
        path.write_text(layers + training.replace("OPTIMIZER", path.stem))
    found = result("step.py", *paths, "--workers", 1, "--rounds", 1, "--seconds", 0.01)["results"]
    assert [(one["network"], one["batch_size"]) for one in found] == [(path.stem, 6) for path in paths]
    assert [layer["type"] for layer in found[0]["layers"]] == ["conv", "batch_norm", "pool", "pool", "dropout", "fc"]
    assert run("step.py", tmp_path / "none.yaml").stderr.endswith("none.yaml: there is no such file\n")
    paths[0].write_text(layers + "training: {loss: mse}\n")
    refused = run("step.py", paths[0])
    assert refused.returncode == 1
    assert refused.stderr == f"{paths[0]}: training.loss is mse, and only cross_entropy is compared\n"


@with_torch
def test_epoch(images):
    words = ["--config", ROOT / "configs" / "mnist_lenet5.yaml", "--rounds", 1, "--workers", 1, "--accuracy", 0.5]
    found = result("epoch.py", images, *words, "--layouts", "contiguous")
    assert found["epochs"] >= 1
    assert found["accuracy"].keys() == found["seconds"].keys() == {"cnntrain", "contiguous"}
    assert found["accuracy"]["cnntrain"] >= 0.5
