"""docs/using.md: its examples run, and its tables say what a file holds."""

import json
import re
import runpy
from pathlib import Path

import onnx
import pytest

import cnntrain
from cnntrain.exporting import export

PAGE = (Path(__file__).parent.parent / "docs" / "using.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(make_config, tmp_path_factory):
    """Where the examples find what they name: a run on the digits, and its ONNX file."""
    folder = tmp_path_factory.mktemp("using")
    layers = [{"fc": {"activation": "softmax"}}]
    cnntrain.train(make_config(layers, data={"source": "digits"}, Max=1, workers=1), out=folder / "runs" / "digits")
    export(folder / "runs" / "digits", folder / "digits.onnx")
    return folder


@pytest.mark.parametrize("example", re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
def test_the_python_examples_run(example, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "example.py").write_text(example, encoding="utf-8")
    runpy.run_path("example.py")
    first = capsys.readouterr().out.split()
    assert first[0] in "0123456789"
    assert 0.1 <= float(first[1]) <= 1


def test_the_table_of_the_onnx_file(folder):
    made = onnx.load(folder / "digits.onnx")
    told = set(re.findall(r"^\| (?:\w+) `(\w+)` \|", PAGE, re.MULTILINE))
    names = {tensor.name for tensor in (*made.graph.input, *made.graph.output)}
    keys = {entry.key: entry.value for entry in made.metadata_props}
    assert told == names | keys.keys() - {"cnntrain"}
    assert all(json.loads(keys[key]) for key in told - names)
    assert f"opset {made.opset_import[0].version}" in PAGE
