"""Weights files: safetensors in and out, with all that is needed to use them in the file's metadata.

Tensors are ``layers.<i>.W`` and ``layers.<i>.b`` in the edge layout, float32 or float64. The metadata has one key,
``cnntrain``, whose value is JSON: the resolved config, class names, preprocessing and versions. No pickle: reading a
file runs nothing.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise

from cnntrain.builder import build_shaped
from cnntrain.config import Config, config_from_dict
from cnntrain.data import Data, Preprocessing
from cnntrain.errors import CnntrainError, WeightsError
from cnntrain.network import Network
from cnntrain.types import Shape

KEY = "cnntrain"
FILE_IN_RUN = "weights.safetensors"


@dataclass(frozen=True, slots=True)
class Saved:
    """What a weights file holds."""

    path: Path
    network: Network
    config: Config
    classes: tuple[str, ...]
    preprocessing: Preprocessing

    def check_fits(self, data: Data) -> None:
        """Raise WeightsError unless the data's images and classes are those that the network was trained for."""
        if data.input_shape != self.network.in_shape:
            raise WeightsError(
                f"{self.path}: the network takes images of {self.network.in_shape}, "
                f"but the data have {data.input_shape}"
            )
        if data.classes != self.classes:
            raise WeightsError(
                f"{self.path}: the network knows {len(self.classes)} classes {shown(self.classes)}, "
                f"but the data have {len(data.classes)} {shown(data.classes)}"
            )


def save(path: Path, network: Network, config: Config, data: Data) -> None:
    """Write the network's parameters and how to use them, whole or not at all."""
    resolved = config.resolved()
    resolved["training"].pop("workers")  # the same weights come of any number, so they do not say which it was
    about = {
        "config": resolved,
        "input": list(network.in_shape),
        "classes": list(data.classes),
        "preprocessing": data.preprocessing.to_dict(),
        "versions": {"cnntrain": version("cnntrain"), "numpy": np.__version__},
    }
    # One key: safetensors writes several in an order that differs from process to process.
    content = serialise(network.parameters(), metadata={KEY: json.dumps(about)})
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, f"the weights cannot be saved: {error.strerror}", str(path)) from error


def load_saved(run: str | Path, overrides: Sequence[str] = (), dtype: DTypeLike | None = None) -> Saved:
    """Return all that a weights file holds.

    Args:
        run: A run folder (its last weights are taken) or a ``.safetensors`` file.
        overrides: ``KEY=VALUE`` words on the stored config.
        dtype: Instead of the config's ``training.dtype``.

    Raises:
        WeightsError: There are no weights, or they are malformed or contradict what is stored beside them.
        ConfigError: An override is not understood.
    """
    path = Path(run)
    if path.is_dir():
        path = path / FILE_IN_RUN
    if path.suffix in (".yaml", ".yml"):
        raise WeightsError(f"{path}: this is a config; what is needed is a run folder or a .safetensors file")
    tensors, about = read(path)
    try:
        config = config_from_dict(about["config"], "config")
        classes = tuple(str(name) for name in about["classes"])
        shape: Shape = tuple(int(side) for side in about["input"])
        preprocessing = Preprocessing.from_dict(about["preprocessing"], shape[0])
        network = build_shaped(config, shape, len(classes) or None, dtype)
        network.set_parameters(tensors)
    except (CnntrainError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else "; ".join(str(error).splitlines())
        raise WeightsError(f"{path}: {reason}") from error
    if overrides:
        config = config_from_dict(about["config"], str(path), overrides)
        network = build_shaped(config, shape, len(classes) or None, dtype)
        try:
            network.set_parameters(tensors)
        except WeightsError as error:
            raise WeightsError(f"{path}: {error}; the overrides describe another network") from error
    return Saved(path, network, config, classes, preprocessing)


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tensors and the metadata of a weights file."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no weights here; a run folder or a .safetensors file is needed") from error
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: not a whole safetensors file: {error}") from error
    if KEY not in metadata:
        raise WeightsError(f"{path}: these weights were not written by cnntrain, so nothing tells how to use them")
    for name, tensor in tensors.items():
        if tensor.dtype not in (np.float32, np.float64):
            raise WeightsError(f"{path}: {name} holds {tensor.dtype}; float32 or float64 is needed")
        if not np.isfinite(tensor).all():
            raise WeightsError(f"{path}: {name} holds values that are infinite or not a number")
    try:
        about = json.loads(metadata[KEY])
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: what is stored beside the weights is not JSON") from error
    if not isinstance(about, dict):
        raise WeightsError(f"{path}: what is stored beside the weights is not a mapping")
    return tensors, about


def shown(names: tuple[str, ...], most: int = 60) -> str:
    """The names in brackets, cut."""
    text = ", ".join(names)
    return f"({text if len(text) <= most else text[:most] + '...'})"
