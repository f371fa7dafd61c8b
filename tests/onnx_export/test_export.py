import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import cnntrain
from cnntrain.errors import DataError, ExportError, OutOfMemoryError, UsageError
from cnntrain.inference.predictor import load
from cnntrain.onnx_export import verification
from cnntrain.onnx_export.export import export


def test_writes_a_file_that_gives_the_probabilities(digits_run, tmp_path):
    file = tmp_path / "a file.onnx"
    result = export(digits_run, file, verify=True)
    assert result == {
        "onnx": str(file),
        "opset": 17,
        "bytes": file.stat().st_size,
        "verified": {
            "split": "test",
            "samples": 360,
            "largest_difference": result["verified"]["largest_difference"],
            "classes_that_differ": 0,
        },
    }
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    session = onnxruntime.InferenceSession(file)
    for count in (1, 3):
        pixels = np.random.default_rng(0).integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)
        (probabilities,) = session.run(None, {"pixels": pixels})
        np.testing.assert_allclose(probabilities, load(digits_run).outputs(pixels), atol=1e-6)


def test_the_same_run_gives_the_same_bytes(digits_run, tmp_path):
    for name in ("a.onnx", "b.onnx"):
        assert export(digits_run, str(tmp_path / name))["verified"] is None
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_file_that_is_there_is_kept(digits_run, tmp_path):
    file = tmp_path / "a.onnx"
    file.write_text("precious")
    with pytest.raises(UsageError, match="exists already"):
        export(digits_run, file)
    assert file.read_text() == "precious"


def test_a_missing_folder_is_named(digits_run, tmp_path):
    with pytest.raises(UsageError, match="there is no folder"):
        export(digits_run, tmp_path / "nowhere" / "a.onnx")


def test_a_difference_is_an_error_and_nothing_is_written(digits_run, tmp_path, monkeypatch):
    right = verification.compare
    monkeypatch.setattr(verification, "compare", lambda *args: right(*args) | {"largest_difference": 2e-5})
    with pytest.raises(ExportError, match=r"not written: on 360 images of the test split .* by up to 2\.0e-05"):
        export(digits_run, tmp_path / "a.onnx", verify=True)
    assert list(tmp_path.iterdir()) == []


def test_data_that_moved_are_told(digits_run, tmp_path):
    with pytest.raises(DataError):
        export(digits_run, tmp_path / "a.onnx", True, ["data.source=idx", f"data.path={tmp_path}"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_a_sentence_with_the_command(package, digits_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf'package {package} is needed .*pip install "cnntrain\[onnx\]"'):
        export(digits_run, tmp_path / "a.onnx", verify=True)


@pytest.mark.parametrize("name", ["", ".", "folder"])
def test_a_folder_is_no_file_to_write(digits_run, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="this is a folder; give the name of a file"):
        export(digits_run, name)


@pytest.fixture
def deep_run(make_config, tmp_path):
    """A run on images that differ in what bytes would lose, and its test images."""
    labels = np.arange(80) % 2
    images = np.random.default_rng(0).integers(396, 404, (80, 6, 6)).astype(np.uint16)
    images[labels == 1, 2:5, 2:5] += 8
    path = tmp_path / "deep.npz"
    np.savez(path, x_train=images[:60], y_train=labels[:60], x_test=images[60:], y_test=labels[60:])
    config = make_config(
        [{"fc": {"activation": "softmax"}}], data={"source": "npz", "path": str(path)}, Max=3, batch_size=8, workers=1
    )
    cnntrain.train(config, out=tmp_path / "run", plots=False)
    return tmp_path / "run", images[60:]


def test_a_file_of_a_network_of_16_bits_takes_floats(deep_run, tmp_path):
    run, images = deep_run
    result = export(run, tmp_path / "a.onnx", verify=True)
    assert result["verified"]["samples"] == 20
    assert result["verified"]["classes_that_differ"] == 0
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    (pixels,) = session.get_inputs()
    assert pixels.type == "tensor(float)"
    about = json.loads(session.get_modelmeta().custom_metadata_map["input"])
    assert (about["pixels"], about["white"]) == ("float32", 65535)
    (probabilities,) = session.run(None, {"pixels": (images[:, None] / 65535).astype(np.float32)})
    model = cnntrain.load(run)
    assert [entry["class"] for entry in model.predict(images)] == [str(i) for i in probabilities.argmax(axis=1)]
    assert len(set(probabilities.argmax(axis=1))) == 2
    doc = onnx.load(tmp_path / "a.onnx").graph.input[0].doc_string
    assert doc == "Pixels 0..1: those of the training images, divided by 65535."


def test_weights_that_do_not_say_what_is_white_learn_it_from_their_data(deep_run, tmp_path):
    run, _ = deep_run
    path = run / "weights.safetensors"
    with safe_open(path, "numpy") as file:
        about = json.loads(file.metadata()["cnntrain"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del about["preprocessing"]["white"], about["preprocessing"]["floats"]
    save_file(tensors, path, {"cnntrain": json.dumps(about)})
    assert export(run, tmp_path / "a.onnx", verify=True)["verified"]["classes_that_differ"] == 0
    assert onnxruntime.InferenceSession(tmp_path / "a.onnx").get_inputs()[0].type == "tensor(float)"


def test_bytes_are_not_verified_on_floats(make_config, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 2
    np.savez(tmp_path / "bytes.npz", images=rng.integers(0, 256, (20, 4, 4), dtype=np.uint8), labels=labels)
    np.savez(tmp_path / "floats.npz", images=rng.random((20, 4, 4)), labels=labels)
    data = {"source": "npz", "path": str(tmp_path / "bytes.npz")}
    cnntrain.train(
        make_config([{"fc": {"activation": "softmax"}}], data=data, Max=1, workers=1), out=tmp_path / "run", plots=False
    )
    with pytest.raises(DataError, match="the images of the train split are not bytes"):
        export(tmp_path / "run", tmp_path / "a.onnx", True, [f"data.path={tmp_path / 'floats.npz'}"])
    assert not (tmp_path / "a.onnx").exists()


@pytest.mark.parametrize(
    ("text", "error"),
    [("bfc_arena.cc:360 Failed to allocate memory", OutOfMemoryError), ("no kernel\n\x1b[1m", ExportError)],
)
def test_a_failure_of_onnx_runtime_is_a_sentence(digits_run, tmp_path, monkeypatch, text, error):
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail

    from cnntrain.onnx_export import verification

    class Session(verification.InferenceSession):
        def run(self, *_):
            raise Fail(text)

    monkeypatch.setattr(verification, "InferenceSession", Session)
    with pytest.raises(error) as told:
        export(digits_run, tmp_path / "a.onnx", verify=True)
    assert str(told.value).isprintable()
    assert not (tmp_path / "a.onnx").exists()
