"""The reader of .pth files follows only what describes tensors, and runs nothing."""

import io
import pickle
import struct
from collections import OrderedDict

import numpy as np
import pytest

from cnntrain.backbones.pth_file import MAGIC, VERSION, read_tensors


class Storage:
    """Stands for a storage of PyTorch."""

    def __init__(self, values):
        self.values = values


class Rebuilt:
    """Pickles as PyTorch's tensors do."""

    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return Named("torch._utils", "_rebuild_tensor_v2"), self.arguments


class Named:
    """A global name that no module has."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self):
        raise AssertionError("nothing is called")


class Pickler(pickle._Pickler):
    """Writes names without importing them, and storages as persistent ids."""

    def save(self, thing, save_persistent_id=True):
        if isinstance(thing, Named):
            self.write(b"c" + f"{thing.module}\n{thing.name}\n".encode())
        else:
            super().save(thing, save_persistent_id)

    def persistent_id(self, thing):
        if isinstance(thing, Storage):
            kind = "FloatStorage" if thing.values.dtype == np.float32 else "LongStorage"
            return "storage", Named("torch", kind), str(id(thing)), "cpu", len(thing.values), None
        return None


def pth(content, storages, magic=MAGIC):
    file = io.BytesIO()
    for part in (magic, VERSION, {"little_endian": True}, content, [str(id(storage)) for storage in storages]):
        Pickler(file, 2).dump(part)
    for storage in storages:
        file.write(struct.pack("<q", len(storage.values)) + storage.values.tobytes())
    return file.getvalue()


def test_reads_shapes_offsets_strides_and_both_types():
    floats, counts = Storage(np.arange(24, dtype=np.float32)), Storage(np.array([7, 8], np.int64))
    content = OrderedDict(
        a=Rebuilt(floats, 0, (2, 3), (3, 1)),
        b=Rebuilt(floats, 6, (3, 2), (1, 3)),
        n=Rebuilt(counts, 1, (), ()),
    )
    tensors = read_tensors(pth(content, [floats, counts]))
    np.testing.assert_array_equal(tensors["a"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(tensors["b"], [[6, 9], [7, 10], [8, 11]])
    assert tensors["n"].shape == ()
    assert tensors["n"] == 8


@pytest.mark.parametrize("name", [("os", "system"), ("builtins", "eval"), ("torch", "IntStorage"), ("a", "b")])
def test_refuses_every_other_name(name):
    with pytest.raises(ValueError, match="which no weights need"):
        read_tensors(pth({"a": Named(*name)}, []))


def test_refuses_a_call_of_an_allowed_name_with_other_arguments(tmp_path):
    class Evil:
        def __reduce__(self):
            return Named("collections", "OrderedDict"), ([["a", 1]],)

    with pytest.raises(ValueError, match="a call that no weights need"):
        read_tensors(pth({"a": Evil()}, []))


@pytest.mark.parametrize(
    ("offset", "shape", "strides"), [(0, (5,), (1,)), (3, (2,), (1,)), (-1, (2,), (1,)), (3, (2,), (-1,))]
)
def test_refuses_a_tensor_beyond_its_storage(offset, shape, strides):
    storage = Storage(np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="beyond its storage"):
        read_tensors(pth({"a": Rebuilt(storage, offset, shape, strides)}, [storage]))


def test_refuses_other_files():
    with pytest.raises(ValueError, match="legacy format"):
        read_tensors(pth({}, [], magic=1))
