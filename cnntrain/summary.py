"""The summary of a network: one row for each entry of its config."""

from typing import Any

from cnntrain.layers.base import Layer
from cnntrain.network.array_layout import edge_shape
from cnntrain.network.network import Network


def describe(network: Network) -> dict[str, Any]:
    """Return the layers and the number of parameters; ``multiply_adds`` are those of one sample's forward pass."""
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
        if not row["output_shape"]:  # an activation after a pool has the pool's shape, not that of its entry
            row["output_shape"] = list(edge_shape(layer.out_shape))
        row["parameters"] += sum(value.size for key, value in layer.params.items() if key not in layer.buffers)
        row["multiply_adds"] += layer.multiply_adds
        row["notes"] += unread_text(layer)
    layers = [rows[index] for index in sorted(rows)]
    return {
        "layers": layers,
        "parameters": network.layout.trainable_count,
    }


def unread_text(layer: Layer[Any]) -> list[str]:
    """Return notes on rows and columns of the input that no window reads."""
    sides = layer.unread
    if not sides:
        return []
    are = "are" if len(sides) > 1 or sides[0].endswith("s") else "is"
    return [f"{' and '.join(sides)} of its input {are} never read"]
