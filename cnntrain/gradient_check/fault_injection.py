"""Deliberate faults in a backward pass, to show that a gradient check sees them.

A fault is written ``layers.<i>.W:no_flip``: the tensor (or just ``layers.<i>``) says which entry of ``network.layers``
goes wrong.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import DTypeLike

from cnntrain.errors import UsageError
from cnntrain.layers.base import Layer, OnnxGraph
from cnntrain.network.network import Network
from cnntrain.types import Array


def layer_classes(root: type[Layer[Any]] = Layer) -> Iterator[type[Layer[Any]]]:
    """Yield every class of layers."""
    for layer in root.__subclasses__():
        yield layer
        yield from layer_classes(layer)


def fault_table() -> dict[str, str]:
    """Return what each fault does, by name, in the words of the layers that have it."""
    texts: dict[str, list[str]] = {}
    for layer in layer_classes():
        for name, fault in vars(layer).get("faults", {}).items():
            texts.setdefault(name, []).append(fault.description)
    return {name: "; ".join(sorted(texts[name])) for name in sorted(texts)}


FAULTS = fault_table()


def inject(network: Network, fault: str) -> None:
    """Make one entry's backward pass wrong.

    Args:
        network: Changed.
        fault: ``layers.<i>[.W|.b]:<name of FAULTS>``.

    Raises:
        UsageError: There is no such fault or entry, or the fault would change nothing there.
    """
    place, _, name = fault.partition(":")
    if name not in FAULTS:
        raise UsageError(f"--inject {fault}: expected layers.<i>.<W or b>:<fault> with a fault of {', '.join(FAULTS)}")
    parts = place.split(".")
    known = sorted({layer.index for layer in network.layers})
    if len(parts) not in (2, 3) or parts[0] != "layers" or not parts[1].isdecimal() or int(parts[1]) not in known:
        raise UsageError(
            f"--inject {fault}: {place} is no entry of this network; there are layers.0 to layers.{known[-1]}"
        )
    if len(parts) == 3 and place not in network.parameters():
        raise UsageError(f"--inject {fault}: there is no tensor {place}; there are {', '.join(network.parameters())}")
    steps = [i for i, layer in enumerate(network.layers) if layer.index == int(parts[1])]
    hit = [i for i in steps if name in (own := network.layers[i].faults) and own[name].applies(network.layers[i])]
    if not hit:
        raise UsageError(
            f"--inject {fault}: it does not apply there, or would change nothing; {name} is for {FAULTS[name]}"
        )
    for i in hit:
        network.layers[i] = FaultyLayer(network.layers[i], name)


class FaultyLayer(Layer[Any]):
    """A layer whose forward pass is right and whose backward pass is not."""

    def __init__(self, layer: Layer[Any], fault: str):
        self.layer, self.fault = layer, layer.faults[fault]
        self.index, self.kind, self.params = layer.index, layer.kind, layer.params
        self.in_shape, self.out_shape = layer.in_shape, layer.out_shape

    def cache(self, n: int, dtype: DTypeLike) -> Any:
        """Return the layer's own memory."""
        return self.layer.cache(n, dtype)

    def forward(self, x: Array, cache: Any) -> Array:
        """Return the layer's own output."""
        self.x = x.copy()
        return self.layer.forward(x, cache)

    def pattern(self, cache: Any) -> Array | None:
        """Return the layer's own."""
        return self.layer.pattern(cache)

    def to_edge(self, name: str, value: Array) -> Array:
        """Return the layer's own."""
        return self.layer.to_edge(name, value)

    def from_edge(self, name: str, value: Array) -> Array:
        """Return the layer's own."""
        return self.layer.from_edge(name, value)

    def backward(self, delta: Array, cache: Any, grads: dict[str, Array], want_delta: bool = True) -> Array | None:
        """Return a delta, and write gradients, that are wrong in the way of the fault."""
        return self.fault.backward(self.layer, self.x, delta, cache, grads, want_delta)

    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        """Return the layer's own."""
        return self.layer.add_onnx(graph, x, name, b)
