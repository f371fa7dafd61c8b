"""What a network consists of: a line for each entry of its config."""

from typing import Any

from cnntrain.edges import edge_shape
from cnntrain.layers.base import Layer
from cnntrain.memory import slice_bytes
from cnntrain.network import Network


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
    """Bytes that training holds by the shapes of the network, the images left out."""
    n = network.slice_size
    return (4 + state_rows) * network.theta.nbytes + slice_bytes(network.layers, network.dtype, n, n)
