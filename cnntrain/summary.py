"""The summary of a network: one row for each entry of its config."""

from collections.abc import Sequence
from typing import Any

from cnntrain.layers.base import Layer
from cnntrain.network.array_layout import edge_shape
from cnntrain.network.network import Network


def describe(network: Network) -> dict[str, Any]:
    """Return the layers and the number of parameters; ``multiply_adds`` are those of one sample's forward pass.

    The row of a residual block has the totals of the block, the rows of its layers (``layers``) and that of its
    shortcut, None for the identity.
    """
    return {"layers": rows_of(network.layers), "parameters": network.layout.trainable_count}


def rows_of(layers: Sequence[Layer[Any]]) -> list[dict[str, Any]]:
    """Return one row for each entry."""
    rows: dict[int, dict[str, Any]] = {}
    for layer in layers:
        row = rows.setdefault(layer.index, {"index": layer.index, **empty_row(layer)})
        if not row["output_shape"]:  # an activation after a pool has the pool's shape, not that of its entry
            row["output_shape"] = list(edge_shape(layer.out_shape))
        add(layer, row)
        if layer.branches:
            row["layers"] = rows_of(layer.branches["F"])
            row["shortcut"] = shortcut_row(layer.branches["shortcut"])
    return [rows[index] for index in sorted(rows)]


def shortcut_row(layers: Sequence[Layer[Any]]) -> dict[str, Any] | None:
    """Return one row for all layers of a shortcut, None for the identity."""
    if not layers:
        return None
    row = empty_row(layers[0]) | {"output_shape": list(edge_shape(layers[-1].out_shape))}
    for layer in layers:
        add(layer, row)
    row["notes"] = []  # with a stride, kernels of 1 x 1 leave out pixels: they are meant to
    return row


def empty_row(layer: Layer[Any]) -> dict[str, Any]:
    """Return the row of an entry before any layer is added."""
    return {"type": layer.kind, "output_shape": [], "parameters": 0, "multiply_adds": 0, "notes": []}


def add(layer: Layer[Any], row: dict[str, Any]) -> None:
    """Add a layer of the entry to its row."""
    row["parameters"] += sum(value.size for key, value in layer.params.items() if key not in layer.buffers)
    row["multiply_adds"] += layer.multiply_adds
    row["notes"] += unread_text(layer)


def unread_text(layer: Layer[Any]) -> list[str]:
    """Return notes on rows and columns of the input that no window reads."""
    sides = layer.unread
    if not sides:
        return []
    are = "are" if len(sides) > 1 or sides[0].endswith("s") else "is"
    return [f"{' and '.join(sides)} of its input {are} never read"]
