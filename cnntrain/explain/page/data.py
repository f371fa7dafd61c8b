"""The numbers of the page as plain data: all of them, or as many as fit.

An array that does not fit is stored as blocks: the channels with the largest |delta|, and for convolutions a part of
the image, with whatever operands their sums need.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntrain.explain import conv, pool
from cnntrain.explain.entry import Entry
from cnntrain.explain.step import STATE_NAMES, Step
from cnntrain.layers.activation import Activation
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.layers.conv import Conv
from cnntrain.layers.dropout import Dropout
from cnntrain.layers.fc import Fc
from cnntrain.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from cnntrain.layers.residual import Residual
from cnntrain.layers.softmax import Softmax
from cnntrain.types import Array

BUDGET = 1_700_000
"""Maximum number of characters of all numbers."""
CHARACTERS = 21
"""Of a number, at most, with its comma."""
TYPES = {
    Conv: "conv",
    MaxPool: "pool",
    AveragePool: "pool",
    GlobalAveragePool: "pool",
    Fc: "fc",
    BatchNorm: "batch_norm",
    Dropout: "dropout",
    Residual: "residual",
    Activation: "activation",
    Softmax: "softmax",
}
"""The rules of numbers.js for each class of layers."""


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of an entry is stored."""

    channels: int | None
    """Outputs, and channels of the input; None for all."""
    side: int | None
    """Rows and columns of the output of a convolution; None for all."""


DETAILS = (Detail(None, None), Detail(8, 16), Detail(4, 8), Detail(2, 6), Detail(2, 4), Detail(1, 2))
"""From everything to very little."""

Axes = tuple[Sequence[int], ...]


def array_data(values: Array, blocks: Sequence[Axes] | None = None) -> dict[str, Any]:
    """Return an array as plain data: all of it, or the blocks of some indices of each axis."""
    if blocks is None:
        return {"shape": list(values.shape), "data": shortened(values)}
    parts = [
        {"axes": [list(map(int, axis)) for axis in axes], "data": shortened(values[np.ix_(*axes)])} for axes in blocks
    ]
    return {"shape": list(values.shape), "blocks": parts}


def shortened(values: Array) -> list[float | int]:
    """Return the numbers; whole ones without a fraction, which is shorter and the same in JSON."""
    return [int(v) if v == int(v) and abs(v) < 2**53 else v for v in values.ravel().tolist()]


def strongest(values: Array, count: int | None, always: Sequence[int] = ()) -> list[int]:
    """Return the channels with the largest values, in order; all of them if ``count`` is None."""
    sizes = np.abs(values).reshape(len(values), -1).max(axis=1)
    if count is None or count >= len(values):
        return list(range(len(values)))
    order = [*always, *np.argsort(-sizes, kind="stable").tolist()]
    return sorted(list(dict.fromkeys(order))[:count])


def part_of(count: int, side: int | None, middle: int) -> range:
    """Return ``side`` indices around ``middle``."""
    if side is None or side >= count:
        return range(count)
    start = int(np.clip(middle - side // 2, 0, count - side))
    return range(start, start + side)


def entry_data(entry: Entry, detail: Detail, step: Step | None) -> dict[str, Any]:
    """Return the facts and arrays of an entry."""
    trace, layer = entry.trace, entry.layer
    facts: dict[str, Any] = {
        "name": entry.name,
        "kind": trace.kind,
        "type": TYPES[type(layer)],
        "sigma": entry.sigma,
        "cut": detail != DETAILS[0],
    }
    every = [range(len(trace.x))]
    if isinstance(layer, Residual):
        arrays = channel_arrays(entry, detail, every, ("x", "z", "a", "delta", "dx"))
    elif isinstance(layer, Conv):
        windows = conv.windows_of(layer)
        facts |= {"window": list(windows.sides), "P": windows.P, "S": windows.S}
        arrays = conv_arrays(entry, detail, windows, every)
    elif facts["type"] == "pool":
        windows = pool.windows_of(layer)
        facts |= {"window": list(windows.sides), "P": windows.P, "S": windows.S, "max": isinstance(layer, MaxPool)}
        arrays = channel_arrays(entry, detail, every, ("x", "a", "delta", "dx"))
    elif isinstance(layer, Fc):
        arrays = fc_arrays(entry, detail, every)
    else:
        if isinstance(layer, BatchNorm):
            facts["eps"] = layer.eps
        names = ("x", "a", "delta", "dx") if isinstance(layer, Dropout) else ("x", "z", "a", "delta", "dx")
        arrays = channel_arrays(entry, detail, every, names)
    if step is not None:
        arrays |= step_arrays(entry, arrays, step)
    return facts | {"arrays": arrays}


def channel_arrays(entry: Entry, detail: Detail, every: list[range], names: Sequence[str]) -> dict[str, Any]:
    """Return the arrays of a layer that treats each channel on its own."""
    trace = entry.trace
    channels = strongest(trace.delta[0], detail.channels)
    whole = len(channels) == len(trace.delta[0])

    def stored(values: Array) -> dict[str, Any]:
        kept = channels if values.shape[1] == len(trace.delta[0]) else strongest(values[0], detail.channels)
        return array_data(values, None if whole else [(*every, kept, *map(range, values.shape[2:]))])

    arrays = {name: stored(getattr(trace, name)) for name in names}
    for name, values in trace.intermediates.items():
        if name in ("mean", "var"):
            arrays[name] = array_data(values[0], None if whole else [(channels,)])
        else:
            arrays[name] = stored(values)
    for key in ("gamma", "b"):
        if key in trace.parameters:
            arrays[key] = array_data(trace.parameters[key])
        if key in trace.gradients:
            arrays[f"d{key}"] = array_data(trace.gradients[key], None if whole else [(channels,)])
    return arrays


def conv_arrays(entry: Entry, detail: Detail, windows: Any, every: list[range]) -> dict[str, Any]:
    """Return the arrays of a convolution: for some filters and a part of the image, with all that their sums read."""
    trace = entry.trace
    K, C, F, _ = trace.parameters["W"].shape
    _, _, OH, OW = trace.z.shape
    _, _, H, W = trace.x.shape
    names = {"x": trace.x, "z": trace.z, "a": trace.a, "delta": trace.delta, "dx": trace.dx}
    values = names | {"W": trace.parameters["W"], "dW": trace.gradients["W"]}
    if detail == DETAILS[0]:
        arrays = {name: array_data(array) for name, array in values.items()}
    else:
        filters, channels = strongest(trace.delta[0], detail.channels), strongest(trace.dx[0], detail.channels)
        top = np.unravel_index(np.abs(trace.delta[0, filters[0]]).argmax(), (OH, OW))
        rows, columns = part_of(OH, detail.side, int(top[0])), part_of(OW, detail.side, int(top[1]))
        read = [
            [r for r in range(windows.S * out[0] - windows.P, windows.S * out[-1] + F - windows.P) if 0 <= r < count]
            for out, count in ((rows, H), (columns, W))
        ]
        inner = [
            [r for r in of_axis if all(i in out for i in reading_outputs(r, windows, F, count))]
            for of_axis, out, count in ((read[0], rows, OH), (read[1], columns, OW))
        ]
        all_K, all_C, taps = range(K), range(C), (range(F), range(F))
        shown = [(*every, filters, rows, columns)]
        blocks: dict[str, list[Axes]] = {
            "x": [(*every, all_C, *read), (*every, channels, range(H), range(W))],
            "z": shown,
            "a": shown,
            "delta": [(*every, all_K, rows, columns), (*every, filters, range(OH), range(OW))],
            "dx": [(*every, channels, *inner)],
            "W": [(filters, all_C, *taps), (all_K, channels, *taps)],
            "dW": [(filters, channels, *taps)],
        }
        arrays = {name: array_data(array, blocks[name]) for name, array in values.items()}
    for key, value in (("b", trace.parameters.get("b")), ("db", trace.gradients.get("b"))):
        if value is not None:
            filters = strongest(trace.delta[0], detail.channels)
            arrays[key] = array_data(value, None if key == "b" or detail == DETAILS[0] else [(filters,)])
    return arrays


def reading_outputs(r: int, windows: Any, F: int, count: int) -> list[int]:
    """Return the outputs along an axis whose windows hold row or column r."""
    return [i for i in range(count) if 0 <= r + windows.P - windows.S * i < F]


def fc_arrays(entry: Entry, detail: Detail, every: list[range]) -> dict[str, Any]:
    """Return the arrays of a fully connected layer: for some units and features, all that their sums read."""
    trace = entry.trace
    W, dW = trace.parameters["W"], trace.gradients["W"]
    arrays = {name: array_data(getattr(trace, name)) for name in ("x", "delta")}
    if detail == DETAILS[0]:
        arrays |= {name: array_data(getattr(trace, name)) for name in ("z", "a", "dx")}
        arrays |= {"W": array_data(W), "dW": array_data(dW)}
    else:
        count = 2 * (detail.channels or 1)
        units, features = strongest(trace.delta[0], count), strongest(trace.x[0].ravel(), count)
        of_units = [(*every, units)]
        dx = trace.dx.reshape(len(trace.dx), -1)
        kept = np.full(dx.shape, np.nan)
        kept[:, features] = dx[:, features]
        at = [np.unravel_index(feature, trace.x.shape[1:]) for feature in features]
        arrays |= {
            "z": array_data(trace.z) if entry.sigma == "softmax" else array_data(trace.z, of_units),
            "a": array_data(trace.a, of_units),
            "dx": array_data(trace.dx, [(*every, *([int(i)] for i in index)) for index in at]),
            "W": array_data(W, [(units, range(W.shape[1])), (range(W.shape[0]), features)]),
            "dW": array_data(dW, [(units, features)]),
        }
    for key, value in (("b", trace.parameters.get("b")), ("db", trace.gradients.get("b"))):
        if value is not None:
            arrays[key] = array_data(value)
    return arrays


def step_arrays(entry: Entry, arrays: dict[str, Any], step: Step) -> dict[str, Any]:
    """Return the states and the new values of parameters, for the entries whose gradients are stored."""
    letters = STATE_NAMES[step.options.optimizer][: len(step.states)]
    result: dict[str, Any] = {}
    for key in ("W", "b", "gamma"):
        name, stored = f"{entry.owner}.{key}", arrays.get(f"d{key}")
        if stored is None or name not in step.after:
            continue
        blocks = None if "data" in stored else [tuple(block["axes"]) for block in stored["blocks"]]
        result[f"new.{key}"] = array_data(step.after[name], blocks)
        for letter, before, after in zip(letters, step.states, step.new_states, strict=True):
            result[f"{letter}.{key}"] = array_data(before[name], blocks)
            result[f"new.{letter}.{key}"] = array_data(after[name], blocks)
    return result


def estimate(entry: Entry, step: Step | None) -> int:
    """Return about how many characters all numbers of an entry take."""
    passes = sum(array.size for array in (entry.trace.x, entry.trace.z, entry.trace.a, entry.trace.delta))
    rows = 2 if step is None else 3 + 2 * len(step.states)
    return CHARACTERS * (passes + rows * sum(value.size for value in entry.trace.parameters.values()))


def entries_data(entries: Sequence[Entry], step: Step | None, budget: int = BUDGET) -> list[dict[str, Any]]:
    """Return the entries with as many numbers as fit into ``budget`` characters; the largest are cut first."""
    levels = [0 if estimate(entry, step) <= 2 * budget else 1 for entry in entries]
    stored = [entry_data(entry, DETAILS[level], step) for entry, level in zip(entries, levels, strict=True)]
    sizes = [len(json.dumps(data["arrays"])) for data in stored]
    while sum(sizes) > budget:
        # Nothing is left out entirely before everything else is as small as it can be.
        open_entries = [i for i, level in enumerate(levels) if level < len(DETAILS) - 1]
        open_entries = open_entries or [i for i, level in enumerate(levels) if level < len(DETAILS)]
        if not open_entries:
            break
        largest = max(open_entries, key=lambda i: sizes[i])
        levels[largest] += 1
        if levels[largest] == len(DETAILS):
            stored[largest]["arrays"], stored[largest]["cut"] = {}, True
        else:
            stored[largest] = entry_data(entries[largest], DETAILS[levels[largest]], step)
        sizes[largest] = len(json.dumps(stored[largest]["arrays"]))
    share(stored, entries)
    return stored


def share(stored: list[dict[str, Any]], entries: Sequence[Entry]) -> None:
    """Store an array that two names share once: a = z without an activation, x = the a of the entry before."""
    for i, (data, entry) in enumerate(zip(stored, entries, strict=True)):
        arrays = data["arrays"]
        if arrays.get("x") is not None and i and entry.before is entries[i - 1].trace:
            before = stored[i - 1]["arrays"].get("a")
            if before == arrays["x"]:
                arrays["x"] = {"same": [i - 1, "a"]}
