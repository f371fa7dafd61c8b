"""Deliberate faults in a way back, to show that a gradient check sees them.

A fault is written ``layers.<i>.W:no_flip``: the tensor (or just ``layers.<i>``) says which entry of ``network.layers``
goes wrong.
"""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.errors import UsageError
from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.layers.conv import Conv
from cnntrain.layers.dropout import Dropout
from cnntrain.layers.fc import Fc
from cnntrain.layers.options import ConvOptions, PoolOptions
from cnntrain.layers.pool import MaxPool, Pool
from cnntrain.network import Network
from cnntrain.ops.activations import Identity
from cnntrain.types import Array

FAULTS = {
    "no_flip": "conv: the kernel is not turned by 180 degrees on the way back, and dW comes out turned",
    "no_mask": "conv, fc or batch_norm: delta passes the activation without sigma'(z); dropout: it passes as a whole",
    "mean_for_sum": "conv, fc or batch_norm: dW, db and dgamma are averaged over pixels and samples instead of summed",
    "lost_stride": "conv or pool with S > 1: the way back goes by single steps",
    "no_mean": "batch_norm: mean and variance are taken for constants, though every value moves them",
}


def inject(network: Network, fault: str) -> None:
    """Make one entry's way back wrong.

    Args:
        network: Changed.
        fault: ``layers.<i>[.W|.b]:<name of FAULTS>``.

    Raises:
        UsageError: There is no such fault or entry, or the fault would change nothing there.
    """
    place, _, name = fault.partition(":")
    if name not in FAULTS:
        raise UsageError(f"--inject {fault}: expected layers.<i>.<W or b>:<fault> with a fault of {', '.join(FAULTS)}")
    parts = place.split(".")
    known = sorted({layer.index for layer in network.layers})
    if len(parts) not in (2, 3) or parts[0] != "layers" or not parts[1].isdecimal() or int(parts[1]) not in known:
        raise UsageError(
            f"--inject {fault}: {place} is no entry of this network; there are layers.0 to layers.{known[-1]}"
        )
    if len(parts) == 3 and place not in network.parameters():
        raise UsageError(f"--inject {fault}: there is no tensor {place}; there are {', '.join(network.parameters())}")
    steps = [i for i, layer in enumerate(network.layers) if layer.index == int(parts[1])]
    hit = [i for i in steps if applies(name, network.layers[i])]
    if not hit:
        raise UsageError(
            f"--inject {fault}: it does not apply there, or would change nothing; {name} is for {FAULTS[name]}"
        )
    for i in hit:
        network.layers[i] = Faulty(network.layers[i], name)


def applies(name: str, layer: Layer[Any]) -> bool:
    """Whether a fault changes what a layer hands back."""
    match name, layer:
        case "no_flip", Conv():
            return layer.geometry.F > 1
        case "no_mask", Activation():
            return not isinstance(layer.sigma, Identity)
        case "no_mask", Dropout():
            return layer.dropped > 0
        case "mean_for_sum", Conv() | Fc() | Activation() | BatchNorm():
            return True
        case "no_mean", BatchNorm():
            return True
        case "lost_stride", Conv():
            g = layer.geometry
            fits = min(g.OH, g.OW) + g.F - 1 > 2 * g.P
            return g.S > 1 and max(g.OH, g.OW) > 1 and fits
        case "lost_stride", Pool():
            return layer.S > 1 and max(layer.out_shape[0], layer.out_shape[2]) > 1
    return False


class Faulty(Layer[Any]):
    """A layer whose way forward is right and whose way back is not."""

    def __init__(self, layer: Layer[Any], fault: str):
        self.layer, self.fault = layer, fault
        self.index, self.kind, self.params = layer.index, layer.kind, layer.params
        self.in_shape, self.out_shape = layer.in_shape, layer.out_shape

    def cache(self, n: int, dtype: DTypeLike) -> Any:
        """Return the layer's own memory."""
        return self.layer.cache(n, dtype)

    def forward(self, x: Array, cache: Any) -> Array:
        """Return the layer's own output."""
        self.x = x.copy()
        return self.layer.forward(x, cache)

    def pattern(self, cache: Any) -> Array | None:
        """Return the layer's own."""
        return self.layer.pattern(cache)

    def to_edge(self, name: str, value: Array) -> Array:
        """Return the layer's own."""
        return self.layer.to_edge(name, value)

    def from_edge(self, name: str, value: Array) -> Array:
        """Return the layer's own."""
        return self.layer.from_edge(name, value)

    def backward(self, delta: Array, cache: Any, grads: dict[str, Array], want_delta: bool = True) -> Array | None:
        """Return a delta, and write gradients, that are wrong in the way of the fault."""
        match self.fault:
            case "no_mask" if isinstance(self.layer, Dropout):
                return delta
            case "no_mean":
                self.layer.backward(delta.copy(), cache, grads, want_delta)
                return delta * per_channel(cache.scale, delta)
            case "no_mask":
                self.layer.backward(delta.copy(), cache, {"b": np.empty_like(grads["b"])}, want_delta)
                grads["b"][...] = delta.sum(axis=(0, 2, 3) if delta.ndim == 4 else 1)
                return delta
            case "mean_for_sum":
                terms = delta.size // delta.shape[-3 if delta.ndim == 4 else 0]
                delta_prev = self.layer.backward(delta, cache, grads, want_delta)
                for gradient in grads.values():
                    gradient /= terms
                return delta_prev
            case "no_flip":
                W = self.params["W"].copy()
                self.params["W"][...] = W[::-1, ::-1]
                delta_prev = self.layer.backward(delta, cache, grads, want_delta)
                self.params["W"][...] = W
                grads["W"][...] = grads["W"][::-1, ::-1].copy()
                return delta_prev
            case "lost_stride":
                return self._by_single_steps(delta, grads)
        raise TypeError(f"no such fault: {self.fault}")

    def _by_single_steps(self, delta: Array, grads: dict[str, Array]) -> Array:
        """The way back of the same layer with S = 1 on the part of the image that has as many windows."""
        OH, _, OW = self.out_shape
        single = single_step(self.layer, OH, OW)
        H, _, W = single.in_shape
        cache = single.cache(delta.shape[-1], delta.dtype)
        single.forward(np.ascontiguousarray(self.x[:H, :, :W]), cache)
        delta_prev = np.zeros_like(self.x)
        part = single.backward(delta, cache, grads)
        assert part is not None
        delta_prev[:H, :, :W] = part
        return delta_prev


def single_step(layer: Layer[Any], OH: int, OW: int) -> Layer[Any]:
    """The layer with S = 1, for an image just large enough for OH x OW windows."""
    C = layer.in_shape[1]
    if isinstance(layer, Conv):
        g = layer.geometry
        shape = (OH + g.F - 1 - 2 * g.P, C, OW + g.F - 1 - 2 * g.P)
        conv = Conv(layer.index, ConvOptions(K=g.K, F=g.F, P=g.P), shape, np.random.default_rng(0))
        conv.params = layer.params
        return conv
    assert isinstance(layer, Pool)
    k, _ = layer.region  # with S > 1 they are square
    options = PoolOptions(k=k, S=1, type="max" if isinstance(layer, MaxPool) else "average")
    return type(layer)(layer.index, options, (OH + k - 1, C, OW + k - 1))


def per_channel(values: Array, batch: Array) -> Array:
    """One value a channel or unit, shaped to go with a batch."""
    return values[:, None, None] if batch.ndim == 4 else values[:, None]
