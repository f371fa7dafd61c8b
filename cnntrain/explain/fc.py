"""A fully connected layer: z of one unit, W^T delta at one feature, and one entry of dW = delta a^T."""

import numpy as np

from cnntrain import textbook
from cnntrain.explain.activation import activation, db_part, delta_before, delta_of
from cnntrain.explain.arithmetic import Equation, Group, Part, cut, products
from cnntrain.explain.entry import Entry, Position, indexed


def explain(entry: Entry) -> list[Part]:
    """Explain a unit, and one feature of its input."""
    trace, u = entry.trace, entry.chosen_filter()
    W, b = entry.param("W"), entry.param("b", len(entry.param("W")))
    x, delta, shape = trace.x[0].ravel(), trace.delta[0], trace.x.shape[1:]
    at = feature(entry)
    v = int(np.ravel_multi_index(at, shape))
    z = Equation(
        indexed("z", u),
        "sum W a + b",
        float(trace.z[0, u]),
        float(textbook.fc_forward(W[u : u + 1], b[u : u + 1], x)[0]),
        (Group("unit", u, products(W[u], x)),),
        ((indexed("b", u), float(b[u])),),
    )
    remarks = entry.took(u, at[-2:])
    if len(shape) == 3:
        remarks.append(("flattened", {"C": shape[0], "H": shape[1], "W": shape[2]}))
    if "b" not in trace.parameters:
        remarks.append(("no_b", {}))
    equations = [z]
    if entry.sigma != "softmax":  # which needs every z; the loss shows it
        equations.append(activation(entry, (u,)))
    matrices = (cut("a^T", x[np.newaxis], [(0, v)]), cut(f"W[{u}]", W[u : u + 1], [(0, v)]))
    parts = [Part("forward", "z = W a + b,  a = sigma(z)", "5", matrices, tuple(equations), tuple(remarks))]
    parts += [part for part in [delta_of(entry, (u,))] if part is not None]
    names = tuple(f"{indexed('W', i, v)}·{indexed('delta', i)}" for i in range(len(delta)))
    dx = Equation(
        indexed("dJ/dx", at),
        "sum W^T delta",
        float(trace.dx[0][at]),
        float(textbook.delta_through_fc(W[:, v : v + 1], delta)[0]),
        (Group("column", v, products(W[:, v], delta), True, names),),
    )
    follows = delta_before(entry, at)
    matrices = (cut("delta^T", delta[np.newaxis], [(0, u)]), cut(f"W[:,{v}]^T", W[:, v][np.newaxis], [(0, u)]))
    parts.append(
        Part(
            "backward",
            "dJ/dx = W^T delta",
            "1",
            matrices,
            (dx,) if follows is None else (dx, follows),
            (("transposed", {}),),
        )
    )
    terms = [(float(trace.delta[n, u]), float(trace.x[n].flat[v])) for n in range(len(trace.x))]
    expected = sum(
        float(textbook.fc_dW(sample.ravel()[v : v + 1], of_sample[u : u + 1])[0, 0])
        for sample, of_sample in zip(trace.x, trace.delta, strict=True)
    )
    dW = Equation(
        indexed("dW", u, v),
        "delta a",
        float(trace.gradients["W"][u, v]),
        expected,
        tuple(Group("sample", n, (term,), n == 0) for n, term in enumerate(terms)),
    )
    parts.append(Part("dW", "dW = delta a^T", "1", (), (dW,)))
    return [*parts, db_part(entry, u)] if "b" in trace.gradients else parts


def feature(entry: Entry) -> Position:
    """Return the feature to show: the one asked for, in the strongest channel, or the largest |a|."""
    x, at = np.abs(entry.trace.x[0]), entry.checked_at()
    if at is None:
        return tuple(int(i) for i in np.unravel_index(x.argmax(), x.shape))
    return (int(x[:, at[0], at[1]].argmax()), *at) if x.ndim == 3 else at
