"""z, a, delta, dW and db of every layer for given samples, as the engine computes them.

An entry of ``network.layers`` may be several layers in the engine: a ``conv`` is a convolution, then a bias and
activation, with a max pool in between if one follows. A trace has one ``LayerTrace`` per entry, with z and a of
the whole image. ``cnntrain.network.trace_recorder`` makes it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cnntrain.layers.base import Layer
from cnntrain.types import Array


@dataclass(frozen=True, slots=True, repr=False)
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
    """What else was computed, by name: ``mask`` of dropout, ``mean`` and ``var`` ``(N, C)`` of batch_norm,
    ``winner`` of a max pool, the index of the maximum in its region, row by row, and of a residual block ``branch``,
    F(x), ``shortcut``, what is added to it, and ``dx_branch`` and ``dx_shortcut``, the two parts of dJ/dx."""
    branches: dict[str, tuple["LayerTrace", ...]] = field(default_factory=dict)
    """The entries inside a residual block: of ``F`` and of ``shortcut``."""

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {value.shape}" for name, value in self.arrays().items())
        return f"LayerTrace({self.index} {self.kind}: {shapes})"

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


@dataclass(frozen=True, slots=True, repr=False)
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

    def __repr__(self) -> str:
        kinds = ", ".join(f"{layer.index} {layer.kind}" for layer in self.layers)
        return f"Trace(J = {self.J:.6g} of {len(self.losses)}; {kinds})"

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.arrays())

    def walk(self) -> Iterator[tuple[str, LayerTrace]]:
        """Yield every entry with its name, ``layers.2``, after those inside it, ``layers.2.0``.

        The entries of a residual block's shortcut are ``layers.2.shortcut.0`` and ``layers.2.shortcut.1``.
        """
        yield from walk(self.layers, "layers")

    def arrays(self) -> dict[str, Array]:
        """Return every array by its full name: ``layers.0.z``, ``layers.0.dW`` and so on.

        Parameters and gradients have the names of ``Network.parameters``: ``layers.2.shortcut.W``.
        """
        arrays: dict[str, Array] = {}
        for name, layer in self.walk():
            owner = parameter_owner(name)
            own = layer.parameters.keys() | {f"d{key}" for key in layer.gradients}
            arrays |= {f"{owner if key in own else name}.{key}": value for key, value in layer.arrays().items()}
        return arrays

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[LayerTrace]:
        return iter(self.layers)

    def __getitem__(self, key: int | str) -> Any:
        return self.arrays()[key] if isinstance(key, str) else self.layers[key]


def walk(layers: Sequence[LayerTrace], outer: str) -> Iterator[tuple[str, LayerTrace]]:
    """Yield the entries of a row with their names; see ``Trace.walk``."""
    for layer in layers:
        name = f"{outer}.{layer.index}"
        for at, inside in inside_of(name, layer):
            yield from walk((inside,), at.rpartition(".")[0])
        yield name, layer


def inside_of(name: str, layer: LayerTrace) -> Iterator[tuple[str, LayerTrace]]:
    """Yield the entries directly inside a residual block with their names: those of F, then of the shortcut."""
    for branch, entries in layer.branches.items():
        outer = name if branch == "F" else f"{name}.{branch}"
        yield from ((f"{outer}.{inside.index}", inside) for inside in entries)


def parameter_owner(name: str) -> str:
    """Return the name that an entry has in the names of its parameters.

    >>> parameter_owner("layers.2.0"), parameter_owner("layers.2.shortcut.1")
    ('layers.2.0', 'layers.2.shortcut')
    """
    outer, _, _ = name.rpartition(".")
    return outer if outer.endswith(".shortcut") else name


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
    branches = {
        name: tuple(joined(inside) for inside in zip(*(part.branches[name] for part in parts), strict=True))
        for name in first.branches
    }
    return replace(first, gradients=gradients, intermediates=between, branches=branches, **passes)
