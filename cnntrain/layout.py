"""Every parameter of a row of layers in one vector, every W before every b.

A step, a sum of gradients or a penalty on W is then one operation, whatever the layers are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntrain.errors import WeightsError
from cnntrain.layers.base import Layer
from cnntrain.types import Array


@dataclass(frozen=True, slots=True)
class Place:
    """Where one parameter lies."""

    layer: Layer[Any]
    step: int
    """Place of the layer in the row."""
    key: str
    """Name in the layer, ``W`` or ``b``."""
    at: slice
    """Entries of the vector."""


class Layout:
    """Which parameter lies where.

    Attributes:
        places: By full name, ``layers.<index>.W`` or ``.b``, in the order of the layers.
        size: Entries of the vector.
        W_count: Entries that belong to a W; they come first.
    """

    def __init__(self, layers: Sequence[Layer[Any]]):
        self.layers = layers
        found = [(key, step, layer) for step, layer in enumerate(layers) for key in layer.params]
        places, start = [], 0
        for key, step, layer in sorted(found, key=lambda parameter: parameter[0]):  # "W" sorts before "b"
            places.append(Place(layer, step, key, slice(start, start + layer.params[key].size)))
            start += layer.params[key].size
        self.size = start
        self.W_count = max((place.at.stop for place in places if place.key == "W"), default=0)
        places.sort(key=lambda place: (place.layer.index, place.key))
        self.places = {f"layers.{place.layer.index}.{place.key}": place for place in places}

    def views(self, vector: Array) -> list[dict[str, Array]]:
        """Views of a vector for each layer, by the names of its parameters."""
        views: list[dict[str, Array]] = [{} for _ in self.layers]
        for place in self.places.values():
            views[place.step][place.key] = vector[place.at].reshape(place.layer.params[place.key].shape)
        return views

    def bind(self, theta: Array) -> None:
        """Move the layers' parameters into ``theta``, keeping their values."""
        for layer, views in zip(self.layers, self.views(theta), strict=True):
            for key, view in views.items():
                view[...] = layer.params[key]
                layer.params[key] = view

    def adopt(self, theta: Array) -> None:
        """Make the layers use the values in ``theta``."""
        for layer, views in zip(self.layers, self.views(theta), strict=True):
            layer.params.update(views)

    def named(self, vector: Array) -> dict[str, Array]:
        """Copies of the parts of a vector by their full names, in the edge layout."""
        views = self.views(vector)
        return {
            name: np.array(place.layer.to_edge(place.key, views[place.step][place.key]), order="C")
            for name, place in self.places.items()
        }

    def take_over(self, parameters: Mapping[str, Any]) -> None:
        """Copy values into the layers' parameters; see ``Network.set_parameters``."""
        groups = {"missing": self.places.keys() - parameters.keys(), "unknown": parameters.keys() - self.places.keys()}
        if any(groups.values()):
            told = " and ".join(f"{', '.join(sorted(names))} {what}" for what, names in groups.items() if names)
            raise WeightsError(f"the weights are not this network's: {told}")
        values = {name: np.asarray(value) for name, value in parameters.items()}
        for name, place in self.places.items():
            wanted = place.layer.to_edge(place.key, place.layer.params[place.key]).shape
            if values[name].shape != wanted:
                raise WeightsError(f"{name} has shape {values[name].shape}, but the network needs {wanted}")
        for name, place in self.places.items():
            place.layer.params[place.key][...] = place.layer.from_edge(place.key, values[name])
