"""The article's worked examples, computed by the engine's layers: upsample, the nine gradients, and dW.

The article gives numbers for upsample and letters for the rest; here the letters have numbers, too. Two misprints are
corrected, and remarks say so.
"""

from typing import Any

import numpy as np

from cnntrain import textbook
from cnntrain.explain.arithmetic import Equation, Group, Matrix, Part, recomputation
from cnntrain.explain.entry import Entry
from cnntrain.explain.explanation import plain
from cnntrain.layers.base import Layer
from cnntrain.layers.conv import Conv
from cnntrain.layers.pool import AveragePool, MaxPool
from cnntrain.network.array_layout import from_edge, to_edge
from cnntrain.network.trace import LayerTrace
from cnntrain.types import Array

POOLED_DELTA = np.array([[2.0, 8.0], [4.0, 6.0]])
POOL_INPUT = np.array([[9.0, 1, 2, 3], [4, 5, 6, 8], [1, 7, 2, 3], [5, 2, 9, 4]])
"""Its maxima lie where the article has them: top left, bottom right, top right, bottom left."""
A3 = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
W2 = np.array([[1.0, -2], [3, 4]])
A4 = np.array([[1.0, 3, 2, 0], [4, 1, 5, 2], [0, 6, 1, 3], [2, 4, 0, 1]])
W3 = np.array([[1.0, 0, -1], [2, 1, 0], [0, -2, 1]])
DELTA = np.array([[2.0, 1], [-3, 5]])


def traced(name: str, layer: Layer[Any], x: Array, delta: Array) -> Entry:
    """Run a layer of the engine forward and back for one image of one channel, with a given delta."""
    cache = layer.cache(1, "float64")
    of_engine = np.array(from_edge(x[np.newaxis, np.newaxis]), order="C")
    z = np.array(to_edge(layer.forward(of_engine.copy(), cache), layer.out_shape), order="C")
    gradients = {key: np.empty(value.shape) for key, value in layer.params.items()}
    extra = {key: np.array(to_edge(value, layer.out_shape)) for key, value in layer.intermediates(cache).items()}
    dx = layer.backward(np.array(from_edge(delta[np.newaxis, np.newaxis]), order="C"), cache, gradients)
    if dx is None:
        raise TypeError(f"{type(layer).__name__} gives no delta")
    edge = {key: np.array(layer.to_edge(key, value), order="C") for key, value in gradients.items()}
    parameters = {key: np.array(layer.to_edge(key, value), order="C") for key, value in layer.params.items()}
    trace = LayerTrace(
        layer.index,
        layer.kind,
        x[np.newaxis, np.newaxis],
        z,
        z,
        delta[np.newaxis, np.newaxis],
        np.array(to_edge(dx, layer.in_shape), order="C"),
        (layer,),
        parameters,
        edge,
        extra,
    )
    return Entry(name, trace, trace.delta, None, ())


def entries() -> list[Entry]:
    """Return the four examples as entries of a network, each on its own."""
    shape = (4, 1, 4)
    return [
        traced("upsample, max", MaxPool(0, shape, (2, 2), 2), POOL_INPUT, POOLED_DELTA),
        traced("upsample, average", AveragePool(1, shape, (2, 2), 2), POOL_INPUT, POOLED_DELTA),
        traced("3x3 * 2x2", Conv(2, (3, 1, 3), W2[np.newaxis, np.newaxis]), A3, DELTA),
        traced("4x4 * 3x3", Conv(3, shape, W3[np.newaxis, np.newaxis]), A4, DELTA),
    ]


def explain_examples() -> dict[str, Any]:
    """Explain the examples.

    Returns:
        ``parts`` and ``recomputed``.

    Raises:
        ExplanationError: A number of the engine differs from the textbook's.
    """
    by_max, by_average, forward, kernel = entries()
    parts = [
        upsample_part("upsample_by_max", by_max, "max"),
        upsample_part("upsample_by_average", by_average, "average"),
        outputs_part(forward),
        nine_gradients_part(forward),
        kernel_part(kernel),
    ]
    return {"parts": [part.to_plain() for part in parts], "recomputed": plain(recomputation(parts))}


def whole(name: str, values: Array) -> Matrix:
    """Return a matrix of all values."""
    return Matrix(name, tuple(tuple(row) for row in values.tolist()))


def one(i: int, j: int) -> str:
    """Return indices as the article counts them, from 1."""
    return f"{i + 1}{j + 1}"


def upsample_part(title: str, entry: Entry, kind: str) -> Part:
    """Section 3: upsample of [[2, 8], [4, 6]]."""
    x, delta, dx = (array[0] for array in (entry.trace.x, entry.trace.delta, entry.trace.dx))
    expected = textbook.upsample(delta, x, 2, 2, kind)[0]
    share = 1.0 if kind == "max" else 0.25
    equations = []
    for i, j in np.ndindex(4, 4):
        region = (i // 2, j // 2)
        won = kind == "average" or bool(
            x[0, i, j] == x[0, 2 * region[0] : 2 * region[0] + 2, 2 * region[1] : 2 * region[1] + 2].max()
        )
        terms = ((float(delta[0][region]), share),) if won else ()
        group = Group("product", None, terms)
        equations.append(
            Equation(
                f"nabla a{one(i, j)}",
                f"delta{one(*region)} / 4" if kind == "average" else f"delta{one(*region)}" if won else "0",
                float(dx[0, i, j]),
                float(expected[i, j]),
                (group,),
            )
        )
    matrices = [whole("delta", delta[0]), whole("upsample(delta)", dx[0])]
    if kind == "max":
        matrices.insert(1, whole("a", x[0]))
    remarks: tuple[tuple[str, dict[str, Any]], ...] = (("misprint_upsample", {}),) if kind == "max" else ()
    return Part(title, "dJ/da = upsample(delta)", "3", tuple(matrices), tuple(equations), remarks)


def outputs_part(entry: Entry) -> Part:
    """Section 3: the four outputs of 3 x 3 with 2 x 2."""
    x, W, z = entry.trace.x[0, 0], entry.trace.parameters["W"], entry.trace.z[0, 0]
    expected = textbook.conv_forward(W, np.zeros(1), x[np.newaxis])[0]
    equations = []
    for i, j in np.ndindex(z.shape):
        places = list(np.ndindex(2, 2))
        terms = tuple((float(x[i + p, j + q]), float(W[0, 0, p, q])) for p, q in places)
        formula = " + ".join(f"a{one(i + p, j + q)} w{one(p, q)}" for p, q in places)
        equations.append(
            Equation(f"z{one(i, j)}", formula, float(z[i, j]), float(expected[i, j]), (Group("product", None, terms),))
        )
    return Part("four_outputs", "z = a * W", "3", (whole("a", x), whole("w", W[0, 0]), whole("z", z)), tuple(equations))


def nine_gradients_part(entry: Entry) -> Part:
    """Section 3: the nine gradients, and delta between zeros with the kernel turned by 180 degrees."""
    W, delta, dx = entry.trace.parameters["W"], entry.trace.delta[0, 0], entry.trace.dx[0, 0]
    expected = textbook.delta_through_conv(W, delta[np.newaxis], (1, 3, 3))[0]
    equations = []
    for r, c in np.ndindex(dx.shape):
        reached = [(i, j) for i, j in np.ndindex(2, 2) if 0 <= r - i < 2 and 0 <= c - j < 2]
        terms = tuple((float(delta[i, j]), float(W[0, 0, r - i, c - j])) for i, j in reached)
        formula = " + ".join(f"delta{one(i, j)} w{one(r - i, c - j)}" for i, j in reached)
        equations.append(
            Equation(
                f"nabla a{one(r, c)}", formula, float(dx[r, c]), float(expected[r, c]), (Group("product", None, terms),)
            )
        )
    matrices = (
        whole("delta between zeros", np.pad(delta, 1)),
        whole("rot180(w)", textbook.rot180(W[0, 0])),
        whole("nabla a", dx),
    )
    return Part(
        "nine_gradients", "nabla a = delta * rot180(W)", "3", matrices, tuple(equations), (("misprint_delta", {}),)
    )


def kernel_part(entry: Entry) -> Part:
    """Section 4: dW of 4 x 4 with 3 x 3, from a delta of 2 x 2."""
    x, delta, dW = entry.trace.x[0, 0], entry.trace.delta[0, 0], entry.trace.gradients["W"][0, 0]
    expected = textbook.conv_dW(x[np.newaxis], delta[np.newaxis], 3)[0, 0]
    equations = []
    for p, q in np.ndindex(dW.shape):
        places = list(np.ndindex(2, 2))
        terms = tuple((float(x[i + p, j + q]), float(delta[i, j])) for i, j in places)
        formula = " + ".join(f"a{one(i + p, j + q)} delta{one(i, j)}" for i, j in places)
        equations.append(
            Equation(
                f"dJ/dW{one(p, q)}", formula, float(dW[p, q]), float(expected[p, q]), (Group("product", None, terms),)
            )
        )
    matrices = (whole("a", x), whole("delta", delta), whole("dJ/dW", dW))
    return Part("kernel_gradient", "dJ/dW = a * delta", "4", matrices, tuple(equations), (("misprint_rot180", {}),))
