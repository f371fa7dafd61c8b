"""Deliberate faults in a backward pass, to show that the gradient check detects them.

A fault is written ``layers.<i>.W:no_flip``; the tensor (or just ``layers.<i>``) names the entry of ``network.layers``.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import DTypeLike

from cnntrain.errors import UsageError
from cnntrain.layers.base import Layer, OnnxGraph
from cnntrain.network.network import Network
from cnntrain.types import Array


def layer_classes(root: type[Layer[Any]] = Layer) -> Iterator[type[Layer[Any]]]:
    """Yield every layer class."""
    for layer in root.__subclasses__():
        yield layer
        yield from layer_classes(layer)


def fault_table() -> dict[str, str]:
    """Return the description of each fault by name, collected from the layer classes."""
    descriptions: dict[str, list[str]] = {}
    for layer in layer_classes():
        for name, fault in vars(layer).get("faults", {}).items():
            descriptions.setdefault(name, []).append(fault.description)
    return {name: "; ".join(sorted(descriptions[name])) for name in sorted(descriptions)}


FAULTS = fault_table()


def inject(network: Network, fault: str) -> None:
    """Put a fault into the backward pass of one entry.

    Args:
        network: The network; changed in place.
        fault: The fault, ``layers.<i>[.W|.b]:<name of FAULTS>``.

    Raises:
        UsageError: There is no such fault or entry, or the fault would have no effect there.
    """
    target, _, name = fault.partition(":")
    faults = fault_table()
    if name not in faults:
        raise UsageError(f"--inject {fault}: expected layers.<i>.<W or b>:<fault> with a fault of {', '.join(faults)}")
    parts = target.split(".")
    known = sorted({layer.index for layer in network.layers})
    if len(parts) not in (2, 3) or parts[0] != "layers" or not parts[1].isdecimal() or int(parts[1]) not in known:
        raise UsageError(
            f"--inject {fault}: {target} is no entry of this network; there are layers.0 to layers.{known[-1]}"
        )
    if len(parts) == 3 and target not in network.parameters():
        raise UsageError(f"--inject {fault}: there is no tensor {target}; there are {', '.join(network.parameters())}")
    positions = [i for i, layer in enumerate(network.layers) if layer.index == int(parts[1])]
    faulty = [
        i for i in positions if name in (own := network.layers[i].faults) and own[name].applies(network.layers[i])
    ]
    if not faulty:
        raise UsageError(
            f"--inject {fault}: it does not apply there, or would change nothing; {name} is for {faults[name]}"
        )
    for i in faulty:
        network.layers[i] = FaultyLayer(network.layers[i], name)


class FaultyLayer(Layer[Any]):
    """A layer with a correct forward pass and a wrong backward pass."""

    def __init__(self, layer: Layer[Any], fault: str):
        self.layer, self.fault = layer, layer.faults[fault]
        self.index, self.kind, self.params = layer.index, layer.kind, layer.params
        self.in_shape, self.out_shape = layer.in_shape, layer.out_shape

    def cache(self, n: int, dtype: DTypeLike) -> Any:
        """Return the layer's cache."""
        return self.layer.cache(n, dtype)

    def forward(self, x: Array, cache: Any) -> Array:
        """Return the layer's output."""
        self.x = x.copy()
        return self.layer.forward(x, cache)

    def pattern(self, cache: Any) -> Array | None:
        """Return the layer's pattern."""
        return self.layer.pattern(cache)

    def to_edge(self, name: str, value: Array) -> Array:
        """Return the array as the layer does."""
        return self.layer.to_edge(name, value)

    def from_edge(self, name: str, value: Array) -> Array:
        """Return the array as the layer does."""
        return self.layer.from_edge(name, value)

    def backward(self, delta: Array, cache: Any, grads: dict[str, Array], want_delta: bool = True) -> Array | None:
        """Run the faulty backward pass."""
        return self.fault.backward(self.layer, self.x, delta, cache, grads, want_delta)

    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        """Add the layer's nodes."""
        return self.layer.add_onnx(graph, x, name, b)
