"""A convolution: the window and its products, the deltas that reach a pixel, one entry of dW, and db."""

import numpy as np

from cnntrain import textbook
from cnntrain.explain.activation import activation, db_part, delta_before, delta_of
from cnntrain.explain.arithmetic import Equation, Group, Part, cut, products
from cnntrain.explain.entry import Entry, Position, Windows, indexed
from cnntrain.layers.conv import Conv
from cnntrain.types import Array


def windows_of(layer: Conv) -> Windows:
    """Return the windows of a convolution."""
    return Windows((layer.geometry.F, layer.geometry.F), layer.geometry.P, layer.geometry.S)


def explain(entry: Entry) -> list[Part]:
    """Explain a convolution at one filter and around one pixel."""
    layer, trace, k = entry.layer, entry.trace, entry.chosen_filter()
    assert isinstance(layer, Conv)
    windows, out, at = windows_of(layer), trace.z.shape[2:], entry.checked_at()
    if at is None:
        strongest = np.unravel_index(np.abs(trace.delta[0, k]).argmax(), out)
        at = windows.middle(tuple(map(int, strongest)), trace.x.shape[2:])
    output = windows.around(at, out)
    c = int(np.abs(trace.dx[0][:, at[0], at[1]]).argmax())
    parts = [
        forward(entry, windows, k, output, c, at),
        delta_of(entry, (k, *output)),
        backward(entry, windows, k, at, c),
    ]
    parts += [kernel_gradient(entry, windows, k, c, at, output)]
    if "b" in trace.gradients:
        parts.append(db_part(entry, k))
    return [part for part in parts if part is not None]


def forward(entry: Entry, windows: Windows, k: int, output: Position, c: int, at: Position) -> Part:
    """The window, W, their products, + b = z, and sigma(z) = a."""
    W, b = entry.param("W"), entry.param("b", len(entry.param("W")))
    window = windows.window(entry.trace.x[0], output)
    z = Equation(
        indexed("z", k, output),
        "sum x ⊙ W + b",
        float(entry.trace.z[0][(k, *output)]),
        float(textbook.conv_forward(W[k : k + 1], b[k : k + 1], window)[0, 0, 0]),
        by_channel(window, W[k], c),
        ((indexed("b", k), float(b[k])),),
    )
    matrices = (
        cut(f"x[{c}]", window[c]),
        cut(f"W[{k},{c}]", W[k, c]),
        cut("x ⊙ W", window[c] * W[k, c]),
    )
    first = tuple(windows.S * i - windows.P for i in output)
    remarks = [*entry.took(k, at), ("window", {"row": first[0], "column": first[1], "F": windows.sides[0]})]
    if "b" not in entry.trace.parameters:
        remarks.append(("no_b", {}))
    return Part(
        "forward", "z = a * W + b,  a = sigma(z)", "3", matrices, (z, activation(entry, (k, *output))), tuple(remarks)
    )


def by_channel(left: Array, right: Array, shown: int) -> tuple[Group, ...]:
    """Return the products of two ``(C, rows, columns)`` arrays, one group per channel, the one to write out first."""
    order = sorted(range(len(left)), key=lambda c: c != shown)
    return tuple(Group("channel", c, products(left[c], right[c]), c == shown) for c in order)


def backward(entry: Entry, windows: Windows, k: int, at: Position, c: int) -> Part:
    """Which deltas reach a pixel of the input, and by which entries of W; then sigma' of the entry before."""
    W, delta, F = entry.param("W"), entry.trace.delta[0], windows.sides[0]
    reading = windows.reading(at, delta.shape[1:])
    spread = np.zeros((len(delta), F, F))
    for (i, j), (p, q) in reading:
        spread[:, F - 1 - p, F - 1 - q] = delta[:, i, j]
    rotated = textbook.rot180(W[:, c : c + 1])
    groups = []
    for filter in sorted(range(len(delta)), key=lambda f: f != k):
        terms = tuple((float(delta[filter, i, j]), float(W[filter, c, p, q])) for (i, j), (p, q) in reading)
        names = tuple(f"{indexed('delta', filter, i)}·{indexed('W', filter, c, p)}" for i, p in reading)
        groups.append(Group("filter", filter, terms, filter == k, names))
    dx = Equation(
        indexed("dJ/dx", c, at),
        "sum delta ⊙ W",
        float(entry.trace.dx[0][(c, *at)]),
        float(textbook.conv_forward(rotated.swapaxes(0, 1), np.zeros(1), spread)[0, 0, 0]),
        tuple(groups),
    )
    marked = [output for output, _ in reading]
    matrices = (
        cut(f"delta[{k}]", delta[k], marked),
        cut(f"W[{k},{c}]", W[k, c]),
        cut("rot180(W)", rotated[k, 0]),
        cut(f"delta @ {at[0]},{at[1]}", spread[k]),
    )
    remarks = [
        ("reached", {"count": len(reading), "c": c, "row": at[0], "column": at[1]}),
        ("why_rot180", {"row": at[0], "column": at[1]}),
    ]
    if windows.S > 1:
        remarks.append(("spread", {"zeros": windows.S - 1}))
    follows = delta_before(entry, (c, *at))
    equations = (dx,) if follows is None else (dx, follows)
    return Part("backward", "dJ/dx = delta * rot180(W)", "3", matrices, equations, tuple(remarks))


def kernel_gradient(entry: Entry, windows: Windows, k: int, c: int, at: Position, output: Position) -> Part:
    """One entry of dW as its sum over the pixels of delta, unflipped."""
    trace, (F, _) = entry.trace, windows.sides
    p, q = (int(np.clip(at[axis] + windows.P - windows.S * output[axis], 0, F - 1)) for axis in (0, 1))
    OH, OW = trace.delta.shape[2:]
    pixels = np.array([read_pixels(x[c], windows, (p, q), (OH, OW)) for x in trace.x])
    delta = trace.delta[:, k]
    dW = sum(float(textbook.conv_dW(pixels[n : n + 1], delta[n : n + 1], 1)[0, 0, 0, 0]) for n in range(len(delta)))
    equation = Equation(
        indexed("dW", k, c, (p, q)),
        "sum delta ⊙ x",
        float(trace.gradients["W"][k, c, p, q]),
        dW,
        tuple(Group("sample", n, products(delta[n], pixels[n]), n == 0) for n in range(len(delta))),
    )
    matrices = (
        cut(f"delta[{k}]", delta[0], [output]),
        cut(f"x[{c}] @ {p},{q}", pixels[0], [output]),
        cut(f"dW[{k},{c}]", trace.gradients["W"][k, c], [(p, q)]),
    )
    return Part("dW", "dW = a * delta", "4", matrices, (equation,), (("not_flipped", {"p": p, "q": q}),))


def read_pixels(x: Array, windows: Windows, offset: Position, out: Position) -> Array:
    """Return the pixel that each output multiplies with the entry of W at ``offset``, 0 outside the image."""
    pixels = np.zeros(out)
    for i, j in np.ndindex(*out):
        r, c = windows.S * i + offset[0] - windows.P, windows.S * j + offset[1] - windows.P
        if 0 <= r < x.shape[0] and 0 <= c < x.shape[1]:
            pixels[i, j] = x[r, c]
    return pixels
