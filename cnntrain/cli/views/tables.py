"""Results as tables without frames, which read the same in a log."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from cnntrain.config import LayerEntry
from cnntrain.data.names import join_names
from cnntrain.errors import visible
from cnntrain.layers.row import in_config
from cnntrain.types import Shape

MAX_COLUMNS = 10_000
"""Of a table that nothing makes narrower."""
COLUMNS = 80
"""Of the narrowest terminal that text is wrapped for."""


def layers_table(description: dict[str, Any], entries: Sequence[LayerEntry], in_shape: Shape) -> Group:
    """Return a table of the layers with totals, followed by notes on some of them.

    Args:
        description: As ``cnntrain.network.summary.describe`` gives it.
        entries: ``network.layers`` of the config.
        in_shape: Of the network.
    """
    table = plain_table()
    add_columns(table, "right", "")
    add_columns(table, "left", "layer", "output")
    add_columns(table, "right", "parameters", "multiply-adds")
    table.add_row("", "input", shape_text(in_shape))
    notes = []
    for name, text, layer in flat_rows(description["layers"], entries, in_shape):
        notes += [f"{in_config(f'layers.{name}')}: {note}" for note in layer["notes"]]
        table.add_row(
            name,
            text,
            shape_text(layer["output_shape"]),
            f"{layer['parameters']:,}",
            f"{layer['multiply_adds']:,}",
        )
    multiply_adds = sum(layer["multiply_adds"] for layer in description["layers"])
    table.add_row("", "total", "", f"{description['parameters']:,}", f"{multiply_adds:,}", style="bold")
    return Group(table, *(Text(note, "yellow") for note in notes))


def flat_rows(
    rows: Sequence[dict[str, Any]], entries: Sequence[LayerEntry], in_shape: Sequence[int], outer: str = ""
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each layer's name, such as ``2`` or ``2.0``, its text and its row; those of a residual block after it.

    Args:
        rows: As ``describe`` or ``bench`` gives them.
        entries: Their entries in the config.
        in_shape: Shape of the input.
        outer: Beginning of the names.
    """
    for row, entry in zip(rows, entries, strict=True):
        name, block = f"{outer}{row['index']}", entry.residual
        indent = "  " * outer.count(".")
        yield name, indent + layer_text(entry) + (" (frozen)" if row.get("frozen") else ""), row
        if block:
            yield from flat_rows(row["layers"], block.layers, in_shape, f"{name}.")
        if block and row["shortcut"]:
            conv, *norm = block.shortcut_layers(tuple(in_shape), tuple(row["output_shape"]))
            keys = " ".join(f"{key}={value}" for key, value in conv.model_dump(exclude_defaults=True).items())
            text = f"{indent}  shortcut: conv {keys}{', batch_norm' if norm else ''}"
            yield f"{name}.shortcut", text, row["shortcut"]
        in_shape = row["output_shape"]


def layer_text(entry: LayerEntry) -> str:
    """An entry of ``network.layers`` in short, without its defaults: ``conv K=32 F=5 relu``."""
    options = entry.options.model_dump(exclude_defaults=True, exclude={"layers"})
    given = (str(v) if isinstance(v, str) and v != "all" else f"{key}={v}" for key, v in options.items())
    return " ".join([entry.kind, *given])


def choice_lines(choices: Sequence[str], indent: int) -> list[str]:
    """How the data were read, ``subject: what was taken``, with the subjects in a column of ``indent`` characters."""
    lines = []
    for choice in choices:
        subject, colon, what = visible(choice).partition(": ")
        text = f"{subject:<{indent - 1}} {what}" if colon and len(subject) < indent else visible(choice)
        lines += textwrap.wrap(text, COLUMNS, subsequent_indent=" " * indent, break_on_hyphens=False)
    return lines


def memory_text(description: dict[str, Any]) -> str:
    """One line on the memory that training takes."""
    workers = "1 worker" if description["workers"] == 1 else f"{description['workers']} workers"
    data, free = "" if description["memory_holds_data"] else " and no images", description["free_memory_bytes"]
    text = f"memory for training: about {bytes_text(description['memory_bytes'])} with {workers}{data}"
    return text if free is None else f"{text}; free: {bytes_text(free)}"


def bench_table(result: dict[str, Any], entries: Sequence[LayerEntry], in_shape: Shape, width: int) -> Table:
    """Milliseconds of each layer, their share of the peak and of all layers, and the megabytes that it moves.

    Args:
        result: As ``cnntrain.profiling.bench`` gives it.
        entries: ``network.layers`` of the config.
        in_shape: Of the network.
        width: Columns of the terminal; below 130, shapes of outputs and rates are left out.
    """
    is_wide = width >= 130
    table = plain_table(gap=3 if is_wide else 2)
    add_columns(table, "right", "")
    add_columns(table, "left", "layer", *(["output"] if is_wide else []))
    for way in ("forward", "backward"):
        rate = ["GFLOP/s"] if is_wide else []
        add_columns(table, "right", Text(f"{way} ms" if is_wide else f"{way}\nms"), *rate, "peak")
    add_columns(table, "right", "time", "MB", *(["GB/s"] if is_wide else []))
    layers = result["layers"]
    for name, text, layer in flat_rows(layers, entries, in_shape):
        table.add_row(
            name,
            text,
            *([shape_text(layer["output_shape"])] if is_wide else []),
            *_bench_cells([layer], layer["time_share"], is_wide),
        )
    table.add_row("", "total", *([""] if is_wide else []), *_bench_cells(layers, 1.0, is_wide), style="bold")
    return table


def bench_lines(result: dict[str, Any]) -> list[str]:
    """What is below the table: whole steps, what a core can do, memory."""
    workers = "1 worker" if result["workers"] == 1 else f"{result['workers']} workers"
    batches = "1 batch" if result["batches"] == 1 else f"{result['batches']:,} batches"
    letter, side = "s" if result["dtype"] == "float32" else "d", result["gemm_side"]
    peak = result["peak_rss_bytes"]
    return [
        f"whole steps of {result['batch_size']:,} samples: {result['step_ms']:,.3f} ms with {workers}, "
        f"{result['step_share']:.0%} of the peak, {result['samples_per_second']:,.0f} samples/s (median of {batches})",
        f"between kernels, outside conv and fc products: {result['between_kernels_ms']:,.3f} ms of a step",
        f"peak of one core: its {letter}gemm, {result['gemm_gflops']:,.1f} GFLOP/s on {side} x {side} matrices; "
        "operations are counted by definition",
        memory_text(result) + ("" if peak is None else f"; of this process so far, at most {bytes_text(peak)}"),
    ]


def _bench_cells(layers: Sequence[dict[str, Any]], time_share: float, is_wide: bool) -> list[str]:
    """The cells of one layer, or of all: rates are operations or bytes of both passes by their time."""
    cells = []
    for way in ("forward", "backward"):
        ms = sum(layer[f"{way}_ms"] for layer in layers)
        # operations are rate x time, and the share of the peak is proportional to the rate
        gflops, share = (
            sum((layer[f"{way}_{unit}"] or 0) * layer[f"{way}_ms"] for layer in layers) / ms if ms else 0
            for unit in ("gflops", "share")
        )
        rate = [f"{gflops:,.1f}" if gflops else "-"] if is_wide else []
        cells += [f"{ms:,.3f}", *rate, f"{share:.0%}" if gflops else "-"]
    moved = sum(layer[f"{way}_bytes"] for layer in layers for way in ("forward", "backward")) / 1e6
    ms = sum(layer[f"{way}_ms"] for layer in layers for way in ("forward", "backward"))
    return [*cells, f"{time_share:.0%}", f"{moved:,.1f}", *([f"{moved / ms:,.1f}" if ms else "-"] if is_wide else [])]


def gradients_table(result: dict[str, Any]) -> Table:
    """Each tensor's largest relative error, and whether it passes."""
    table = plain_table()
    add_columns(table, "left", "tensor")
    add_columns(table, "right", "entries", "checked", "kinks", "max relative error")
    table.add_column("")
    for tensor in result["tensors"]:
        table.add_row(
            tensor["name"],
            f"{tensor['entries']:,}",
            f"{tensor['checked']:,}",
            f"{tensor['kinks']:,}",
            f"{tensor['max_relative_error']:.1e}" if tensor["checked"] else "-",
            _mark(tensor, result["threshold"]),
        )
    return table


def verdict(result: dict[str, Any]) -> Text:
    """One line on the whole check."""
    figures = f"worst relative error {result['worst']:.1e}, threshold {result['threshold']:g}"
    if result["passed"]:
        return Text(f"passed: every gradient agrees with its finite differences; {figures}", "green")
    names = [t["name"] for t in result["tensors"] if _mark(t, result["threshold"]).plain != "ok"]
    return Text(f"FAILED: {', '.join(names)}; {figures}", "bold red")


def fault_verdict(fault: dict[str, Any]) -> Text:
    """One line on an injected fault: whether a gradient shows it, and which."""
    if not fault["caught"]:
        return Text(f"NOT caught: {fault['fault']} shows in no gradient", "bold red")
    names = fault["shows_in"]
    where = "the input's gradient" if names == ["input"] else f"the gradient{'s' * (len(names) > 1)} of "
    if names != ["input"]:
        where += join_names("the input" if name == "input" else name for name in names)
    return Text(f"caught: {fault['fault']} shows in {where}", "green")


def faults_table(faults: Sequence[dict[str, Any]]) -> Table:
    """Each fault with the layers that can have it, and what a student gets wrong."""
    table = plain_table()
    add_columns(table, "left", "fault", "layers")
    table.add_column("what goes wrong")
    for fault in faults:
        text = fault["description"]
        if "entries" in fault:
            text += f" (here: {', '.join(fault['entries']) or 'nowhere'})"
        table.add_row(fault["fault"], fault["layers"], text)
    return table


def _mark(tensor: dict[str, Any], threshold: float) -> Text:
    if not tensor["checked"]:
        return Text("FAILED: nothing but kinks", "bold red")
    return Text("ok", "green") if tensor["max_relative_error"] < threshold else Text("FAILED", "bold red")


def shape_text(shape: Sequence[int]) -> str:
    """``1 x 28 x 28``."""
    return " x ".join(map(str, shape))


def bytes_text(size: float) -> str:
    """A number of bytes, with three digits: ``11.6 MB``."""
    unit = "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"


def truncate(name: str, width: int) -> str:
    """Return ``name`` in at most ``width`` columns, cut in the middle, since names often begin alike."""
    name, width = visible(name), max(1, width)
    if cell_len(name) <= width:
        return name
    head, tail = name, name
    while cell_len(head) > width // 2:
        head = head[:-1]
    while cell_len(tail) > width - width // 2 - 1:
        tail = tail[1:]
    return f"{head}…{tail}"


class PlainTable(Table):
    """A table without frames, whose cells are never cut unless their column may be wrapped.

    Where the terminal is too narrow for them, the gaps between columns shrink; then the terminal wraps the lines.
    """

    gap: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render as wide as the columns are."""
        least = [self._least(console, options, column) for column in self.columns]
        for gap in range(self.gap, 0, -1):
            self.padding = (0, gap, 0, 0)
            width = sum(least) + gap * (len(least) - 1)
            if width <= options.max_width:
                break
        return super().__rich_console__(console, options.update(max_width=max(width, options.max_width)))

    def _least(self, console: Console, options: ConsoleOptions, column: Column) -> int:
        wide = options.update(max_width=MAX_COLUMNS)
        sizes = [Measurement.get(console, wide, cell) for cell in (column.header, *column.cells)]
        return max(size.maximum if column.no_wrap else size.minimum for size in sizes)


def plain_table(gap: int = 3) -> PlainTable:
    """An empty table without frames, ``gap`` spaces between its columns."""
    table = PlainTable(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    table.gap = gap
    return table


def add_columns(table: Table, side: Literal["left", "right"], *names: str | Text) -> None:
    """Add columns that are never wrapped."""
    for name in names:
        table.add_column(name, justify=side, no_wrap=True)
