"""A stranger's folder of images, from the files to a network in use."""

import json

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.data.image_folder.decode import read_image
from cnntrain.data.image_spec import ImageSpec

CONFIG = """\
data: {source: images, path: holiday, size: [12, 10], fit: pad, validation: 0, test: 0.3}
network:
  layers:
    - conv: {K: 4, F: 3, P: 1}
    - batch_norm: {activation: relu}
    - pool: {k: all, type: average}
    - dropout: {}
    - fc: {activation: softmax}
training: {Max: 1, batch_size: 8, seed: 1}
"""


def cnntrain(*words):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Images of several formats and modes, sizes and depths."""
    rng = np.random.default_rng(0)
    kinds = [
        ("png", "RGBA"),
        ("jpg", "RGB"),
        ("gif", "P"),
        ("bmp", "RGB"),
        ("tiff", "L"),
        ("webp", "RGB"),
        ("jpg", "L"),
    ]
    for name in ("cat & dog", "été", "sea"):
        for i, (ending, mode) in enumerate(kinds):
            path = tmp_path / "holiday" / name / "deep" / f"{i} of {len(kinds)}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (9 + 5 * i, 30 - 3 * i, 3), dtype=np.uint8)
            Image.fromarray(pixels).convert(mode).save(path)
        (tmp_path / "holiday" / name / "notes.txt").write_text("nothing to see")
    (tmp_path / "a.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CNNTRAIN_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_train_predict_and_export_agree(folder):
    trained = cnntrain("train", "a.yaml", "--out", "run", "--json", "--progress", "none", "--no-plots")
    assert trained["test"]["samples"] == 6
    rows = [line.split(",") for line in (folder / "run" / "split.csv").read_text(encoding="utf-8").splitlines()]
    truth = {f"holiday/{file}": name for file, name, split in rows if split == "test"}
    predictions = cnntrain("predict", "run", *truth, "--json", "--top", "3")["predictions"]
    assert [entry["file"] for entry in predictions] == list(truth)
    right = [entry["class"] == truth[entry["file"]] for entry in predictions]
    assert np.mean(right) == cnntrain("eval", "run", "--json")["accuracy"] == trained["test"]["accuracy"]
    everything = cnntrain("predict", "run", "holiday", "--json")["predictions"]
    assert len(everything) == 21

    report = cnntrain("export", "run", "--onnx", "a.onnx", "--verify", "--json")["verified"]
    assert (report["split"], report["samples"], report["classes_that_differ"]) == ("test", 6, 0)
    session = onnxruntime.InferenceSession("a.onnx")
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["preprocessing"])["fit"] == "pad"
    pixels = np.stack([read_image(file, ImageSpec(3, 12, 10, "pad")) for file in truth])
    (probabilities,) = session.run(None, {"pixels": pixels})
    wanted = [{guess["class"]: guess["probability"] for guess in entry["top"]} for entry in predictions]
    names = json.loads(told["classes"])
    np.testing.assert_allclose(probabilities, [[row[name] for name in names] for row in wanted], atol=1e-5)
