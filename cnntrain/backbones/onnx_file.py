"""Reads an ONNX file, with the weights that it keeps in files beside it."""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, TensorProto
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from cnntrain.errors import DataError, visible
from cnntrain.storage.regular_file import open_regular

MAX_BYTES = 2_000_000_000
"""Maximum size of a model: a protobuf message is limited to 2 GiB."""


class OnnxFile(NamedTuple):
    """A model with all its weights."""

    model: ModelProto
    content: bytes
    """The file; if its weights were in other files, the model as one file."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the content."""
        return sha256(self.content).hexdigest()


def read_onnx(path: Path) -> OnnxFile:
    """Read an ONNX file.

    Raises:
        DataError: It is missing, too large or not an ONNX file, or a file beside it is missing or outside its folder.
    """
    name = visible(str(path))
    try:
        with open_regular(path) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{name}: the backbone cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{name}: the backbone is larger than {MAX_BYTES // 10**9} GB")
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        model = ModelProto()
    if not model.graph.node or any(isinstance(text, bytes) for text in names(model.graph)):  # bytes: not UTF-8
        raise DataError(f"{name}: the backbone is not an ONNX file, or it is cut off")
    external = [tensor for tensor in constants(model.graph) if uses_external_data(tensor)]
    if not external:
        return OnnxFile(model, content)
    for location in sorted({location_of(tensor) for tensor in external}):
        check_location(path, location)
    for tensor in external:
        try:
            load_external_data_for_tensor(tensor, str(path.parent))
        except Exception as error:  # among others, onnx's own ValidationError
            raise DataError(f"{name}: its weights in {location_of(tensor)!r} cannot be read: {error}") from error
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]
    return OnnxFile(model, model.SerializeToString(deterministic=True))


def names(graph: GraphProto) -> Iterator[str | bytes]:
    """Yield the names in a graph; protobuf gives bytes for those that are not UTF-8."""
    for named in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        yield named.name
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield attribute.name
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from names(inner)


def constants(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield the tensors that a graph, its nodes, and the graphs in them hold."""
    yield from graph.initializer
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            yield from constants(inner)


def location_of(tensor: TensorProto) -> str:
    """Return the file that holds the numbers of a tensor."""
    return next((entry.value for entry in tensor.external_data if entry.key == "location"), "")


def check_location(path: Path, location: str) -> None:
    """Raise DataError unless a file of weights is in the folder of the model, and not too large."""
    name, file = visible(str(path)), path.parent / location
    if not location or os.path.isabs(location) or ".." in Path(location).parts or file.is_symlink():
        raise DataError(f"{name}: it refers to weights in {location[:80]!r}, which is not a file in its own folder")
    try:
        size = file.stat().st_size
    except OSError as error:
        raise DataError(f"{name}: its weights are in the file {location!r} beside it: {error.strerror}") from error
    if size > MAX_BYTES:
        raise DataError(f"{name}: its weights in {location!r} are larger than {MAX_BYTES // 10**9} GB")
