"""The first tensor that differs in a step of two runs: samples, input, labels, then forward, backward, update."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnntrain.network.array_layout import to_edge
from cnntrain.network.network import Network
from cnntrain.network.trace import LayerTrace, Trace, inside_of, parameter_owner
from cnntrain.run_diff.frozen_passes import LOSSES, passes
from cnntrain.run_diff.lockstep import Parting, Replica, tensor_difference
from cnntrain.run_diff.recorded import same_bits
from cnntrain.training.batches import batch_count, batches
from cnntrain.training.samples import TrainingSamples
from cnntrain.training.schedules import alpha_of
from cnntrain.types import Array, Labels, MixedLabels, Targets

MAX_SAMPLES = 20
"""Maximum number of samples that a result lists."""


@dataclass
class FirstTensor:
    """The first tensor that differs."""

    stage: str
    """A key of ``cnntrain.run_diff.inputs.STAGES``."""
    tensor: str
    """``layers.0.W`` or ``layers.2.dW`` and so on; ``input``, ``labels`` or ``samples``."""
    difference: dict[str, Any] = field(default_factory=dict)
    """See ``tensor_difference``."""
    samples: list[dict[str, Any]] = field(default_factory=list)
    """The training samples concerned: ``index`` and ``name`` in each run."""


def first_tensor(a: Replica, b: Replica, parting: Parting) -> FirstTensor:
    """Return the first tensor that differs at the parting of two runs."""
    if parting.before is None:
        return first_of(a.network, b.network, "initial weights") or FirstTensor("initial weights", "theta")
    updated = first_of(a.network, b.network, "update")
    after = [replica.network.theta.copy() for replica in (a, b)]
    try:
        for replica, theta in zip((a, b), parting.before, strict=True):
            replica.network.theta[...] = theta
        found = in_the_batch(a, b, parting)
    finally:
        for replica, theta in zip((a, b), after, strict=True):
            replica.network.theta[...] = theta
    if found is not None:
        return found
    if updated is not None:
        options = [replica.config.training for replica in (a, b)]
        steps = batch_count(len(a.data.train), options[0].batch_size)
        t = (parting.position[0] - 1) * steps + parting.position[1]
        alphas = [
            replica.state.alpha_factor * alpha_of(t, steps, one) for replica, one in zip((a, b), options, strict=True)
        ]
        if alphas[0] != alphas[1]:
            updated.difference["alpha"] = alphas
        return updated
    return FirstTensor("update", "optimizer states", tensor_difference(a.comm.states, b.comm.states))


def first_of(one: Network, other: Network, stage: str) -> FirstTensor | None:
    """Return the first parameter or buffer that differs between two networks, in the order of the layers."""
    states = one.state(), other.state()
    for name in dict.fromkeys([*states[0], *states[1]]):
        values = [state.get(name) for state in states]
        if values[0] is None or values[1] is None:
            return FirstTensor(stage, name, {"only_in": int(values[0] is None)})
        if not same_bits(values[0], values[1]):
            return FirstTensor(stage, name, tensor_difference(values[0], values[1]))
    return None


def order_of(replica: Replica, epoch: int) -> list[Labels]:
    """Return the samples of each batch of an epoch."""
    options = replica.config.training
    return list(batches(len(replica.data.train), options.batch_size, options.seed, epoch, options.shuffle))


def in_the_batch(a: Replica, b: Replica, parting: Parting) -> FirstTensor | None:
    """Return the first tensor that differs while the gradient of the batch is computed, if any does."""
    epoch, batch = parting.position
    indices = [order_of(replica, epoch)[batch - 1] for replica in (a, b)]
    if len(indices[0]) != len(indices[1]) or (
        a.data.train.names is None and not np.array_equal(indices[0], indices[1])
    ):
        return FirstTensor("samples", "samples of the batch", sizes(indices), named(a, b, indices, unequal(*indices)))
    names = [names_of(replica, at) for replica, at in zip((a, b), indices, strict=True)]
    if names[0] != names[1]:
        at = [i for i, (one, other) in enumerate(zip(*names, strict=True)) if one != other]
        return FirstTensor("samples", "samples of the batch", sizes(indices), named(a, b, indices, at))
    for part in a.network.micro_batches(len(indices[0])):
        of_part = [at[part] for at in indices]
        loaded = [load(replica, epoch, at) for replica, at in zip((a, b), of_part, strict=True)]
        found = in_the_micro_batch(a, b, loaded, of_part)
        if found is not None:
            return found
    return None


def in_the_micro_batch(
    a: Replica, b: Replica, loaded: list[tuple[Array, Targets]], indices: list[Labels]
) -> FirstTensor | None:
    """Return the first tensor that differs in the passes of a micro-batch, if any does."""
    (x_a, y_a), (x_b, y_b) = loaded
    if not same_bits(x_a, x_b):
        same_shape = x_a.shape == x_b.shape
        at = np.flatnonzero((x_a != x_b).any(axis=(1, 2, 3))).tolist() if same_shape else []
        return FirstTensor("input", "input", tensor_difference(x_a, x_b), named(a, b, indices, at))
    for name, one, other in zip(MixedLabels._fields, parts_of(y_a), parts_of(y_b), strict=False):
        if not np.array_equal(one, other):
            at = np.flatnonzero(one != other).tolist()
            tensor = "labels" if name == "first" else f"labels, {name}"
            return FirstTensor("labels", tensor, tensor_difference(one, other), named(a, b, indices, at))
    if a.network.frozen or b.network.frozen:
        both = [list(passes(of.network, x, parts_of(y)[0])) for of, (x, y) in zip((a, b), loaded, strict=True)]
        others = {name: value for _, name, value in both[1]}
        for stage, name, value in both[0]:
            if name in others and not same_bits(value, others[name]):
                return FirstTensor(stage, name, tensor_difference(value, others[name]))
        return None
    traces = a.network.trace(x_a, parts_of(y_a)[0]), b.network.trace(x_b, parts_of(y_b)[0])
    arrays = [{**trace.arrays(), LOSSES: trace.losses} for trace in traces]
    for stage, name in names_in_order(traces[0]):
        values = [found.get(name) for found in arrays]
        if values[0] is not None and values[1] is not None and not same_bits(*values):
            return FirstTensor(stage, name, tensor_difference(values[0], values[1]))
    return None


def names_in_order(trace: Trace) -> list[tuple[str, str]]:
    """Return stage and name of the arrays of a trace, in the order in which they are computed."""
    forward = [("forward", name) for layer in trace for name in forward_names(f"layers.{layer.index}", layer)]
    backward = [
        ("backward", name)
        for layer in reversed(trace.layers)
        for name in backward_names(f"layers.{layer.index}", layer)
    ]
    return [*forward, ("loss", LOSSES), *backward]


def forward_names(name: str, layer: LayerTrace) -> Iterator[str]:
    """Yield the arrays of the forward pass of an entry, those inside a residual block first."""
    for at, inside in inside_of(name, layer):
        yield from forward_names(at, inside)
    yield from (f"{name}.{key}" for key in layer.intermediates if not key.startswith("dx"))
    yield from (f"{name}.z", f"{name}.a")


def backward_names(name: str, layer: LayerTrace) -> Iterator[str]:
    """Yield the arrays of the backward pass of an entry; dJ/dx of a residual block comes after those inside it."""
    yield f"{name}.delta"
    yield from (f"{parameter_owner(name)}.d{key}" for key in layer.gradients)
    for at, inside in reversed(list(inside_of(name, layer))):
        yield from backward_names(at, inside)
    yield from (f"{name}.{key}" for key in layer.intermediates if key.startswith("dx"))
    yield f"{name}.dx"


def load(replica: Replica, epoch: int, indices: Labels) -> tuple[Array, Targets]:
    """Return the input ``(N, C, H, W)`` and labels of a micro-batch, augmented as in ``epoch``."""
    samples = TrainingSamples(replica.data, replica.config.training)
    workspace = replica.network.workspace(len(indices))
    labels = samples.load(workspace, epoch, indices)
    return np.array(to_edge(workspace.x, workspace.in_shape), order="C"), labels


def parts_of(labels: Targets) -> tuple[Array, ...]:
    """Return the labels, or the parts of mixed ones: both labels and the share of the first."""
    return tuple(labels) if isinstance(labels, MixedLabels) else (labels,)


def unequal(one: Labels, other: Labels) -> list[int]:
    """Return the positions at which two batches hold other samples."""
    pairs = itertools.zip_longest(one.tolist(), other.tolist())
    return [i for i, (x, y) in enumerate(pairs) if x != y]


def sizes(indices: list[Labels]) -> dict[str, Any]:
    """Return the sizes of two batches."""
    return {"samples": [len(at) for at in indices]}


def names_of(replica: Replica, indices: Labels) -> list[str | int]:
    """Return the file of each sample, or its index if the samples are not separate files."""
    names = replica.data.train.names
    return indices.tolist() if names is None else [names[i] for i in indices.tolist()]


def named(a: Replica, b: Replica, indices: list[Labels], at: list[int]) -> list[dict[str, Any]]:
    """Return index and name in both runs of the samples at some positions of a batch."""
    rows = []
    for i in at[:MAX_SAMPLES]:
        pair = [int(of[i]) if i < len(of) else None for of in indices]
        names = [
            None if index is None or replica.data.train.names is None else replica.data.train.names[index]
            for replica, index in zip((a, b), pair, strict=True)
        ]
        rows.append({"position": i, "index": pair, "name": names})
    return rows
