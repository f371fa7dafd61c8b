"""Save and load weights files: safetensors, with all that their use needs in the metadata.

The tensors are those of ``Network.state``, ``layers.<i>.W``, ``layers.<i>.b`` and so on, in the edge layout, float32 or
float64. The metadata has one key, ``cnntrain``, whose value is JSON: the resolved config, class names, preprocessing
and versions. No pickle: reading a file runs no code.
"""

import json
import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.builder import MAX_VALUES, build_shaped, count_parameters
from cnntrain.config import Config, config_from_dict
from cnntrain.data import Data, Preprocessing
from cnntrain.data.labels import MAX_CLASSES
from cnntrain.data.names import nfc
from cnntrain.errors import CnntrainError, WeightsError
from cnntrain.network.network import Network
from cnntrain.network.parameter_vector import check_shapes
from cnntrain.storage import write_file
from cnntrain.types import Array, Shape
from cnntrain.weights.safetensors_file import Header, read_header, read_tensors, serialize

KEY = "cnntrain"
FILE_IN_RUN = "weights.safetensors"
NOT_STORED = ("workers", "checkpoint_every", "tensorboard")
"""Keys of ``training`` that are not stored, because the weights do not depend on them."""
CHECKPOINT, CHECKPOINT_PREFIX = "checkpoint", "checkpoint."
"""A checkpoint is a weights file with this key in its metadata and tensors with this prefix."""
MAX_UNCHECKED = 1_000_000
"""Maximum number of weights of a network that is built before the file's tensors are counted."""


@dataclass(frozen=True, slots=True)
class SavedNetwork:
    """The contents of a weights file."""

    path: Path
    network: Network
    config: Config
    classes: tuple[str, ...]
    preprocessing: Preprocessing

    def check_fits(self, data: Data) -> None:
        """Raise WeightsError unless the data have the network's image shape and classes."""
        self.check_shape(data)
        if data.classes != self.classes:
            raise WeightsError(
                f"{self.path}: the network knows {len(self.classes)} classes {class_list(self.classes)}, "
                f"but the data have {len(data.classes)} {class_list(data.classes)}"
            )

    def check_shape(self, data: Data) -> None:
        """Raise WeightsError unless the data have the network's image shape, or features of its backbone."""
        differing = self.preprocessing.features_differ(data.preprocessing)
        if differing:
            raise WeightsError(f"{self.path}: {differing}")
        if data.input_shape != self.network.in_shape:
            raise WeightsError(
                f"{self.path}: the network takes images of {self.network.in_shape}, "
                f"but the data have {data.input_shape}"
            )


def save(path: Path, network: Network, config: Config, data: Data, theta: Array | None = None) -> None:
    """Write the state of the network, or of ``theta``, with its metadata, atomically."""
    # A single key: safetensors would write several in an order that differs between processes.
    state = network.layout.named(network.theta if theta is None else theta, network.layout.slots)
    content = serialize(state, {KEY: json.dumps(description(network, config, data))})
    try:
        write_file(path, content)
    except OSError as error:
        raise OSError(error.errno, f"the weights cannot be saved: {error.strerror}", str(path)) from error


def description(network: Network, config: Config, data: Data) -> dict[str, Any]:
    """Return the metadata: all that the use of the parameters needs."""
    resolved = config.resolved()
    for key in NOT_STORED:
        resolved["training"].pop(key)
    return {
        "config": resolved,
        "input": list(network.in_shape),
        "classes": list(data.classes),
        "preprocessing": data.preprocessing.to_dict(),
        "versions": {"cnntrain": version("cnntrain"), "numpy": np.__version__},
    }


def load_saved(run: str | Path, overrides: Sequence[str] = (), dtype: DTypeLike | None = None) -> SavedNetwork:
    """Load a weights file.

    Args:
        run: A run folder (its last weights are loaded) or a ``.safetensors`` file.
        overrides: ``KEY=VALUE`` overrides of the stored config.
        dtype: The type of the parameters; by default ``training.dtype`` of the config.

    Raises:
        WeightsError: There are no weights, or they are malformed or contradict their metadata.
        ConfigError: An override is invalid.
    """
    path = Path(run)
    if path.is_dir():
        path = path / FILE_IN_RUN
    if path.suffix in (".yaml", ".yml"):
        raise WeightsError(f"{path}: this is a config; what is needed is a run folder or a .safetensors file")
    return saved_network(path, *read_metadata(path), overrides, dtype)


def saved_network(
    path: Path, header: Header, metadata: dict[str, Any], overrides: Sequence[str] = (), dtype: DTypeLike | None = None
) -> SavedNetwork:
    """Build the network of a weights file from its header and metadata; see ``load_saved``."""
    try:
        config = config_from_dict(metadata["config"], "config")
        classes = class_names(metadata["classes"])
        shape = input_shape(metadata["input"])
        preprocessing = Preprocessing.from_dict(metadata["preprocessing"], shape[0])
        shapes = header.shapes
        if CHECKPOINT in metadata:
            shapes = {name: stored for name, stored in shapes.items() if not name.startswith(CHECKPOINT_PREFIX)}
        check_count(config, shape, len(classes) or None, shapes)
        network = build_shaped(config, shape, len(classes) or None, dtype)
        check_shapes(shapes, network.layout.slots)
        tensors = read_tensors(path, shapes)
        network.set_state(tensors)
    except KeyError as error:
        raise WeightsError(f"{path}: {error} is missing in the metadata") from error
    except CnntrainError as error:
        raise WeightsError(f"{path}: {'; '.join(str(error).splitlines())}") from error
    except (OverflowError, RecursionError) as error:
        raise WeightsError(
            f"{path}: the metadata holds a number that is too large or a value nested too deep"
        ) from error
    if overrides:
        config = config_from_dict(metadata["config"], str(path), overrides)
        network = build_shaped(config, shape, len(classes) or None, dtype)
        try:
            network.set_state(tensors)
        except WeightsError as error:
            raise WeightsError(f"{path}: {error}; the overrides describe another network") from error
    return SavedNetwork(path, network, config, classes, preprocessing)


def input_shape(content: object) -> Shape:
    """Return the input shape (C, H, W) stored in a weights file.

    Raises:
        WeightsError: It is not a list of three positive integers, or they are too large.
    """
    if (
        not isinstance(content, list)
        or len(content) != 3
        or not all(type(side) is int and 1 <= side <= MAX_VALUES for side in content)
    ):
        raise WeightsError(
            f"input in the metadata is {reprlib.repr(content)[:80]}, not the channels, rows and columns of an image"
        )
    return tuple(content)


def class_names(content: object) -> tuple[str, ...]:
    """Return the class names stored in a weights file.

    Raises:
        WeightsError: They are not a list of strings, or there are too many.
    """
    if not isinstance(content, list) or not all(isinstance(name, str) for name in content):
        raise WeightsError(f"classes in the metadata is {reprlib.repr(content)[:80]}, not a list of names")
    if len(content) > MAX_CLASSES:
        raise WeightsError(f"classes in the metadata names {len(content):,}; {MAX_CLASSES:,} are possible")
    return tuple(map(nfc, content))


def read_metadata(path: Path) -> tuple[Header, dict[str, Any]]:
    """Return the header of a weights file, and the JSON object in its metadata.

    Raises:
        WeightsError: It is not a safetensors file written by cnntrain.
    """
    header = read_header(path)
    if KEY not in header.metadata:
        raise WeightsError(f"{path}: these weights were not written by cnntrain, so how to use them is unknown")
    try:
        metadata = json.loads(header.metadata[KEY])
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: the metadata of the weights is not JSON") from error
    if not isinstance(metadata, dict):
        raise WeightsError(f"{path}: the metadata of the weights is not a mapping")
    return header, metadata


def check_count(config: Config, shape: Shape, classes: int | None, shapes: Mapping[str, Shape]) -> None:
    """Raise WeightsError, before anything is allocated, if a file claims a network larger than its tensors.

    A small network is built anyway; a later check names the missing tensors.
    """
    needed = count_parameters(config, shape, classes)
    stored_count = sum(math.prod(stored) for stored in shapes.values())
    if needed > max(stored_count, MAX_UNCHECKED):
        raise WeightsError(f"the network has {needed:,} weights, but the file holds {stored_count:,} numbers")


def class_list(names: tuple[str, ...], most: int = 60) -> str:
    """Return the names in parentheses, truncated."""
    text = ", ".join(names)
    return f"({text if len(text) <= most else text[:most] + '...'})"
