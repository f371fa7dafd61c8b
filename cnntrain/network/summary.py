"""The summary of a network: one row for each entry of its config, also as text and as HTML."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cnntrain.layers.base import Layer
from cnntrain.network.array_layout import edge_shape

if TYPE_CHECKING:
    from cnntrain.network.network import Network

TITLES = ("", "layer", "output", "parameters", "multiply-adds")
TEXT_COLUMNS = (1, 2)
"""Columns of text, aligned to the left."""


def describe(network: "Network") -> dict[str, Any]:
    """Return the layers and the number of parameters; ``multiply_adds`` are those of one sample's forward pass.

    The row of a residual block has the totals of the block, the rows of its layers (``layers``) and that of its
    shortcut, None for the identity.
    """
    frozen = 1 + max((layer.index for layer in network.layers[: network.frozen] if layer.params), default=-1)
    rows = rows_of(network.layers)
    for row in rows:
        row["frozen"] = row["index"] < frozen
    parameters = sum(slot.layer.params[slot.key].size for slot in network.layout.parameters.values())
    return {"layers": rows, "parameters": parameters, "trained_parameters": network.layout.trainable_count}


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


def flat_rows(rows: Sequence[dict[str, Any]], outer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the row of each entry, such as ``2``, ``2.0`` and ``2.shortcut`` of a residual block."""
    for row in rows:
        name = f"{outer}{row['index']}"
        yield name, row
        yield from flat_rows(row.get("layers", ()), f"{name}.")
        if row.get("shortcut"):
            yield f"{name}.shortcut", row["shortcut"]


def table_of(network: "Network") -> list[tuple[str, ...]]:
    """Return the table of a network: titles, the input, a row for each entry, and totals."""
    description = describe(network)
    table = [TITLES, ("", "input", shape_text(network.in_shape), "", "")]
    for name, row in flat_rows(description["layers"]):
        kind = "  " * name.count(".") + row["type"]
        counts = (f"{row[key]:,}" for key in ("parameters", "multiply_adds"))
        table.append((name, kind, shape_text(row["output_shape"]), *counts))
    multiply_adds = sum(row["multiply_adds"] for row in description["layers"])
    return [*table, ("", "total", "", f"{description['parameters']:,}", f"{multiply_adds:,}")]


def shape_text(shape: Sequence[int]) -> str:
    """Return ``8 x 14 x 14`` for (8, 14, 14)."""
    return " x ".join(map(str, shape))


def text_table(network: "Network") -> str:
    """Return the table of a network as text."""
    table = table_of(network)
    widths = [max(len(row[column]) for row in table) for column in range(len(TITLES))]
    lines = (
        "  ".join(
            cell.ljust(width) if column in TEXT_COLUMNS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines)


def html_table(network: "Network") -> str:
    """Return the table of a network as HTML, for a notebook."""
    from html import escape  # imported late: only notebooks need it

    def cells(row: tuple[str, ...], tag: str) -> str:
        return "".join(
            f'<{tag} style="text-align: {"left" if column in TEXT_COLUMNS else "right"}; white-space: pre">'
            f"{escape(cell)}</{tag}>"
            for column, cell in enumerate(row)
        )

    titles, *rows = table_of(network)
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table><thead><tr>{cells(titles, 'th')}</tr></thead><tbody>{body}</tbody></table>"


def completions(_network: "Network") -> list[str]:
    """Return what completion shows of a network."""
    return [
        *("astype", "dtype", "forward", "in_shape", "layers", "loss_and_gradients", "out_shape"),
        *("parameters", "set_parameters", "set_state", "state", "trace"),
    ]
