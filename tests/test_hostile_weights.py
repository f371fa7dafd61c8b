"""Weights whose metadata were made to harm: whatever stands in any place, the file is used or refused in a sentence."""

import json
import re
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnntrain
from cnntrain.builder import build_for
from cnntrain.config import config_from_dict
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.errors import WeightsError
from cnntrain.evaluation.evaluate import evaluate
from cnntrain.gradient_check.check import load_network
from cnntrain.onnx_export.export import export
from cnntrain.weights.weights import KEY, save

DEEP = "[" * 100_000 + "]" * 100_000
HOSTILE = [
    *("Infinity", "-Infinity", "NaN", "1e400", "-1e400", "1e308", "-1", "0", "true", "false", "null", '""', "[]", "{}"),
    *("1" + "0" * 400, "-1" + "0" * 400, "0.5", "1e-320", '"x"', '"\\u0000\\u001b[2J"', "[[1]]", '{"a": 1}', "[null]"),
    *("[" * 900 + "]" * 900, DEEP, "9" * 5000, '"' + "y" * 100_000 + '"', '["a", "a"]', "[1, 8, Infinity]"),
]
OF_PYTHON = re.compile(
    r"<|object at|NoneType|'(int|str|list|dict|float)'|argument|operand|subscript|Traceback|literal|convert|"
    r"out of range|attribute|recursion|Error|iterable|unpack|sequence"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The tensors' bytes of a small weights file, its header, and its metadata."""
    layers = [
        {"conv": {"K": 2, "F": 3, "activation": "relu"}},
        {"batch_norm": {}},
        {"pool": {"k": 2, "type": "max"}},
        {"dropout": {"rate": 0.1}},
        {"fc": {"activation": "softmax"}},
    ]
    config = config_from_dict({"data": {"source": "digits"}, "network": {"layers": layers}}, "a test")
    data = Data(Dataset(np.zeros((1, 1, 8, 8), "u1"), np.zeros(1, int)), None, None, ("a", "b"), Preprocessing.none(1))
    path = tmp_path_factory.mktemp("whole") / "a.safetensors"
    save(path, build_for(config, data), config, data)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return path.parent, content[8 + length :], header, json.loads(header["__metadata__"][KEY])


def places(content, way=()):
    """The way to every value in nested lists and mappings."""
    yield way
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield from places(value, (*way, key))


def written(whole, way, text):
    """A weights file with ``text``, which need not be JSON that Python can make, in one place beside the tensors."""
    folder, tensors, header, about = whole
    about = json.loads(json.dumps(about))
    if way:
        *above, last = way
        holder = about
        for key in above:
            holder = holder[key]
        holder[last] = "HERE"
    beside = json.dumps(about).replace('"HERE"', text) if way else text
    head = json.dumps(header | {"__metadata__": {KEY: beside}}).encode()
    path = folder / "b.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + tensors)
    return path


def refused(path, use):
    """The sentence that a use of a file ends in; None where it does not."""
    try:
        use(path)
    except WeightsError as error:
        text = str(error)
        assert text.count(str(path)) == 1
        assert text.startswith(f"{path}: ")
        assert len(text) < 3_000
        assert not OF_PYTHON.search(text), text
        return text
    return None


@given(data=st.data())
def test_any_value_anywhere_is_used_or_refused_in_a_sentence(whole, data):
    way = data.draw(st.sampled_from([*places(whole[3])]), "place")
    refused(written(whole, way, data.draw(st.sampled_from(HOSTILE), "value")), cnntrain.load)


@pytest.mark.parametrize("way", [("input", 0), ("input", 2), ("input",), ("classes",), ("preprocessing", "mean", 0)])
@pytest.mark.parametrize("text", ["Infinity", "-1e400", "true", "1" + "0" * 400, "-8", DEEP, "NaN", "1.5"])
def test_numbers_that_no_image_has_are_refused(whole, way, text):
    assert refused(written(whole, way, text), cnntrain.load)


@pytest.mark.parametrize("text", ["[Infinity, 8, 8]", "[1, 8, -1e400]"])
def test_every_command_that_uses_weights_refuses_them(whole, text, tmp_path):
    path = written(whole, ("input",), text)
    for use in (
        evaluate,
        cnntrain.load,
        lambda path: export(path, tmp_path / "a.onnx"),
        lambda path: load_network(path, ()),
    ):
        assert "input in the metadata is" in refused(path, use)


def test_a_type_that_is_not_read_is_named_and_no_damage(whole):
    folder, tensors, header, _ = whole
    name = next(name for name in header if name.endswith("W"))
    changed = header | {name: header[name] | {"dtype": "F16"}}
    head = json.dumps(changed).encode()
    path = folder / "c.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + tensors)
    text = refused(path, cnntrain.load)
    assert text == f"{path}: {name} holds F16; float32 or float64 (F32, F64) is needed"


def test_the_path_stands_once_in_a_message_on_numbers(whole):
    folder, tensors, header, _ = whole
    path = folder / "d.safetensors"
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + b"\xff" * len(tensors))
    assert "holds values that are infinite or not a number" in refused(path, cnntrain.load)


@pytest.mark.parametrize("key", ["dtype", "shape", "data_offsets"])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_descriptions_of_tensors(whole, key, text):
    folder, tensors, header, _ = whole
    name = next(name for name in header if name.endswith("W"))
    head = json.dumps(header | {name: header[name] | {key: "HERE"}}).replace('"HERE"', text).encode()
    path = folder / "e.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + tensors)
    assert refused(path, cnntrain.load)
