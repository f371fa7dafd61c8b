"""Deliberate faults in a backward pass, to show that the gradient check detects them.

A fault is written ``layers.<i>.W:no_flip``; the tensor (or just ``layers.<i>``) names the entry of ``network.layers``.
It changes one thing: if it could change several gradients of an entry, the tensor says which, by default the first. An
entry in a residual block is ``layers.<i>.<j>``, and its shortcut ``layers.<i>.shortcut``.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import DTypeLike

from cnntrain.errors import UsageError
from cnntrain.layers.base import Layer, OnnxGraph
from cnntrain.layers.row import rows, walk
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


def inject(network: Network, fault: str) -> str:
    """Put a fault into the backward pass of one entry.

    Args:
        network: The network; changed in place.
        fault: The fault, ``layers.<i>[.W|.b]:<name of FAULTS>``.

    Returns:
        Where and what it is, ``layers.0.W no_flip``.

    Raises:
        UsageError: There is no such fault or entry, or the fault would have no effect there.
    """
    target, _, name = fault.partition(":")
    faults = fault_table()
    if name not in faults:
        raise UsageError(
            f"--inject {fault}: expected layers.<i>.<W or b>:<fault> with a fault of {', '.join(faults)}; "
            "--inject list describes them"
        )
    entries = dict.fromkeys(name for name, _ in walk(network.layers))
    entry = target if target in entries else target.rpartition(".")[0]
    if entry not in entries:
        inside = [name for name in entries if name.count(".") > 1]
        more = f", and in residual blocks {', '.join(inside)}" if inside else ""
        raise UsageError(
            f"--inject {fault}: {target} is no entry of this network; there are layers.0 to "
            f"layers.{network.layers[-1].index}{more}"
        )
    if entry != target and target not in network.parameters():
        raise UsageError(f"--inject {fault}: there is no tensor {target}; there are {', '.join(network.parameters())}")
    found = applicable(network.layers, entry, name)
    if not found:
        raise UsageError(
            f"--inject {fault}: it does not apply there, or would change nothing; {name} is for {faults[name]}"
        )
    key = target.removeprefix(f"{entry}.")
    row, i = next(((row, i) for row, i in found if key in row[i].params), found[0])
    tensor = next((key for key in row[i].params if key not in row[i].buffers), None)
    row[i] = FaultyLayer(row[i], name)
    where = f"{entry}.{tensor}" if entry == target and len(found) > 1 else target
    return f"{where} {name}"


def applicable(layers: list[Layer[Any]], entry: str, fault: str) -> list[tuple[list[Layer[Any]], int]]:
    """Return the layers of an entry to which a fault applies, as a row and an index in it."""
    names = {layer: name for name, layer in walk(layers)}
    return [
        (row, i)
        for row in rows(layers)
        for i, layer in enumerate(row)
        if names[layer] == entry and fault in layer.faults and layer.faults[fault].applies(layer)
    ]


def describe_faults(network: Network | None = None) -> list[dict[str, Any]]:
    """Return ``fault``, ``layers`` (the kinds) and ``description`` of each fault, one row per kind of layer.

    Args:
        network: If given, each row also has ``entries``, the entries of this network to which the fault applies.
    """
    places: dict[tuple[str, str], list[str]] = {}
    for name, layer in walk(network.layers) if network is not None else ():
        for fault, known in layer.faults.items():
            if known.applies(layer):
                places.setdefault((fault, known.description), []).append(name)
    rows_of = {
        (name, fault.description) for layer in layer_classes() for name, fault in vars(layer).get("faults", {}).items()
    }
    table = []
    for name, text in sorted(rows_of):
        kinds, _, description = text.partition(": ")
        row: dict[str, Any] = {"fault": name, "layers": kinds, "description": description}
        if network is not None:
            row["entries"] = places.get((name, text), [])
        table.append(row)
    return table


class FaultyLayer(Layer[Any]):
    """A layer with a correct forward pass and a wrong backward pass."""

    def __init__(self, layer: Layer[Any], fault: str):
        self.layer, self.fault = layer, layer.faults[fault]
        self.index, self.kind, self.params = layer.index, layer.kind, layer.params
        self.in_shape, self.out_shape = layer.in_shape, layer.out_shape
        self.buffers, self.branches = layer.buffers, layer.branches

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
