"""Faults to inject into a backward pass, such as a kernel that is not rotated; the gradient check must detect them.

Each layer class lists its faults in ``Layer.faults``. A fault changes one thing: the gradient of one parameter, or the
delta that the layer passes back. The forward pass stays correct.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cnntrain.ops.phases import in_order, in_phases, phases
from cnntrain.types import Array


class Fault(NamedTuple):
    """A fault of one kind of layer."""

    description: str
    """For users: the kinds of layers, a colon, and what a student gets wrong."""
    backward: Callable[[Any, Array, Array, Any, dict[str, Array], bool], Array | None]
    """The wrong backward pass: layer, x of the forward pass, then the arguments of ``Layer.backward``."""
    applies: Callable[[Any], bool] = lambda layer: True  # noqa: ARG005
    """Whether the fault has an effect in a given layer."""


def mean_for_sum(
    layer: Any,
    x: Array,
    delta: Array,
    cache: Any,
    grads: dict[str, Array],
    want_delta: bool,
) -> Array | None:
    """Average the gradients of the parameters over pixels and samples instead of summing them."""
    terms = delta.size // delta.shape[-3 if delta.ndim == 4 else 0]
    delta_prev: Array | None = layer.backward(delta, cache, grads, want_delta)
    for name, gradient in grads.items():
        if name not in layer.buffers:
            gradient /= terms
    return delta_prev


def backward_with_stride_1(single: Any, layer: Any, x: Array, delta: Array, grads: dict[str, Array]) -> Array:
    """Run the backward pass of ``single``, the layer with stride 1, on a part of the image with as many windows."""
    H, _, W = single.in_shape
    cache, Q = single.cache(delta.shape[-1], delta.dtype), phases(layer.in_shape[2])
    image = in_order(x, Q)
    single.forward(np.array(in_phases(np.ascontiguousarray(image[:H, :, :W]), phases(W))), cache)
    part = single.backward(delta, cache, grads)  # it has as many columns
    delta_prev = np.zeros_like(image)
    delta_prev[:H, :, :W] = in_order(part, phases(W))
    return in_phases(delta_prev, Q)
