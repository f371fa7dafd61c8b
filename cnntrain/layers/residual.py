"""Residual block: what its layers compute is added to their input.

    z = F(x) + x,  y = sigma(z)

F is a row of layers. If its output has another shape than x, the shortcut is a convolution of x with 1 x 1 kernels:
z = F(x) + W * x. In the backward pass, delta takes both ways, and what comes out is added up:

    delta_z = delta ⊙ sigma'(z),  delta_prev = (delta_z through F) + (delta_z through the shortcut)

Reference: He, Zhang, Ren & Sun 2016, "Deep residual learning for image recognition", arXiv:1512.03385.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer, OnDelta, OnnxGraph, OnOutput
from cnntrain.layers.fault import Fault
from cnntrain.layers.row import Row, workspace_sizes
from cnntrain.ops.activations import ACTIVATIONS, Identity
from cnntrain.ops.counter_rng import SampleIds
from cnntrain.ops.phases import memory_shape
from cnntrain.ops.workspace import Use, Workspaces, workspace
from cnntrain.types import Array, Shape


class ResidualCache(Workspaces):
    """Memory for micro-batches of n samples: the caches of the layers inside, the sum, and delta for the shortcut.

    Args:
        layer: The block.
        n: Number of samples.
        dtype: Type of the arrays.
    """

    a: Array
    """The output of the last forward pass."""
    delta: Array
    """dJ/dz of the last backward pass, if the shortcut needed it; valid until the next pass."""

    def __init__(self, layer: "Residual", n: int, dtype: DTypeLike):
        super().__init__(n, dtype)
        self.F, self.shortcut = layer.F.caches(n, dtype), layer.shortcut.caches(n, dtype)
        self.shape, self.adds_in_place, self.sigma = memory_shape(layer.out_shape), layer.adds_in_place, layer.sigma
        self.zeros = np.zeros((*self.shape[1:], n), dtype)

    @property
    def inside(self) -> list[Workspaces]:
        """The caches of the layers inside."""
        return [*self.F, *self.shortcut]

    @workspace
    def z(self) -> Shape:
        """F(x) + x, if neither may be overwritten."""
        return (0,) if self.adds_in_place else (*self.shape, self.n)

    @workspace
    def spare(self) -> Shape:
        """The memory of the output, if the activation does not work in place."""
        return (0,) if self.sigma.in_place else (*self.shape, self.n)

    @partial(workspace, use="training")
    def spare_delta(self) -> Shape:
        """The memory of ``delta``, if the activation does not leave that of its input."""
        return (*self.shape, self.n) if isinstance(self.sigma, Identity) else (0,)

    def share(self, largest: "ResidualCache") -> None:
        super().share(largest)
        for cache, of_largest in zip(self.inside, largest.inside, strict=True):
            cache.share(of_largest)

    def sizes(self, want_delta: bool = True) -> list[tuple[Use, int]]:
        own = super().sizes(want_delta)
        return own + workspace_sizes(self.F, want_delta) + workspace_sizes(self.shortcut, want_delta)

    def reclaim(self) -> None:
        for cache in self.inside:
            cache.reclaim()

    def free(self) -> None:
        for cache in self.inside:
            cache.free()
        super().free()

    def set_sample_ids(self, sample_ids: SampleIds) -> None:
        for cache in self.inside:
            cache.set_sample_ids(sample_ids)


def _no_skip(
    layer: "Residual",
    x: Array,
    delta: Array,
    cache: ResidualCache,
    grads: dict[str, Array],
    want_delta: bool,
) -> Array | None:
    delta = layer.sigma.backward(delta, cache.a, cache.zeros)
    layer.shortcut.backward(delta.copy(), cache.shortcut, layer.gradients(grads, "shortcut"))
    return layer.F.backward(delta, cache.F, layer.gradients(grads, "F"), want_delta=want_delta)


def _no_mask(
    layer: "Residual",
    x: Array,
    delta: Array,
    cache: ResidualCache,
    grads: dict[str, Array],
    want_delta: bool,
) -> Array | None:
    return layer.backward_sum(delta, np.empty_like(delta), cache, grads, want_delta)


@final
class Residual(Layer[ResidualCache]):
    """y = sigma(F(x) + x), or sigma(F(x) + W * x) where the shapes differ.

    Its parameters are those of the layers inside: ``0.W`` of the first entry of F, ``shortcut.W`` of the shortcut.

    Args:
        index: Index of the entry in ``network.layers``.
        in_shape: ``(H, C, W)`` or ``(features,)``.
        F: The layers of F, at least one.
        shortcut: The layers of the shortcut; none for the identity.
        sigma: The activation of the sum.

    Shape:
        x ``(H, C, W, N)`` or ``(features, N)`` -> y of the shape of F(x).
    """

    kind = "residual"
    faults: ClassVar[Mapping[str, Fault]] = {
        "no_skip": Fault(
            "residual: delta goes back through F alone; the shortcut brings the same delta once more", _no_skip
        ),
        "no_mask": Fault(
            "residual: delta goes back through the activation without sigma'(z)",
            _no_mask,
            lambda layer: layer.keeps_output,
        ),
    }

    def __init__(
        self,
        index: int,
        in_shape: Shape,
        F: Sequence[Layer[Any]],
        shortcut: Sequence[Layer[Any]] = (),
        sigma: str = "identity",
    ):
        self.index, self.in_shape, self.out_shape = index, in_shape, F[-1].out_shape
        self.F, self.shortcut = Row(F), Row(shortcut)
        self.sigma = ACTIVATIONS[sigma]
        self.branches = {"F": self.F.layers, "shortcut": self.shortcut.layers}
        self.adds_in_place = bool(shortcut) or not F[-1].keeps_output

    def with_rows(self, F: Row, shortcut: Row) -> "Residual":
        """Return a block of the same shapes with other layers inside."""
        layer = copy.copy(self)
        layer.F, layer.shortcut = F, shortcut
        layer.branches = {"F": F.layers, "shortcut": shortcut.layers}
        return layer

    def names(self, branch: str) -> Iterator[tuple[Layer[Any], list[tuple[str, str]]]]:
        """Yield each layer of a branch, with the names of its parameters in that layer and in this one."""
        for layer in self.branches[branch]:
            prefix = layer.index if branch == "F" else branch
            yield layer, [(key, f"{prefix}.{key}") for key in layer.params]

    @property
    def owners(self) -> dict[str, tuple[Layer[Any], str]]:
        """For each parameter, the layer that has it, and its name there."""
        return {
            name: (layer, key) for branch in self.branches for layer, pairs in self.names(branch) for key, name in pairs
        }

    @property
    def params(self) -> dict[str, Array]:
        """The parameters and buffers of the layers inside."""
        return {name: layer.params[key] for name, (layer, key) in self.owners.items()}

    @params.setter
    def params(self, params: Mapping[str, Array]) -> None:
        for name, (layer, key) in self.owners.items():
            layer.params = layer.params | {key: params[name]}

    @property
    def buffers(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(name for name, (layer, key) in self.owners.items() if key in layer.buffers)

    @property
    def multiply_adds(self) -> int:
        return sum(layer.multiply_adds for layer in [*self.F.layers, *self.shortcut.layers])

    @property
    def keeps_output(self) -> bool:
        return not isinstance(self.sigma, Identity)

    def cache(self, n: int, dtype: DTypeLike) -> ResidualCache:
        return ResidualCache(self, n, dtype)

    def forward(self, x: Array, cache: ResidualCache) -> Array:
        return self.activate(*self.outputs(x, cache, None), x, cache)

    def observed_forward(self, x: Array, cache: ResidualCache, on_output: OnOutput) -> Array:
        y = self.activate(*self.outputs(x, cache, on_output), x, cache)
        on_output(self, y)
        return y

    def outputs(self, x: Array, cache: ResidualCache, on_output: OnOutput | None) -> tuple[Array, Array]:
        """Return F(x) and the output of the shortcut."""
        f = self.F.forward(x, cache.F, on_output=on_output)
        return f, self.shortcut.forward(x, cache.shortcut, on_output=on_output)

    def infer(self, x: Array, cache: ResidualCache) -> Array:
        return self.activate(self.F.infer(x, cache.F), self.shortcut.infer(x, cache.shortcut), x, cache)

    def observed_infer(self, x: Array, cache: ResidualCache, on_output: OnOutput) -> Array:
        f = self.F.infer(x, cache.F, on_output=on_output)
        y = self.activate(f, self.shortcut.infer(x, cache.shortcut, on_output=on_output), x, cache)
        on_output(self, y)
        return y

    def activate(self, f: Array, s: Array, x: Array, cache: ResidualCache) -> Array:
        """Return sigma(f + s), in the memory of one of them if nobody reads that again."""
        out = cache.z if not self.adds_in_place else f if s is x else s
        z = np.add(f, s, out=out)
        cache.a = z if self.sigma.in_place else cache.spare
        self.sigma.forward(z, cache.a, cache.zeros)
        return cache.a

    def backward(
        self, delta: Array, cache: ResidualCache, grads: dict[str, Array], want_delta: bool = True
    ) -> Array | None:
        return self.backward_sum(*self.delta_z(delta, cache), cache, grads, want_delta)

    def observed_backward(
        self, delta: Array, cache: ResidualCache, grads: dict[str, Array], want_delta: bool, on_delta: OnDelta
    ) -> Array | None:
        delta_prev = self.backward_sum(*self.delta_z(delta, cache), cache, grads, want_delta, on_delta)
        on_delta(self, delta_prev)
        return delta_prev

    def delta_z(self, delta: Array, cache: ResidualCache) -> tuple[Array, Array]:
        """Return delta ⊙ sigma'(z), and memory of the same shape that is free."""
        delta_z = self.sigma.backward(delta, cache.a, cache.zeros)
        return delta_z, cache.spare_delta if delta_z is delta else delta

    def backward_sum(
        self,
        delta: Array,
        free: Array,
        cache: ResidualCache,
        grads: dict[str, Array],
        want_delta: bool,
        on_delta: OnDelta | None = None,
    ) -> Array | None:
        """Propagate delta_z back through F and the shortcut, as ``backward`` does; ``free`` is memory of its shape."""
        if want_delta or self.shortcut.layers:
            np.copyto(free, delta)  # F may overwrite delta
            cache.delta = free
        f = self.F.backward(delta, cache.F, self.gradients(grads, "F"), want_delta=want_delta, on_delta=on_delta)
        of_shortcut = self.gradients(grads, "shortcut")
        s = self.shortcut.backward(free, cache.shortcut, of_shortcut, want_delta=want_delta, on_delta=on_delta)
        return np.add(f, s, out=f) if want_delta and f is not None and s is not None else None

    def gradients(self, grads: Mapping[str, Array], branch: str) -> list[dict[str, Array]]:
        """Return the gradients of each layer of a branch, by their names in that layer."""
        return [{key: grads[name] for key, name in pairs} for _, pairs in self.names(branch)]

    def pattern(self, cache: ResidualCache) -> Array | None:
        own = [cache.a.ravel() > 0] if self.sigma.kinked else []
        parts = [*self.F.patterns(cache.F), *self.shortcut.patterns(cache.shortcut), *own]
        return np.concatenate([part != 0 for part in parts]) if parts else None

    def to_edge(self, name: str, value: Array) -> Array:
        layer, key = self.owners[name]
        return layer.to_edge(key, value)

    def from_edge(self, name: str, value: Array) -> Array:
        layer, key = self.owners[name]
        return layer.from_edge(key, value)

    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        f = self.F.add_onnx(graph, x, name)
        s = self.shortcut.add_onnx(graph, x, f"{name}.shortcut")
        z = graph.node("Add", [f, s], f"{name}.sum")
        if self.sigma.onnx_operator is None:
            return z
        return graph.node(self.sigma.onnx_operator, [z], f"{name}.a", **self.sigma.onnx_attributes)
