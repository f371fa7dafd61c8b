"""Traces of given samples: the training passes with observers, and copies of what they see.

The arrays between layers are overwritten otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cnntrain.errors import UsageError
from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.layers.residual import Residual, ResidualCache
from cnntrain.layers.softmax import Softmax
from cnntrain.network.array_layout import to_edge
from cnntrain.network.trace import LayerTrace, Trace, joined
from cnntrain.ops.losses import softmax
from cnntrain.types import Array, Labels, Shape

if TYPE_CHECKING:
    from cnntrain.network.network import Network


def trace(network: "Network", x: Array, y: Labels) -> Trace:
    """Trace checked samples; see ``Network.trace``."""
    if network.frozen:
        raise UsageError(
            "a trace needs delta of every layer, but the first layers of this network are frozen; leave out "
            "network.freeze"
        )
    scale = network.objective.scale(len(x))
    partial = np.empty_like(network.theta)
    parts, losses = [], []
    for part in network.micro_batches(len(x)):
        workspace = network.load_micro_batch(x, part)
        recorder, first = Recorder(), workspace.x.copy()
        output = network.forward_micro_batch(workspace, recorder.on_output)
        loss, delta = network.training_loss(output.reshape(-1, workspace.n), network.class_indices[y[part]])
        losses.append(loss)
        delta *= scale
        delta = delta.reshape(output.shape)
        delta_out = delta.copy()
        grads = network.layout.views(partial)
        network.row.backward(delta, workspace.caches, grads, stop=network.training_stop, on_delta=recorder.on_delta)
        parts.append(list(recorder.entries(network.layers, workspace.caches, grads, first, delta_out)))
    layers = tuple(joined(of_entry) for of_entry in zip(*parts, strict=True))
    of_samples = np.concatenate(losses)
    J = float(of_samples.sum(dtype=np.float64)) * scale
    return Trace(J, of_samples, network.objective.penalty(network.theta[: network.layout.W_count]), layers)


@dataclass
class Recorder:
    """The observer of one micro-batch: copies of what leaves each layer, also of those inside residual blocks."""

    outputs: dict[Layer[Any], Array] = field(default_factory=dict)
    """Output of each layer that ran."""
    deltas: dict[Layer[Any], Array] = field(default_factory=dict)
    """dJ/d input of each layer that ran."""

    def on_output(self, layer: Layer[Any], y: Array) -> None:
        """Copy the output of a layer; the next one may overwrite it."""
        self.outputs[layer] = y.copy()

    def on_delta(self, layer: Layer[Any], delta: Array | None) -> None:
        """Copy dJ/d input of a layer, which is dJ/d output of the one before it."""
        if delta is None:
            raise TypeError(f"{type(layer).__name__} gives no delta")
        self.deltas[layer] = delta.copy()

    def entries(
        self,
        layers: Sequence[Layer[Any]],
        caches: Sequence[Any],
        grads: Sequence[Mapping[str, Array]],
        x: Array,
        delta_out: Array,
    ) -> Iterator[LayerTrace]:
        """Yield the trace of each entry of a row, from what was observed.

        Args:
            layers: The layers of the row.
            caches: Their caches.
            grads: Their gradients.
            x: The input of the row.
            delta_out: dJ/d output of the row.
        """
        ran = [layer for layer in layers if layer in self.outputs]
        reaching = [*(self.deltas[layer] for layer in ran), delta_out]  # dJ/d input of each layer; dJ/d output
        positions: dict[int, list[int]] = {}
        for position, layer in enumerate(layers):
            positions.setdefault(layer.index, []).append(position)
        pooled_early: dict[int, int] = {}  # entry of a max pool -> position of the activation that follows it
        for index, (first, *rest) in sorted(positions.items()):
            layer, ends = layers[first], pooled_early.get(index, first)
            z = a = self.outputs.get(layers[ends], x)  # training skips a last softmax
            delta, dx = reaching[ends + 1], reaching[first]
            if index in pooled_early:
                dx = upsampled(layer, delta, caches[first])
            activation = layers[rest[0]] if rest else None
            if isinstance(layer, Residual):
                yield self.block(layer, caches[first], grads[first], x, a, delta)
                x = a
                continue
            if isinstance(layer, Activation | Softmax):  # an entry without W: z is the input, plus b
                z, delta = x.copy(), dx
                z += layer.params["b"][layer.as_column] if isinstance(layer, Activation) else 0
            elif isinstance(activation, Activation):
                z, a, delta = self.outputs[layer].copy(), self.outputs[activation], reaching[rest[0]]
                z += activation.params["b"][activation.as_column]
                if rest[0] > first + 1:  # the engine pools first; here are all of z, a and delta
                    pooled_early[layers[first + 1].index] = rest[0]
                    a, delta = activation_of(activation, z), reaching[first + 1]
            if isinstance(layers[(first, *rest)[-1]], Softmax):
                a = np.empty_like(z)
                softmax(z, a)
            of_entry = [(layers[at], grads[at]) for at in (first, *rest)]
            yield LayerTrace(
                index,
                layer.kind,
                in_edge_layout(x, layer.in_shape),
                in_edge_layout(z, layer.out_shape),
                in_edge_layout(a, layer.out_shape),
                in_edge_layout(delta, layer.out_shape),
                in_edge_layout(dx, layer.in_shape),
                tuple(part for part, _ in of_entry),
                parameters={
                    key: np.array(part.to_edge(key, value), order="C")
                    for part, _ in of_entry
                    for key, value in part.params.items()
                },
                gradients={
                    key: np.array(part.to_edge(key, of_part[key]), order="C")
                    for part, of_part in of_entry
                    for key in part.params
                    if key not in part.buffers
                },
                intermediates={
                    name: in_edge_layout(value, layer.out_shape)
                    for name, value in layer.intermediates(caches[first]).items()
                },
            )
            x = a

    def block(
        self, layer: Residual, cache: ResidualCache, grads: Mapping[str, Array], x: Array, a: Array, da: Array
    ) -> LayerTrace:
        """Return the trace of a residual block, with those of the entries inside.

        Args:
            layer: The block.
            cache: Its cache.
            grads: Its gradients.
            x: Its input.
            a: Its output.
            da: dJ/da.
        """
        delta = layer.sigma.backward(da.copy(), a.copy(), cache.zeros).copy()
        f, s, dx_f, dx_s = self.outputs[layer.F.layers[-1]], x, self.deltas[layer.F.layers[0]], delta
        branches = {}
        for name, row, caches in (("F", layer.F, cache.F), ("shortcut", layer.shortcut, cache.shortcut)):
            branches[name] = tuple(self.entries(row.layers, caches, layer.gradients(grads, name), x, delta))
        if layer.shortcut.layers:
            s, dx_s = self.outputs[layer.shortcut.layers[-1]], self.deltas[layer.shortcut.layers[0]]
        between = {"branch": f, "shortcut": s, "dx_branch": dx_f, "dx_shortcut": dx_s}
        shapes = [layer.out_shape, layer.out_shape, layer.in_shape, layer.in_shape]
        return LayerTrace(
            layer.index,
            layer.kind,
            in_edge_layout(x, layer.in_shape),
            in_edge_layout(f + s, layer.out_shape),
            in_edge_layout(a, layer.out_shape),
            in_edge_layout(delta, layer.out_shape),
            in_edge_layout(self.deltas[layer], layer.in_shape),
            (layer,),
            parameters={},
            gradients={},
            intermediates={
                name: in_edge_layout(value, shape) for (name, value), shape in zip(between.items(), shapes, strict=True)
            },
            branches=branches,
        )


def in_edge_layout(values: Array, shape: Shape) -> Array:
    """Copy an array of the engine, samples last, in the edge layout; ``shape`` is that of a sample."""
    return np.array(to_edge(values, shape), order="C")


def activation_of(activation: Activation, z: Array) -> Array:
    """Return sigma(z) of all of z, where the engine computes it after the pool."""
    a, z = np.empty_like(z), z.copy()
    activation.sigma.forward(z, a, np.zeros((*z.shape[2:],), z.dtype))
    return a


def upsampled(pool: Layer[Any], delta: Array, cache: Any) -> Array:
    """Return upsample(delta), where the engine pools before the activation and upsamples delta ⊙ sigma'(z)."""
    dx = pool.backward(delta.copy(), cache, {})
    if dx is None:
        raise TypeError(f"{type(pool).__name__} gives no delta")
    return dx
