import json
import sys

import numpy as np
import onnxruntime
import pytest

from cnntrain.errors import DataError, ExportError, UsageError
from cnntrain.exporting import export, verification
from cnntrain.model import load


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


def test_float_pixels_are_rounded_to_bytes():
    np.testing.assert_array_equal(verification.as_bytes(np.float32([0, 0.5, 1])), np.uint8([0, 128, 255]))
    assert json.dumps(verification.as_bytes(np.uint8([7])).tolist()) == "[7]"
