"""Reads an ONNX file, with the weights that it keeps in files beside it."""

import os
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from cnntrain.errors import DataError, visible

MAX_BYTES = 2_000_000_000
"""Maximum size of a model: a protobuf message is limited to 2 GiB."""


class OnnxFile(NamedTuple):
    """A model and the SHA-256 of its files."""

    model: ModelProto
    sha256: str


def read_onnx(path: Path) -> OnnxFile:
    """Read an ONNX file.

    Raises:
        DataError: It is missing, too large or not an ONNX file, or a file beside it is missing or outside its folder.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{visible(str(path))}: the backbone cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{path}: the backbone is larger than {MAX_BYTES // 10**9} GB")
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        model = ModelProto()
    if not model.graph.node:
        raise DataError(f"{visible(str(path))}: the backbone is not an ONNX file, or it is cut off")
    digest = sha256(content)
    external = [tensor for tensor in model.graph.initializer if uses_external_data(tensor)]
    for name in sorted({_location(tensor) for tensor in external}):
        _add_file(path, name, digest)
    for tensor in external:
        try:
            load_external_data_for_tensor(tensor, str(path.parent))
        except Exception as error:
            raise DataError(f"{path}: the weights in {_location(tensor)!r} cannot be read: {error}") from error
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]
    return OnnxFile(model, digest.hexdigest())


def _location(tensor: TensorProto) -> str:
    return next((entry.value for entry in tensor.external_data if entry.key == "location"), "")


def _add_file(path: Path, name: str, digest: "sha256") -> None:  # type: ignore[valid-type]
    """Add the content of a file of weights to the digest."""
    file = path.parent / name
    if not name or os.path.isabs(name) or ".." in Path(name).parts or file.is_symlink():
        raise DataError(f"{path}: it refers to weights in {name[:80]!r}, which is not a file in its own folder")
    try:
        size = file.stat().st_size
        with file.open("rb") as content:
            while chunk := content.read(1 << 24):
                digest.update(chunk)  # type: ignore[attr-defined]
    except OSError as error:
        raise DataError(f"{path}: its weights are in the file {name!r} beside it: {error.strerror}") from error
    if size > MAX_BYTES:
        raise DataError(f"{file}: the weights of the backbone are larger than {MAX_BYTES // 10**9} GB")
