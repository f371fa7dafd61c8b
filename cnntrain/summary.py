"""What a network consists of: a line for each entry of its config."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from cnntrain.edges import edge_shape
from cnntrain.layers.base import Layer
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.layers.conv import Conv
from cnntrain.layers.fc import Fc
from cnntrain.layers.pool import Pool
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
        row["multiply_adds"] += multiply_adds(layer)
        row["notes"] += unread(layer)
    layers = [rows[index] for index in sorted(rows)]
    return {
        "layers": layers,
        "parameters": network.layout.trained_count,
        "memory_bytes": memory_bytes(network, state_rows),
    }


def multiply_adds(layer: Layer[Any]) -> int:
    """Products of one sample's way forward."""
    match layer:
        case Conv():
            g = layer.geometry
            return g.OH * g.OW * g.K * g.F * g.F * g.C
        case Fc():
            return math.prod(layer.in_shape) * layer.out_shape[0]
        case BatchNorm():
            return math.prod(layer.in_shape)
    return 0


def unread(layer: Layer[Any]) -> list[str]:
    """Notes on rows and columns of the input that no window reads because the stride ends before them."""
    if isinstance(layer, Conv):
        g = layer.geometry
        sides, stride, padding = (g.F, g.F), g.S, g.P
    elif isinstance(layer, Pool):
        sides, stride, padding = layer.region, layer.S, 0
    else:
        return []
    H, _, W = layer.in_shape
    lasts, total = [], 0
    for count, side, what in ((H, sides[0], "row"), (W, sides[1], "column")):
        left = min((count + 2 * padding - side) % stride - padding, count)
        if left > 0:
            lasts.append(f"the last {what}" if left == 1 else f"the last {left} {what}s")
            total += left
    return [f"{' and '.join(lasts)} of its input {'is' if total == 1 else 'are'} never read"] if lasts else []


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
