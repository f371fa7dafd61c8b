"""ONNX Runtime and our engine on every test image of MNIST."""

import os
from pathlib import Path

import pytest

import cnntrain
from cnntrain.builder import build_for, load_config_data
from cnntrain.onnx_export.export import export
from cnntrain.weights.weights import save

ROOT = Path(__file__).parent.parent.parent


def test_mnist(tmp_path):
    if "CNNTRAIN_DATA" not in os.environ:
        pytest.skip("CNNTRAIN_DATA, the folder of real data sets, is not set")
    path = Path(os.environ["CNNTRAIN_DATA"]) / "mnist"
    config = cnntrain.load_config(ROOT / "configs" / "mnist_lenet5.yaml", [f"data.path={path}"])
    data = load_config_data(config)
    network = build_for(config, data)
    save(tmp_path / "weights.safetensors", network, config, data)
    report = export(tmp_path, tmp_path / "a.onnx", verify=True)["verified"]
    assert (report["split"], report["samples"]) == ("test", 10_000)
    assert report["largest_difference"] < 1e-5
    assert report["classes_that_differ"] == 0
