"""What a network consists of: a line for each entry of its config."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from cnntrain.edges import edge_shape
from cnntrain.layers.base import Layer
from cnntrain.network import Network
from cnntrain.types import Array


def describe(network: Network, state_rows: int = 0) -> dict[str, Any]:
    """Return layers, parameters and memory: what ``cnntrain summary --json`` prints.

    ``multiply_adds`` counts the products of one sample's way forward. ``memory_bytes`` is what training keeps:
    parameters, those before the iteration, two gradients and what the optimizer remembers, and the memory of one slice,
    forward and backward.

    Args:
        network: The network.
        state_rows: Vectors as long as all parameters that the optimizer keeps, see ``TrainingOptions.state_rows``.
    """
    rows: dict[int, dict[str, Any]] = {}
    for layer in network.layers:
        row = rows.setdefault(
            layer.index,
            {
                "index": layer.index,
                "type": layer.kind,
                "output_shape": [],
                "parameters": 0,
                "multiply_adds": 0,
                "notes": [],
            },
        )
        if not row["output_shape"]:  # an activation behind a pool has the pool's shape, not its own entry's
            row["output_shape"] = list(edge_shape(layer.out_shape))
        row["parameters"] += sum(value.size for key, value in layer.params.items() if key not in layer.statistics)
        row["multiply_adds"] += layer.multiply_adds
        row["notes"] += unread_text(layer)
    layers = [rows[index] for index in sorted(rows)]
    return {
        "layers": layers,
        "parameters": network.layout.trained_count,
        "memory_bytes": memory_bytes(network, state_rows),
    }


def unread_text(layer: Layer[Any]) -> list[str]:
    """Notes on rows and columns of the input that no window reads because the stride ends before them."""
    sides = layer.unread
    if not sides:
        return []
    are = "are" if len(sides) > 1 or sides[0].endswith("s") else "is"
    return [f"{' and '.join(sides)} of its input {are} never read"]


def memory_bytes(network: Network, state_rows: int) -> int:
    """Bytes that training holds, the images left out; measured on one slice of black images."""
    memory = network.memory(network.slice_size)
    memory.x.fill(0)
    network.learn_slice(memory, np.zeros(memory.n, np.int64), 1.0, network.layout.views(np.empty_like(network.theta)))
    arrays = [memory.x, *(value for cache in memory.caches for value in held(cache))]
    owned = {id(array): array.nbytes for array in arrays if array.base is None}
    return (4 + state_rows) * network.theta.nbytes + sum(owned.values())


def held(cache: Any) -> Iterator[Array]:
    """The arrays of a cache."""
    for value in vars(cache).values():
        yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, np.ndarray))
