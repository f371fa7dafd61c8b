"""A residual block at one value: F(x) + shortcut(x), and the two ways in which delta comes back to x."""

import numpy as np

from cnntrain import textbook
from cnntrain.explain.activation import activation, delta_before, delta_of, elementwise_output
from cnntrain.explain.arithmetic import Equation, Group, Part
from cnntrain.explain.entry import Entry, Position, indexed


def explain(entry: Entry) -> list[Part]:
    """Explain a residual block; the entries inside it are explained on their own."""
    trace, k = entry.trace, entry.chosen_filter()
    at = entry.checked_at()
    output = elementwise_output(entry, k) if trace.delta.shape == trace.x.shape else strongest(entry, k)
    f, s = (float(trace.intermediates[name][0][output]) for name in ("branch", "shortcut"))
    z = Equation(
        indexed("z", output),
        "F(x) + shortcut(x)",
        float(trace.z[0][output]),
        float(textbook.residual_forward(np.array([f]), np.array([s]))[0]),
        operands=((indexed("F(x)", output), f), (indexed("shortcut(x)", output), s)),
    )
    pixel = (int(np.abs(trace.dx[0][(slice(None), *at)]).argmax()), *at) if at and trace.dx.ndim == 4 else at
    if pixel is None:
        pixel = tuple(int(i) for i in np.unravel_index(np.abs(trace.dx[0]).argmax(), trace.dx[0].shape))
    ways = {name: float(trace.intermediates[name][0][pixel]) for name in ("dx_branch", "dx_shortcut")}
    dx = Equation(
        indexed("dJ/dx", pixel),
        "dJ/dx through F + dJ/dx through the shortcut",
        float(trace.dx[0][pixel]),
        float(textbook.delta_through_residual(*(np.array([way]) for way in ways.values()))[0]),
        (
            Group("through_F", None, ((ways["dx_branch"],),)),
            Group("through_shortcut", None, ((ways["dx_shortcut"],),)),
        ),
    )
    follows = delta_before(entry, pixel)
    inside = ", ".join(f"--layer {entry.name}.{inner.index}" for inner in trace.branches["F"])
    shortcut = ", ".join(f"--layer {entry.name}.shortcut.{inner.index}" for inner in trace.branches["shortcut"])
    remarks = [
        *entry.took(k, output[1:] if trace.z.shape == trace.x.shape else ()),
        ("inside", {"layers": ", ".join(filter(None, (inside, shortcut)))}),
    ]
    remarks.append(("shortcut_conv" if shortcut else "shortcut_identity", {}))
    delta = delta_of(entry, output)
    parts = [
        Part(
            "forward", "z = F(x) + shortcut(x),  a = sigma(z)", "", (), (z, activation(entry, output)), tuple(remarks)
        ),
        *((delta,) if delta else ()),
    ]
    equations = (dx,) if follows is None else (dx, follows)
    return [
        *parts,
        Part("backward", "dJ/dx = dJ/dx through F + through the shortcut", "", (), equations, (("two_ways", {}),)),
    ]


def strongest(entry: Entry, k: int) -> Position:
    """Return the value of output k with the largest |delta|."""
    of_output = np.abs(entry.trace.delta[0, k])
    return (k, *(int(i) for i in np.unravel_index(of_output.argmax(), of_output.shape)))
