"""Runs on features of a pretrained network: as exact as others, from training to the exported file."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from typer.testing import CliRunner

import cnntrain
from cnntrain.builder import load_config_data
from cnntrain.cli.app import app
from cnntrain.config import config_from_dict
from cnntrain.data.image_folder import extraction
from cnntrain.data.preprocessing import Preprocessing
from cnntrain.errors import CnntrainError, DataError, WeightsError
from cnntrain.onnx_export.export import export
from support.backbones import tiny_backbone


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with images of three colors and a backbone, and a cache of its own."""
    here = tmp_path_factory.mktemp("features")
    rng = np.random.default_rng(0)
    for c, name in enumerate(("red", "green", "blue")):
        (here / "photos" / name).mkdir(parents=True)
        for i in range(14):
            pixels = rng.integers(0, 120, (36 + i, 44, 3), dtype=np.uint8)
            pixels[:, :, c] += 100
            Image.fromarray(pixels).save(here / "photos" / name / f"{i:02}.jpg", quality=95)
    tiny_backbone(here / "tiny.onnx")
    return here


@pytest.fixture(autouse=True)
def cache(here, monkeypatch):
    monkeypatch.setenv("CNNTRAIN_CACHE", str(here / "cache"))


def config(here, layers=None, features=None, data=None, **training):
    section = {"source": "images", "path": str(here / "photos"), "validation": 0.2}
    section["features"] = {"backbone": str(here / "tiny.onnx")} | (features or {})
    layers = layers or [{"fc": {"activation": "softmax", "init": "zeros"}}]
    training = {"Max": 6, "batch_size": 8, "optimizer": "adam", "alpha": 0.05, "workers": 1} | training
    return config_from_dict({"data": section | (data or {}), "network": {"layers": layers}, "training": training}, "a")


@pytest.fixture(scope="module")
def run(here, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNTRAIN_CACHE", str(here / "cache"))
        path = tmp_path_factory.mktemp("run") / "run"
        cnntrain.train(config(here), out=path)
    return path


def weights(run):
    return (run / "weights.safetensors").read_bytes()


def test_what_is_stored_is_all_that_the_weights_need(run, here):
    preprocessing = cnntrain.load(run).preprocessing
    assert preprocessing.features.sha256
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict())), 4) == preprocessing
    assert len(set(preprocessing.std)) == 1
    assert set(preprocessing.mean) == {0.0}
    assert (run / "backbone.onnx").read_bytes() == (here / "tiny.onnx").read_bytes()
    assert {path.name for path in run.glob("*.png")} == {"confusion.png", "curves.png", "mistakes.png"}


def test_eval_and_predict_agree_to_the_last_bit(run, here):
    report = cnntrain.evaluate(run)
    assert report["accuracy"] > 0.8
    model = cnntrain.load(run)
    split = load_config_data(config(here), run).test
    files = [here / "photos" / name for name in split.names]
    predictions = model.predict(files)
    correct = [entry["class"] == Path(entry["file"]).parent.name for entry in predictions]
    assert sum(correct) / len(correct) == report["accuracy"]
    assert model.outputs(split.pixels(np.arange(len(split)))).max(axis=1).tolist() == [
        entry["probability"] for entry in predictions
    ]
    assert [entry["probability"] for path in files for entry in model.predict(path)] == [
        entry["probability"] for entry in predictions
    ]


def test_arrays_and_pillow_images_are_taken_like_files(run, here):
    path = next((here / "photos" / "red").iterdir())
    model = cnntrain.load(run)
    assert model.in_shape == (3, 32, 32)
    (expected,) = model.predict(path)
    with Image.open(path) as image:
        (found,) = model.predict(image)
        assert found["probability"] == expected["probability"]
        small = image.resize((32, 32))
    pixels = np.asarray(small)
    (one,), (two,) = model.predict(pixels), model.predict(pixels.astype(np.float32) / 255)
    assert one["probability"] == two["probability"]


def test_a_single_fc_on_features_begins_with_zeros(here):
    def inits(*layers):
        return [getattr(entry.options, "init", None) for entry in config(here, list(layers)).network.layers]

    assert inits(LAST) == ["zeros"]
    assert inits({"dropout": {"rate": 0.3}}, LAST) == [None, "zeros"]
    assert inits({"fc": {"activation": "softmax", "init": "he"}}) == ["he"]
    assert inits({"fc": {"units": 4, "activation": "relu"}}, LAST) == [None, None]
    pixels = config_from_dict({"data": {"source": "digits"}, "network": {"layers": [LAST]}}, "a")
    assert pixels.network.layers[0].options.init is None


@pytest.mark.slow
def test_the_weights_are_the_same_for_any_number_of_workers(here, tmp_path):
    for workers in (1, 2):
        options = {"views": 4}
        cnntrain.train(config(here, features=options, workers=workers), out=tmp_path / f"{workers}", plots=False)
    assert weights(tmp_path / "1") == weights(tmp_path / "2")
    cnntrain.train(config(here), out=tmp_path / "plain", plots=False)
    assert weights(tmp_path / "1") != weights(tmp_path / "plain")


def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(here, tmp_path):
    options = {"views": 3}
    cnntrain.train(config(here, features=options, Max=6), out=tmp_path / "whole", plots=False)
    cnntrain.train(config(here, features=options, Max=3), out=tmp_path / "parts", plots=False)
    cnntrain.resume(tmp_path / "parts", ["training.Max=6"], plots=False)
    assert np.array_equal(
        cnntrain.load(tmp_path / "whole").network.theta, cnntrain.load(tmp_path / "parts").network.theta
    )


def test_a_run_does_not_need_the_file_that_it_began_with(run, here, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    (here / "tiny.onnx").rename(here / "away.onnx")
    try:
        before = weights(copy)
        cnntrain.resume(copy, ["training.Max=7"], plots=False)
        assert weights(copy) != before
        assert cnntrain.evaluate(copy)["samples"] == 8
        assert cnntrain.evaluate(copy, data=here / "photos")["samples"] == 42
        assert cnntrain.load(copy).predict(here / "photos" / "red" / "00.jpg")
        (copy / "backbone.onnx").unlink()
        with pytest.raises(DataError, match=r"tiny\.onnx: the backbone cannot be read"):
            cnntrain.load(copy).predict(here / "photos" / "red" / "00.jpg")
    finally:
        (here / "away.onnx").rename(here / "tiny.onnx")


def test_another_backbone_is_refused(run, here, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "backbone.onnx").unlink()
    tiny_backbone(tmp_path / "other.onnx", seed=1)
    with pytest.raises(WeightsError, match="with sha256"):
        cnntrain.evaluate(copy, overrides=[f"data.features.backbone={tmp_path / 'other.onnx'}"])
    with pytest.raises(CnntrainError, match=r"data\.features\.views is 1 in this run and cannot become 2"):
        cnntrain.resume(copy, ["data.features.views=2"])


LAST = {"fc": {"activation": "softmax"}}
MAP = [{"conv": {"K": 3, "F": 3, "activation": "relu"}}, {"pool": {"k": "all", "type": "average"}}, LAST]


@pytest.mark.parametrize(
    ("features", "model", "layers"),
    [
        ({}, {}, [LAST]),
        ({"order": "bgr"}, {"layout": "NHWC"}, [{"fc": {"units": 5, "activation": "relu"}}, LAST]),
        ({}, {"batch": 1, "opset": 11}, [LAST]),
        ({"output": "map"}, {}, MAP),
    ],
)
def test_export_gives_one_file_from_pixels_to_probabilities(here, tmp_path, features, model, layers):
    backbone = tiny_backbone(tmp_path / "backbone.onnx", **model)
    features = {"backbone": str(backbone)} | features
    cnntrain.train(config(here, layers, features, Max=2), out=tmp_path / "run", plots=False)
    result = export(tmp_path / "run", tmp_path / "model.onnx", verify=True)
    assert result["verified"]["largest_difference"] < 1e-6
    assert result["verified"]["classes_that_differ"] == 0
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)
    (found,) = session.run(None, {"pixels": pixels})
    np.testing.assert_allclose(found, cnntrain.load(tmp_path / "run").outputs(pixels), atol=1e-6)
    metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert json.loads(metadata["input"])["size"] == [32, 32]
    assert not list(tmp_path.glob("*.data"))


def test_a_network_that_cannot_take_a_batch_is_exported_for_one_image(here, tmp_path):
    model = onnx.load(tiny_backbone(tmp_path / "backbone.onnx", batch=1))
    shape = onnx.numpy_helper.from_array(np.array([1, 4], np.int64), "shape")
    model.graph.initializer.append(shape)
    flatten = next(node for node in model.graph.node if node.op_type == "Flatten")
    flatten.CopyFrom(onnx.helper.make_node("Reshape", [flatten.input[0], "shape"], ["flat"]))
    onnx.save(model, tmp_path / "backbone.onnx")
    features = {"backbone": str(tmp_path / "backbone.onnx")}
    cnntrain.train(config(here, None, features, Max=1), out=tmp_path / "run", plots=False)
    assert export(tmp_path / "run", tmp_path / "model.onnx", verify=True)["verified"]["samples"] == 8
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert session.get_inputs()[0].shape == [1, 3, 32, 32]


def test_commands_work_on_such_runs(run, here, tmp_path):
    def call(*words):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "passed" in call("gradcheck", run, "--samples", "3")
    assert "fc softmax" in call("summary", run)
    assert json.loads(call("predict", run, here / "photos" / "red", "--json"))["failed"] == 0
    shown = call("data", "info", run / "config.yaml", "--sheet", tmp_path / "sheet.png")
    assert "4 per image by tiny.onnx" in shown
    assert "3 x 32 x 32" in shown
    assert "features of training images" in shown
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert np.asarray(sheet)[:, :, 0].max() > 200
    assert "features: " in call("data", "list")


def test_an_interrupt_stops_the_computation(here, monkeypatch):
    seen = []

    def read(path, spec):
        seen.append(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(extraction, "read_image", read)
    with pytest.raises(KeyboardInterrupt):
        cnntrain.load_data(config(here, features={"views": 7}))
    assert len(seen) < 42
