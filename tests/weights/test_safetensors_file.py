"""A safetensors file is read only where all that it says of itself is so."""

import json
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.errors import WeightsError
from cnntrain.weights import safetensors_file
from cnntrain.weights.safetensors_file import read_header, read_tensors, serialize

W = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
b = {"dtype": "F64", "shape": [1], "data_offsets": [24, 32]}


def write(path, header, data=32 * b"\1"):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_what_was_written_is_read(tmp_path):
    arrays = {"W": np.arange(6, dtype="float32").reshape(2, 3), "b": np.array([0.5]), "none": np.zeros((0, 4))}
    path = tmp_path / "a.safetensors"
    path.write_bytes(serialize(arrays, {"cnntrain": "{}"}))
    assert read_header(path) == ({"W": (2, 3), "b": (1,), "none": (0, 4)}, {"cnntrain": "{}"})
    found = read_tensors(path)
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value, strict=True)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"W": W}, "claim 24 bytes, but it holds 32"),
        ({"W": W, "b": b | {"data_offsets": [16, 24]}}, "b overlaps another"),
        ({"W": W, "b": b | {"data_offsets": [28, 36]}}, "b does not begin where the one before ends"),
        ({"W": W, "b": b | {"data_offsets": [32, 24]}}, "does not fit"),
        ({"W": W, "b": b | {"data_offsets": [24, 2**47]}}, "does not fit"),
        ({"W": W, "b": b | {"data_offsets": [24]}}, "an invalid shape or data_offsets"),
        ({"W": W, "b": b | {"data_offsets": ["24", "32"]}}, "an invalid shape or data_offsets"),
        ({"W": W, "b": b | {"data_offsets": [-8, 0]}}, "an invalid shape or data_offsets"),
        ({"W": W, "b": b | {"shape": [2]}}, "claims the shape"),
        ({"W": W, "b": b | {"shape": [True]}}, "an invalid shape or data_offsets"),
        ({"W": W, "b": b | {"shape": [-1]}}, "an invalid shape or data_offsets"),
        ({"W": W, "b": b | {"shape": [2**40, 2**40]}}, "claims the shape"),
        ({"W": W, "b": b | {"shape": [10**30]}}, "an invalid shape or data_offsets"),
        ({"W": W, "b": b | {"shape": 9 * [1]}}, "an invalid shape or data_offsets"),
        ({"W": W, "b": b | {"dtype": "BF16"}}, "BF16"),
        ({"W": W, "b": b | {"dtype": "I64"}}, "I64"),
        ({"W": W, "b": b | {"dtype": ["F64"]}}, "F64"),
        ({"W": W, "b": b | {"more": 1}}, "not described"),
        ({"W": W, "b": [24, 32]}, "not described"),
        ({"W": W, "b": b, "__metadata__": {"a": 1}}, "not text"),
        ({"W": W, "b": b, "__metadata__": "text"}, "not text"),
        (["W"], "not a JSON object"),
        (b'{"W": 1, "W": 2}', "W twice"),
        (b'{"W": {"dtype": "F32", "dtype": "F64"}}', "dtype twice"),
        (b"{" + 200_000 * b'"a":{', "not JSON"),
        (200_000 * b"[", "not JSON"),
        (b'{"W": \xff}', "not JSON"),
        (b'{"W": ' + 5000 * b"9" + b"}", "not JSON"),
    ],
    ids=str,
)
def test_headers_that_contradict_themselves_or_the_file_are_refused(tmp_path, header, words):
    with pytest.raises(WeightsError, match=words):
        read_header(write(tmp_path / "a.safetensors", header))


def test_limits_hold_to_the_one(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    monkeypatch.setattr(safetensors_file, "MAX_TENSORS", 2)
    monkeypatch.setattr(safetensors_file, "MAX_HEADER", 500)
    read_header(write(path, json.dumps({"W": W, "b": b}).ljust(500).encode()))
    with pytest.raises(WeightsError, match="at most 500"):
        read_header(write(path, json.dumps({"W": W, "b": b}).ljust(501).encode()))
    with pytest.raises(WeightsError, match="at most 2"):
        read_header(write(path, {"W": W, "b": b, "c": b | {"data_offsets": [32, 40]}}, 40 * b"\1"))


def test_nothing_is_allocated_for_what_is_only_claimed(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", 2**40) + b"{}")
    tracemalloc.start()
    with pytest.raises(WeightsError, match="ends before its header"):
        read_header(path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@given(data=st.data())
def test_changed_bytes_are_refused_or_read_as_numbers(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("bytes") / "a.safetensors"
    content = bytearray(serialize({"W": np.ones((2, 3), "float32"), "b": np.ones(2)}, {"cnntrain": "{}"}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        shapes = read_header(path).shapes
        found = read_tensors(path)
    except WeightsError:
        return
    assert {name: value.shape for name, value in found.items()} == shapes
    assert all(np.isfinite(value).all() for value in found.values())
