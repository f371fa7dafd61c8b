"""safetensors files that may be damaged or malicious: every claim in the header is checked against the file.

::

    8 bytes          length of the header, little endian
    header           JSON: {name: {"dtype", "shape", "data_offsets"}, ..., "__metadata__": {text: text}}
    data             the tensors, without gaps

Reading a file runs no code. Its claims are checked before memory is allocated: a header of at most ``MAX_HEADER``
bytes, at most ``MAX_TENSORS`` tensors, unique names, and data of the claimed length.

Source: https://github.com/huggingface/safetensors, "Format".
"""

import json
import math
import os
import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cnntrain.errors import WeightsError
from cnntrain.storage.regular_file import open_regular
from cnntrain.types import Array, Shape

MAX_HEADER = 4_000_000
"""Maximum bytes of a header; a network of a hundred layers needs some ten thousand."""
MAX_TENSORS = 10_000
MAX_AXES = 8
SIZES = {"F32": 4, "F64": 8}
"""Bytes per number of the supported types."""
METADATA = "__metadata__"


class _Unsupported(WeightsError):
    """The file is intact but of an unsupported kind."""


class Header(NamedTuple):
    """The header of a file, checked against its size."""

    shapes: dict[str, Shape]
    metadata: dict[str, str]


def serialize(tensors: dict[str, Array], metadata: dict[str, str]) -> bytes:
    """Return the bytes of a file."""
    content: bytes = save(tensors, metadata=metadata)
    return content


def read_header(path: Path) -> Header:
    """Return the shapes and the metadata of a file, without reading the tensors.

    Raises:
        WeightsError: There is no such file, or it is not a complete safetensors file of float32 or float64 numbers.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or length > size - 8:
                raise WeightsError(f"{path}: not a whole safetensors file: it ends before its header does")
            if length > MAX_HEADER:
                raise WeightsError(f"{path}: its header has {length:,} bytes; at most {MAX_HEADER:,} are read")
            text = file.read(length)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no weights here; a run folder or a .safetensors file is needed") from error
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        return _checked(_parsed(text), size - 8 - length)
    except _Unsupported as error:
        raise WeightsError(f"{path}: {error}") from error
    except WeightsError as error:
        raise WeightsError(f"{path}: not a whole safetensors file: {error}") from error


def read_tensors(path: Path, names: Iterable[str] | None = None) -> dict[str, Array]:
    """Return tensors of a file whose header has been checked: all, or those with the given names.

    Raises:
        WeightsError: The file is damaged or holds an infinity or NaN; the caller adds the path.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in (file.keys() if names is None else names)}
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror or error}") from error
    except (SafetensorError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise WeightsError(f"not a whole safetensors file: {str(error)[:200]}") from error
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise WeightsError(f"{_shown(name)} holds values that are infinite or not a number")
    return tensors


def _parsed(text: bytes) -> dict[str, Any]:
    """Return the JSON object of a header; its keys must be unique."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            names = [key for key, _ in pairs]
            repeated = next(key for key in names if names.count(key) > 1)
            raise WeightsError(f"its header says {_shown(repeated)} twice")
        return content

    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise WeightsError("its header is not JSON") from None
    if not isinstance(header, dict):
        raise WeightsError("its header is not a JSON object")
    return header


def _checked(header: dict[str, Any], data_bytes: int) -> Header:
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise WeightsError("its metadata is not text")
    if len(header) > MAX_TENSORS:
        raise _Unsupported(f"it holds {len(header):,} tensors; at most {MAX_TENSORS:,} are read")
    shapes, spans = {}, []
    for name, entry in header.items():
        shapes[name], begin, end = _tensor(name, entry)
        spans.append((begin, end, name))
    position = 0
    for begin, end, name in sorted(spans):
        if begin != position:
            what = "overlaps another" if begin < position else "does not begin where the one before ends"
            raise WeightsError(f"{_shown(name)} {what}")
        position = end
    if position != data_bytes:
        raise WeightsError(f"its tensors claim {position:,} bytes, but it holds {data_bytes:,}")
    return Header(shapes, metadata)


def _tensor(name: str, entry: Any) -> tuple[Shape, int, int]:
    """Return shape, begin and end of one tensor."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise WeightsError(f"{_shown(name)} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in SIZES:
        raise _Unsupported(f"{_shown(name)} holds {_shown(dtype)}; float32 or float64 (F32, F64) is needed")
    if not _counts(shape) or len(shape) > MAX_AXES or not _counts(offsets) or len(offsets) != 2:
        raise WeightsError(f"{_shown(name)} has an invalid shape or data_offsets")
    begin, end = offsets
    if end - begin != math.prod(shape) * SIZES[dtype]:
        raise WeightsError(f"{_shown(name)} claims the shape {_shown(shape)}, which does not fit its data_offsets")
    return tuple(shape), begin, end


def _counts(value: Any) -> bool:
    """Return whether a value is a list of plausible sizes: integers from 0 to 2^48."""
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**48 for item in value)


def _shown(value: Any) -> str:
    """Return a value from a file for a message, truncated: it may be nested thousands deep."""
    return (value if isinstance(value, str) else reprlib.repr(value))[:80]
