"""Reads the tensors of a PyTorch weights file in the legacy ``.pth`` format, without PyTorch and without running it.

Such a file is a sequence of pickles (a magic number, a version, the system, the tensors, the keys of the storages)
followed by the storages: a count of 8 bytes and the numbers. A pickle is a program for a stack machine that can call
any function. Here its instructions are read with ``pickletools``, which runs nothing, and only those that describe a
dict of tensors are followed. The four names below are the only ones allowed, and none of them is imported or called.
"""

import pickletools
import struct
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np

from cnntrain.types import Array

MAGIC = 0x1950A86A20F9469CFC6C
"""The first number in the file."""
VERSION = 1001
"""Version of the format."""
STORAGES: dict[str, np.dtype[Any]] = {"torch FloatStorage": np.dtype("<f4"), "torch LongStorage": np.dtype("<i8")}
TENSOR, DICT = "torch._utils _rebuild_tensor_v2", "collections OrderedDict"
NAMES = {*STORAGES, TENSOR, DICT}
"""The names that the pickle may contain."""
NUMBERS = {"LONG1", "BININT", "BININT1", "BININT2", "BINUNICODE"}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


class _Name(NamedTuple):
    """A function or class that the pickle names."""

    text: str


class _Storage(NamedTuple):
    """Numbers at the end of the file, by their key."""

    key: str
    dtype: np.dtype[Any]


class _Tensor(NamedTuple):
    """A view into a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(content: bytes) -> dict[str, Array]:
    """Return the tensors of a ``.pth`` file by name.

    Args:
        content: The bytes of the file.

    Raises:
        ValueError: The file is not of this format, or contains anything but a dict of tensors.
    """
    stream = BytesIO(content)
    if _value(stream) != MAGIC or _value(stream) != VERSION:
        raise ValueError("not a PyTorch file of the legacy format")
    _value(stream)  # byte order and sizes of the system: always little-endian
    tensors, keys = _value(stream), _value(stream)
    if not isinstance(tensors, dict) or not isinstance(keys, list):
        raise ValueError("not a dict of tensors")
    dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", stream.read(8))
        values = stream.read(count * dtypes[key].itemsize)
        storages[key] = np.frombuffer(values, dtypes[key])
    return {name: _view(tensor, storages[tensor.storage.key]) for name, tensor in tensors.items()}


def _view(tensor: _Tensor, numbers: Array) -> Array:
    """Return a tensor as an array of its own."""
    last = tensor.offset + sum((side - 1) * stride for side, stride in zip(tensor.shape, tensor.strides, strict=True))
    if tensor.offset < 0 or min((0, *tensor.strides)) < 0 or min((1, *tensor.shape)) < 1 or last >= len(numbers):
        raise ValueError("a tensor reaches beyond its storage")
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides).copy("C")


def _value(stream: BytesIO) -> Any:
    """Return the value of the next pickle in ``stream``."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def pop_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    for instruction, argument, _ in pickletools.genops(stream):
        match instruction.name:
            case "PROTO" | "STOP":
                pass
            case "MARK":
                marks.append(len(stack))
            case name if name in NUMBERS:
                stack.append(argument)
            case name if name in CONSTANTS:
                stack.append(CONSTANTS[name])
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "TUPLE":
                stack.append(tuple(pop_mark()))
            case "APPEND":
                item = stack.pop()
                stack[-1].append(item)
            case "APPENDS":
                items = pop_mark()
                stack[-1].extend(items)
            case "SETITEM":
                item = stack.pop()
                key = stack.pop()
                stack[-1][key] = item
            case "SETITEMS":
                items = pop_mark()
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case "BINPUT" | "LONG_BINPUT":
                memo[int(argument or 0)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[int(argument or 0)])
            case "GLOBAL":
                if argument not in NAMES:
                    raise ValueError(f"the file names {argument!r}, which no weights need")
                stack.append(_Name(argument))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE":
                arguments = stack.pop()
                stack.append(_described(stack.pop(), arguments))
            case "BUILD":
                stack.pop()  # attributes of the dict: versions of PyTorch's modules
            case name:
                raise ValueError(f"the file contains the instruction {name}, which no weights need")
    return stack.pop()


def _storage(identity: Any) -> _Storage:
    """Return the storage of a persistent id: ``("storage", its class, key, device, count, None)``."""
    match identity:
        case ("storage", _Name(text), str(key), *_) if text in STORAGES:
            return _Storage(key, STORAGES[text])
    raise ValueError("the file refers to something that is not a storage")


def _described(function: Any, arguments: Any) -> Any:
    """Return what a call would give, without calling anything."""
    match function, arguments:
        case _Name("collections OrderedDict"), ():
            return {}
        case _Name("torch._utils _rebuild_tensor_v2"), (_Storage() as storage, int(offset), tuple(shape), tuple(s), *_):
            return _Tensor(storage, offset, shape, s)
    raise ValueError("the file contains a call that no weights need")
