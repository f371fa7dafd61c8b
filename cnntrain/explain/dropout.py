"""Dropout at one value: the mask forward and backward."""

import numpy as np

from cnntrain import textbook
from cnntrain.explain.activation import delta_before, elementwise_output
from cnntrain.explain.arithmetic import Equation, Group, Part, cut
from cnntrain.explain.entry import Entry, indexed


def explain(entry: Entry) -> list[Part]:
    """Explain dropout at one value."""
    trace, k = entry.trace, entry.chosen_filter()
    at = elementwise_output(entry, k)
    mask, x, a = trace.intermediates["mask"], trace.x[0], trace.a[0]
    factor, value, delta = (float(array[at]) for array in (mask[0], x, trace.delta[0]))
    forward = Equation(
        indexed("a", at),
        "mask ⊙ x",
        float(a[at]),
        float(textbook.dropout_forward(np.array([factor]), np.array([value]))[0]),
        (Group("product", None, ((factor, value),)),),
    )
    dx = Equation(
        indexed("dJ/dx", at),
        "mask ⊙ delta",
        float(trace.dx[0][at]),
        float(textbook.delta_through_dropout(np.array([factor]), np.array([delta]))[0]),
        (Group("product", None, ((factor, delta),)),),
    )
    follows = delta_before(entry, at)
    image, marked = (mask[0][at[0]], [at[1:]]) if x.ndim == 3 else (mask[0][np.newaxis], [(0, at[0])])
    pixels = [(int(row), int(column)) for row, column in marked]
    return [
        Part(
            "forward",
            "a = mask ⊙ x",
            "",
            (cut("mask", image, pixels),),
            (forward,),
            (*entry.took(k, at[1:]), ("mask", {})),
        ),
        Part("backward", "dJ/dx = mask ⊙ delta", "", (), (dx,) if follows is None else (dx, follows)),
    ]
