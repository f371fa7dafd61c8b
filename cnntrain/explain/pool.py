"""A pool: the region and its winner or average, and upsample(delta) both ways, with sums where regions overlap."""

from typing import Any

import numpy as np

from cnntrain import textbook
from cnntrain.explain.activation import delta_before
from cnntrain.explain.arithmetic import Equation, Group, Part, cut
from cnntrain.explain.entry import Entry, Position, Windows, indexed
from cnntrain.layers.base import Layer
from cnntrain.layers.pool import MaxPool, Pool
from cnntrain.types import Array


def windows_of(layer: Layer[Any]) -> Windows:
    """Return the regions of a pool; the whole image for the average of all."""
    if isinstance(layer, Pool):
        return Windows(layer.region, layer.P, layer.S)
    H, _, W = layer.in_shape
    return Windows((H, W), 0, 1)


def explain(entry: Entry) -> list[Part]:
    """Explain a pool at one channel and around one pixel."""
    trace, c = entry.trace, entry.chosen_filter()
    windows, out, at = windows_of(entry.layer), trace.a.shape[2:], entry.checked_at()
    is_max = isinstance(entry.layer, MaxPool)
    if at is None:
        output = tuple(map(int, np.unravel_index(np.abs(trace.delta[0, c]).argmax(), out)))
        at = windows.middle(output, trace.x.shape[2:])
        if is_max:
            p, q = divmod(int(trace.intermediates["winner"][0][(c, *output)]), windows.sides[1])
            at = windows.S * output[0] + p - windows.P, windows.S * output[1] + q - windows.P
    reading = windows.reading(at, out)
    output = reading[0][0] if reading else windows.around(at, out)
    return [forward(entry, windows, c, output, at), backward(entry, windows, c, at, is_max)]


def forward(entry: Entry, windows: Windows, c: int, output: Position, at: Position) -> Part:
    """The region, and its maximum or average."""
    is_max = isinstance(entry.layer, MaxPool)
    region = windows.window(entry.trace.x[0][c : c + 1], output, -np.inf if is_max else 0.0)  # padding never wins
    name, share = indexed("a", c, output), 1 / region.size
    value = float(entry.trace.a[0][(c, *output)])
    expected = float(textbook.pool_forward(region, "all", 1, "max" if is_max else "average")[0, 0, 0])
    marked: list[Position] = []
    if is_max:
        marked = [divmod(int(entry.trace.intermediates["winner"][0][(c, *output)]), windows.sides[1])]
        operands = tuple(
            (indexed("x", c, *pixel), v) for pixel, v in of_region(region[0], windows, output) if v > -np.inf
        )
        equation = Equation(name, "max", value, expected, operands=operands)
    else:
        terms = tuple((v, share) for v in region.ravel().tolist())
        equation = Equation(name, "sum x / k²", value, expected, (Group("product", None, terms),))
    first = tuple(windows.S * i - windows.P for i in output)
    remark = ("region_at", {"row": first[0], "column": first[1], "rows": windows.sides[0], "columns": windows.sides[1]})
    matrix = cut(f"x[{c}]", region[0], marked)
    return Part(
        "forward",
        "a = pool(a)",
        "5",
        (matrix,),
        (equation,),
        (*entry.took(c, at), remark, *((("winner", {}),) if is_max else ())),
    )


def of_region(region: Array, windows: Windows, output: Position) -> list[tuple[tuple[int, int], float]]:
    """Return the pixels of a region by row and column of the image."""
    return [
        ((windows.S * output[0] + p - windows.P, windows.S * output[1] + q - windows.P), float(region[p, q]))
        for p, q in np.ndindex(region.shape)
    ]


def backward(entry: Entry, windows: Windows, c: int, at: Position, is_max: bool) -> Part:
    """The value at a pixel of upsample(delta): the sum over the regions that hold it."""
    delta, trace = entry.trace.delta[0, c], entry.trace
    terms, names, expected = [], [], 0.0
    for (i, j), (p, q) in windows.reading(at, delta.shape):
        region = np.zeros((1, *windows.sides))
        share = 1 / region.size
        if is_max:
            won = divmod(int(trace.intermediates["winner"][0][c, i, j]), windows.sides[1])
            region[(0, *won)] = 1
            share = float(won == (p, q))
        one = np.array([[[delta[i, j]]]])
        expected += float(textbook.upsample(one, region, "all", 1, "max" if is_max else "average")[0, p, q])
        terms.append((float(delta[i, j]), share))
        names.append(f"{indexed('delta', c, i, j)}·{'won' if is_max else '1/k²'}")
    dx = Equation(
        indexed("dJ/dx", c, at),
        "sum upsample(delta)",
        float(trace.dx[0][(c, *at)]),
        expected,
        (Group("region", None, tuple(terms), True, tuple(names)),),
    )
    follows = delta_before(entry, (c, *at))
    by_max, by_average = (upsampled(entry, windows, c, kind) for kind in ("max", "average"))
    matrices = [cut(f"delta[{c}]", delta, [output for output, _ in windows.reading(at, delta.shape)])]
    matrices += [cut("upsample, max", by_max, [at])] * is_max + [cut("upsample, average", by_average, [at])]
    remarks = [
        ("upsample_max" if is_max else "upsample_average", {}),
        ("overlap" if len(terms) > 1 else "one_region", {"count": len(terms)}),
    ]
    if not terms:
        remarks[-1] = ("unread", {})
    equations = (dx,) if follows is None else (dx, follows)
    return Part("backward", "dJ/dx = upsample(delta)", "3", tuple(matrices), equations, tuple(remarks))


def upsampled(entry: Entry, windows: Windows, c: int, kind: str) -> Array:
    """Return upsample(delta) of a channel, by the winners of the engine or as an average."""
    x, delta = entry.trace.x[0, c], entry.trace.delta[0, c]
    rows, columns = windows.sides
    padded = np.zeros((x.shape[0] + 2 * windows.P, x.shape[1] + 2 * windows.P))
    for i, j in np.ndindex(delta.shape):
        top, left = windows.S * i, windows.S * j
        if kind == "average":
            padded[top : top + rows, left : left + columns] += delta[i, j] / (rows * columns)
        elif "winner" in entry.trace.intermediates:
            p, q = divmod(int(entry.trace.intermediates["winner"][0][c, i, j]), columns)
            padded[top + p, left + q] += delta[i, j]
    return padded[windows.P : windows.P + x.shape[0], windows.P : windows.P + x.shape[1]]
