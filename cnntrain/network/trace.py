"""z, a, delta, dW and db of every layer for given samples, as the engine computes them.

A trace runs the training passes with observers and copies what leaves each layer: the arrays in between are overwritten
otherwise. An entry of ``network.layers`` may be several layers in the engine: a ``conv`` is a convolution, then a bias
and activation, with a max pool in between if one follows. A trace has one ``LayerTrace`` per entry, with z and a of
the whole image.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.layers.softmax import Softmax
from cnntrain.network.array_layout import to_edge
from cnntrain.ops.losses import softmax
from cnntrain.types import Array, Labels

if TYPE_CHECKING:
    from cnntrain.network.network import Network


@dataclass(frozen=True, slots=True)
class LayerTrace:
    """One entry of ``network.layers``: arrays of N samples, ``(N, C, H, W)`` or ``(N, features)``."""

    index: int
    """Index in ``network.layers``."""
    kind: str
    """The kind of the entry, such as ``conv``."""
    x: Array
    """The input: a of the entry before."""
    z: Array
    """Before the activation; the output of a layer without one."""
    a: Array
    """The output, sigma(z)."""
    delta: Array
    """dJ/dz."""
    dx: Array
    """dJ/dx: delta propagated back through the layer."""
    layers: tuple[Layer[Any], ...]
    """The engine's layers of the entry, which know its options."""
    parameters: dict[str, Array]
    """Parameters and buffers by name: W, b, gamma, running_mean, running_var."""
    gradients: dict[str, Array]
    """dJ/d parameter by name of the parameter, without penalties; see ``dW``, ``db`` and ``dgamma``."""
    intermediates: dict[str, Array]
    """What else the forward pass computed, by name: ``mask`` of dropout, ``mean`` and ``var`` ``(N, C)`` of batch_norm,
    and ``winner`` of a max pool: the index of the maximum in its region, row by row."""

    @property
    def dW(self) -> Array | None:
        """dJ/dW without penalties, a sum over samples; None for a layer without W."""
        return self.gradients.get("W")

    @property
    def db(self) -> Array | None:
        """dJ/db, a sum over samples; None for a layer without b."""
        return self.gradients.get("b")

    @property
    def dgamma(self) -> Array | None:
        """dJ/dgamma, a sum over samples; None for a layer other than batch_norm."""
        return self.gradients.get("gamma")

    def arrays(self) -> dict[str, Array]:
        """Return everything by name, such as ``z``, ``delta``, ``W`` and ``dW``."""
        passes = {name: getattr(self, name) for name in ("x", "z", "a", "delta", "dx")}
        return (
            passes
            | self.parameters
            | {f"d{name}": value for name, value in self.gradients.items()}
            | self.intermediates
        )


@dataclass(frozen=True, slots=True)
class Trace:
    """What ``Network.trace`` returns.

    Dropout draws the masks of epoch 0, and batch normalization uses the mean and variance of the micro-batch.
    ``trace[i]`` is entry i of ``network.layers``; ``trace["layers.0.delta"]`` is one array by its full name.
    """

    J: float
    """The loss, without penalties."""
    losses: Array
    """The loss of each sample, ``(N,)``; J is their sum or mean, as ``training.reduction`` says."""
    penalty: float
    """The penalties on W, which J leaves out."""
    layers: tuple[LayerTrace, ...]
    """The entries of ``network.layers``."""

    def arrays(self) -> dict[str, Array]:
        """Return every array by its full name: ``layers.0.z``, ``layers.0.dW`` and so on."""
        return {
            f"layers.{layer.index}.{name}": value for layer in self.layers for name, value in layer.arrays().items()
        }

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[LayerTrace]:
        return iter(self.layers)

    def __getitem__(self, key: int | str) -> Any:
        return self.arrays()[key] if isinstance(key, str) else self.layers[key]


def trace(network: "Network", x: Array, y: Labels) -> Trace:
    """Trace checked samples; see ``Network.trace``."""
    scale = network.objective.scale(len(x))
    partial = np.empty_like(network.theta)
    parts, losses = [], []
    for part in network.micro_batches(len(x)):
        workspace = network.load_micro_batch(x, part)
        recorder = Recorder(workspace.x, network.layers)
        output = network.forward_micro_batch(workspace, recorder.on_output)
        loss, delta = network.training_loss(output.reshape(-1, workspace.n), network.class_indices[y[part]])
        losses.append(loss)
        delta *= scale
        delta = delta.reshape(output.shape)
        recorder.deltas.append(delta.copy())
        grads = network.layout.views(partial)
        network.row.backward(delta, workspace.caches, grads, stop=network.training_stop, on_delta=recorder.on_delta)
        parts.append(list(recorder.entries(network.layers, workspace.caches, grads)))
    layers = tuple(joined(of_entry) for of_entry in zip(*parts, strict=True))
    of_samples = np.concatenate(losses)
    J = float(of_samples.sum(dtype=np.float64)) * scale
    return Trace(J, of_samples, network.objective.penalty(network.theta[: network.layout.W_count]), layers)


def joined(parts: Sequence[LayerTrace]) -> LayerTrace:
    """Join an entry's traces of several micro-batches: the samples in order, the gradients summed."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    passes: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "z", "a", "delta", "dx")
    }
    gradients = {
        name: sum(part.gradients[name] for part in parts[1:]) + value for name, value in first.gradients.items()
    }
    between = {name: np.concatenate([part.intermediates[name] for part in parts]) for name in first.intermediates}
    return replace(first, gradients=gradients, intermediates=between, **passes)


@dataclass
class Recorder:
    """The observer of one micro-batch: copies of what leaves each layer.

    Args:
        x: The input of the first layer, which the forward pass may overwrite.
        layers: The layers of the row; those inside a residual block are not recorded.
    """

    x: Array
    layers: Sequence[Layer[Any]]
    outputs: list[Array] = field(default_factory=list)
    """Output of each layer that ran."""
    deltas: list[Array] = field(default_factory=list)
    """dJ/d output of each layer that ran, from the last to the first, then dJ/dx."""

    def __post_init__(self) -> None:
        self.x = self.x.copy()

    def on_output(self, layer: Layer[Any], y: Array) -> None:
        """Copy the output of a layer; the next one may overwrite it."""
        if layer in self.layers:
            self.outputs.append(y.copy())

    def on_delta(self, layer: Layer[Any], delta: Array | None) -> None:
        """Copy dJ/d input of a layer, which is dJ/d output of the one before it."""
        if layer not in self.layers:
            return
        if delta is None:
            raise TypeError(f"{type(layer).__name__} gives no delta")
        self.deltas.append(delta.copy())

    def entries(
        self, layers: Sequence[Layer[Any]], caches: Sequence[Any], grads: Sequence[Mapping[str, Array]]
    ) -> Iterator[LayerTrace]:
        """Yield the trace of each entry, from what was observed."""
        reaching = self.deltas[::-1]  # dJ/dx, then dJ/d output of each layer
        positions: dict[int, list[int]] = {}
        for position, layer in enumerate(layers):
            positions.setdefault(layer.index, []).append(position)
        pooled_early: dict[int, int] = {}  # entry of a max pool -> position of the activation that follows it
        x = self.x
        for index, (first, *rest) in sorted(positions.items()):
            layer, ends = layers[first], pooled_early.get(index, first)
            z = a = self.outputs[ends] if ends < len(self.outputs) else x  # training skips a last softmax
            delta, dx = reaching[ends + 1], reaching[first]
            if index in pooled_early:
                dx = upsampled(layer, delta, caches[first])
            activation = layers[rest[0]] if rest else None
            if isinstance(layer, Activation | Softmax):  # an entry without W: z is the input, plus b
                z, delta = x.copy(), dx
                z += layer.broadcast_b if isinstance(layer, Activation) else 0
            elif isinstance(activation, Activation):
                z, a, delta = self.outputs[first].copy(), self.outputs[rest[0]], reaching[rest[0]]
                z += activation.broadcast_b
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
                in_edge_layout(x),
                in_edge_layout(z),
                in_edge_layout(a),
                in_edge_layout(delta),
                in_edge_layout(dx),
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
                    name: in_edge_layout(value) for name, value in layer.intermediates(caches[first]).items()
                },
            )
            x = a


def in_edge_layout(values: Array) -> Array:
    """Copy an array of the engine, samples last, in the edge layout."""
    return np.array(to_edge(values), order="C")


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
