"""All parameters of a network in one vector: every W, then the other parameters (b, gamma), the buffers, frozen ones.

A step, a sum of gradients or a penalty on W is then one operation, whatever the layers are. PyTorch's FSDP calls such a
vector a flat parameter.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.errors import WeightsError
from cnntrain.layers.base import Layer
from cnntrain.layers.row import walk
from cnntrain.ops.workspace import aligned_empty
from cnntrain.types import Array, Shape

WEIGHT, OTHER, BUFFER, FROZEN = range(4)
"""The sections of the vector, in this order."""
MAX_NAMED = 6
"""Maximum number of tensors that a message names."""


@dataclass(frozen=True, slots=True)
class ParameterSlot:
    """The position of one parameter or buffer in the vector."""

    layer: Layer[Any]
    position: int
    """Index of the layer in the row; in a residual block, that of the block."""
    entry: str
    """Name of the layer's entry in the config, such as ``layers.2``."""
    key: str
    """Name within the layer, such as ``W`` or ``b``."""
    slice: slice
    """Its entries of the vector."""
    frozen: bool = False
    """Whether it is not trained: a parameter or buffer of the first entries, see ``network.freeze``."""

    @property
    def name(self) -> str:
        """Full name, such as ``layers.2.W``; in a residual block, ``layers.2.0.W``."""
        return f"{self.entry}.{self.key}"

    @property
    def name_in_row(self) -> str:
        """Name within the layer of the row, such as ``W``; in a residual block, ``0.W``."""
        return self.name.split(".", 2)[2]

    def view(self, vector: Array) -> Array:
        """Return its entries of ``vector``, in the shape that the layer uses."""
        return vector[self.slice].reshape(self.layer.params[self.key].shape)

    @property
    def is_parameter(self) -> bool:
        """Whether it is a parameter, not a buffer."""
        return self.key not in self.layer.buffers


def in_order(entry: str) -> list[tuple[int, str]]:
    """Return the key that sorts names of entries by their numbers: ``layers.2`` before ``layers.10``."""
    return [(int(step), "") if step.isdecimal() else (sys.maxsize, step) for step in entry.split(".")]


def section_of(layer: Layer[Any], key: str) -> int:
    """Return the section of the vector that a parameter or buffer belongs to."""
    if key in layer.buffers:
        return BUFFER
    return WEIGHT if key == "W" else OTHER


class ParameterLayout:
    """The position of each parameter and buffer in the vector.

    Attributes:
        parameters: The parameters by full name, ``layers.<index>.W`` or ``.b``, in the order of the layers.
        trained: Those of them that are not frozen.
        buffers: The running statistics that are not frozen by full name, in the order of the layers. A gradient vector
            holds in their place the statistics of each micro-batch times its number of samples.
        slots: All parameters and buffers.
        size: Number of entries of a gradient, and of theta without what is frozen, which comes last.
        theta_size: Number of entries of theta.
        W_count: Number of entries that belong to a W that is trained; they come first. Only they are penalized.
        trainable_count: Number of entries that are trained; the buffers come after them.

    Args:
        layers: The layers of the network.
        frozen: How many of them, from the first on, are not trained.
    """

    def __init__(self, layers: Sequence[Layer[Any]], frozen: int = 0):
        self.layers = layers
        entries = [
            (FROZEN if position < frozen else section_of(layer, key), key, position, name, layer)
            for position, outer in enumerate(layers)
            for name, layer in walk([outer])
            if not layer.branches
            for key in layer.params
        ]
        self.theta_size = self.size = self.W_count = self.trainable_count = 0
        slots: list[ParameterSlot] = []
        for section, key, position, name, layer in sorted(entries, key=lambda entry: entry[:2]):
            start, end = self.theta_size, self.theta_size + layer.params[key].size
            slots.append(ParameterSlot(layer, position, name, key, slice(start, end), section == FROZEN))
            self.theta_size = end
            if section == WEIGHT:
                self.W_count = end
            if section <= OTHER:
                self.trainable_count = end
            if section <= BUFFER:
                self.size = end
        slots.sort(key=lambda slot: (in_order(slot.entry), slot.key))
        self.slots = {slot.name: slot for slot in slots}
        self.parameters = {name: slot for name, slot in self.slots.items() if slot.is_parameter}
        self.trained = {name: slot for name, slot in self.parameters.items() if not slot.frozen}
        self.buffers = {name: slot for name, slot in self.slots.items() if not (slot.is_parameter or slot.frozen)}

    def split(self, part: slice) -> tuple[slice, slice]:
        """Split a part of the vector into parameters and buffers."""
        border = min(max(self.trainable_count, part.start), part.stop)
        return slice(part.start, border), slice(border, part.stop)

    def views(self, vector: Array) -> list[dict[str, Array]]:
        """Return each layer's views of a gradient, by the names of its parameters and buffers that are not frozen."""
        views: list[dict[str, Array]] = [{} for _ in self.layers]
        for slot in self.slots.values():
            if slot.frozen:
                continue
            views[slot.position][slot.name_in_row] = slot.view(vector)
        return views

    def new_theta(self, dtype: DTypeLike) -> Array:
        """Return a vector for theta, with undefined values."""
        return aligned_empty((self.theta_size,), dtype)

    def move_to(self, theta: Array) -> None:
        """Move the layers' parameters and buffers into ``theta``, keeping their values."""
        for slot in self.slots.values():
            view = slot.view(theta)
            view[...] = slot.layer.params[slot.key]
            slot.layer.params[slot.key] = view

    def use_vector(self, theta: Array) -> None:
        """Make the layers use ``theta`` with the values in it."""
        for slot in self.slots.values():
            slot.layer.params[slot.key] = slot.view(theta)

    def named(self, vector: Array, slots: Mapping[str, ParameterSlot]) -> dict[str, Array]:
        """Return copies of the entries of a vector at ``slots``, by full name, in the edge layout."""
        return {
            name: np.array(slot.layer.to_edge(slot.key, slot.view(vector)), order="C") for name, slot in slots.items()
        }

    def load_state(self, arrays: Mapping[str, Any], slots: Mapping[str, ParameterSlot]) -> None:
        """Copy arrays into the layers at ``slots``; see ``Network.set_parameters`` and ``set_state``."""
        values = {name: np.asarray(value) for name, value in arrays.items()}
        check_shapes({name: value.shape for name, value in values.items()}, slots)
        for name, slot in slots.items():
            if slot.key == "running_var" and (values[name] < 0).any():
                raise WeightsError(f"{name} holds {values[name].min():g}, but a variance cannot be negative")
        for name, slot in slots.items():
            slot.layer.params[slot.key][...] = slot.layer.from_edge(slot.key, values[name])


def check_shapes(shapes: Mapping[str, Shape], slots: Mapping[str, ParameterSlot]) -> None:
    """Raise WeightsError unless ``shapes`` are the shapes of ``slots`` in the edge layout."""
    groups = {"missing": slots.keys() - shapes.keys(), "unknown": shapes.keys() - slots.keys()}
    if any(groups.values()):
        problems = " and ".join(f"{_listed(names)} {what}" for what, names in groups.items() if names)
        raise WeightsError(f"the weights do not fit this network: {problems}")
    for name, slot in slots.items():
        expected = slot.layer.to_edge(slot.key, slot.layer.params[slot.key]).shape
        if shapes[name] != expected:
            raise WeightsError(f"{name} has shape {shapes[name]}, but the network needs {expected}")


def _listed(names: Iterable[str]) -> str:
    """Join names, truncated: a file may hold thousands, of any length."""
    shown = [name[:40] for name in sorted(names)]
    return ", ".join([*shown[:MAX_NAMED], *(["..."] if len(shown) > MAX_NAMED else [])])
