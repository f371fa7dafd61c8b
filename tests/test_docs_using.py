"""docs/using.md: its examples run, and its table describes the ONNX file."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import cnntrain
from cnntrain.onnx_export.export import export

PAGE = (Path(__file__).parent.parent / "docs" / "using.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(make_config, tmp_path_factory):
    """A folder with what the examples use: a run on the digits, and its ONNX file."""
    folder = tmp_path_factory.mktemp("using")
    layers = [{"fc": {"activation": "softmax"}}]
    cnntrain.train(
        make_config(layers, data={"source": "digits"}, Max=1, workers=1), out=folder / "runs" / "digits", plots=False
    )
    export(folder / "runs" / "digits", folder / "digits.onnx")
    return folder


EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_example_with_an_image_prepares_it_as_the_network_does(
    fit, channels, make_config, tmp_path, monkeypatch, capsys
):
    rng = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(rng.integers(0, 256, (13, 24, 3), dtype=np.uint8)).save(
                tmp_path / "photos" / name / f"{i}.png"
            )
    Image.fromarray(rng.integers(0, 256, (24, 17, 3), dtype=np.uint8)).save(tmp_path / "holiday.png")
    data = {"source": "images", "path": str(tmp_path / "photos"), "size": [8, 10], "fit": fit, "channels": channels}
    data |= {"validation": 0.0, "test": 0.0}
    cnntrain.train(
        make_config([{"fc": {"activation": "softmax"}}], data=data, Max=2, workers=1), out=tmp_path / "run", plots=False
    )
    export(tmp_path / "run", tmp_path / "photos.onnx")
    monkeypatch.chdir(tmp_path)
    (example,) = (example for example in EXAMPLES if "holiday.png" in example)
    exec(compile(example, "example.py", "exec"), {})
    name, probability = capsys.readouterr().out.split()
    (wanted,) = cnntrain.load("run").predict("holiday.png")
    assert (name, float(probability)) == (wanted["class"], pytest.approx(wanted["probability"], abs=1e-5))


@pytest.mark.parametrize("example", [example for example in EXAMPLES if "holiday.png" not in example])
def test_the_python_examples_run(example, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    exec(compile(example, "example.py", "exec"), {})
    first = capsys.readouterr().out.split()
    assert first[0] in "0123456789"
    assert 0.1 <= float(first[1]) <= 1


def test_the_table_of_the_onnx_file(folder):
    made = onnx.load(folder / "digits.onnx")
    documented = set(re.findall(r"^\| (?:\w+) `(\w+)` \|", PAGE, re.MULTILINE))
    names = {tensor.name for tensor in (*made.graph.input, *made.graph.output)}
    keys = {entry.key: entry.value for entry in made.metadata_props}
    assert documented == names | keys.keys() - {"cnntrain"}
    assert all(json.loads(keys[key]) for key in documented - names)
    assert f"opset {made.opset_import[0].version}" in PAGE
