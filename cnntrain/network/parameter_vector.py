"""All that layers learn in one vector: every W, then what else is trained (b, gamma), then running averages.

A step, a sum of gradients or a penalty on W is then one operation, whatever the layers are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntrain.errors import WeightsError
from cnntrain.layers.base import Layer
from cnntrain.types import Array, Shape

WEIGHT, OTHER, STATISTIC = range(3)
"""The parts of the vector, in their order."""
MAX_NAMED = 6
"""Tensors that a message names, at most."""


@dataclass(frozen=True, slots=True)
class ParameterSlot:
    """Where one parameter or running average lies."""

    layer: Layer[Any]
    step: int
    """Place of the layer in the row."""
    key: str
    """Name in the layer, such as ``W`` or ``b``."""
    at: slice
    """Entries of the vector."""

    @property
    def trained(self) -> bool:
        """Whether it is stepped along its gradient."""
        return self.key not in self.layer.buffers


def section_of(layer: Layer[Any], key: str) -> int:
    """Return which part of the vector something belongs to."""
    if key in layer.buffers:
        return STATISTIC
    return WEIGHT if key == "W" else OTHER


class ParameterLayout:
    """Which parameter lies where.

    Attributes:
        parameters: What is trained, by full name, ``layers.<index>.W`` or ``.b``, in the order of the layers.
        statistics: Running averages, by full name, in the order of the layers. The gradient holds in their places the
            statistics of each slice times its samples.
        size: Entries of the vector.
        W_count: Entries that belong to a W; they come first. Only they are penalised.
        trainable_count: Entries that are trained; they come before the running averages.
    """

    def __init__(self, layers: Sequence[Layer[Any]]):
        self.layers = layers
        found = [
            (section_of(layer, key), key, step, layer) for step, layer in enumerate(layers) for key in layer.params
        ]
        self.size = self.W_count = self.trainable_count = 0
        slots: list[ParameterSlot] = []
        for kind, key, step, layer in sorted(found, key=lambda parameter: parameter[:2]):
            start, self.size = self.size, self.size + layer.params[key].size
            slots.append(ParameterSlot(layer, step, key, slice(start, self.size)))
            if kind == WEIGHT:
                self.W_count = self.size
            if kind != STATISTIC:
                self.trainable_count = self.size
        slots.sort(key=lambda slot: (slot.layer.index, slot.key))
        self.slots = {f"layers.{slot.layer.index}.{slot.key}": slot for slot in slots}
        self.parameters = {name: slot for name, slot in self.slots.items() if slot.trained}
        self.buffers = {name: slot for name, slot in self.slots.items() if not slot.trained}

    def split(self, part: slice) -> tuple[slice, slice]:
        """Cut a part of the vector into what is trained and the running averages."""
        border = min(max(self.trainable_count, part.start), part.stop)
        return slice(part.start, border), slice(border, part.stop)

    def views(self, vector: Array) -> list[dict[str, Array]]:
        """Views of a vector for each layer, by the names of its parameters."""
        views: list[dict[str, Array]] = [{} for _ in self.layers]
        for slot in self.slots.values():
            views[slot.step][slot.key] = vector[slot.at].reshape(slot.layer.params[slot.key].shape)
        return views

    def move_to(self, theta: Array) -> None:
        """Move all that the layers hold into ``theta``, keeping their values."""
        for layer, views in zip(self.layers, self.views(theta), strict=True):
            for key, view in views.items():
                view[...] = layer.params[key]
                layer.params[key] = view

    def use_vector(self, theta: Array) -> None:
        """Make the layers use the values in ``theta``."""
        for layer, views in zip(self.layers, self.views(theta), strict=True):
            layer.params.update(views)

    def named(self, vector: Array, slots: Mapping[str, ParameterSlot]) -> dict[str, Array]:
        """Copies of some places of a vector by their full names, in the edge layout."""
        views = self.views(vector)
        return {
            name: np.array(slot.layer.to_edge(slot.key, views[slot.step][slot.key]), order="C")
            for name, slot in slots.items()
        }

    def load_state(self, given: Mapping[str, Any], slots: Mapping[str, ParameterSlot]) -> None:
        """Copy values into what the layers hold at ``slots``; see ``Network.set_parameters`` and ``set_state``."""
        values = {name: np.asarray(value) for name, value in given.items()}
        check_shapes({name: value.shape for name, value in values.items()}, slots)
        for name, slot in slots.items():
            if slot.key == "running_var" and (values[name] < 0).any():
                raise WeightsError(f"{name} holds {values[name].min():g}, and no variance is below 0")
        for name, slot in slots.items():
            slot.layer.params[slot.key][...] = slot.layer.from_edge(slot.key, values[name])


def check_shapes(shapes: Mapping[str, Shape], slots: Mapping[str, ParameterSlot]) -> None:
    """Raise WeightsError unless ``shapes`` are those that the parameters at ``slots`` have in the edge layout."""
    groups = {"missing": slots.keys() - shapes.keys(), "unknown": shapes.keys() - slots.keys()}
    if any(groups.values()):
        told = " and ".join(f"{_listed(names)} {what}" for what, names in groups.items() if names)
        raise WeightsError(f"the weights are not this network's: {told}")
    for name, slot in slots.items():
        wanted = slot.layer.to_edge(slot.key, slot.layer.params[slot.key]).shape
        if shapes[name] != wanted:
            raise WeightsError(f"{name} has shape {shapes[name]}, but the network needs {wanted}")


def _listed(names: Iterable[str]) -> str:
    """Names in a row, cut: a file may hold any, and thousands."""
    shown = [name[:40] for name in sorted(names)]
    return ", ".join([*shown[:MAX_NAMED], *(["..."] if len(shown) > MAX_NAMED else [])])
