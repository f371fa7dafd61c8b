"""One entry of the network as an explanation looks at it: its trace, its neighbors, and the chosen filter and pixel."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntrain.errors import UsageError
from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.layers.residual import Residual
from cnntrain.layers.softmax import Softmax
from cnntrain.network.trace import LayerTrace, parameter_owner
from cnntrain.ops.activations import ACTIVATIONS
from cnntrain.types import Array

Position = tuple[int, ...]
"""Row and column of an image, or the index of a vector's entry."""


def sigma_of(trace: LayerTrace) -> str:
    """Return the activation of an entry; identity for a layer without one, where sigma(z) = z."""
    for layer in reversed(trace.layers):
        if isinstance(layer, Softmax):
            return "softmax"
        if isinstance(layer, Activation | Residual):
            return next(name for name, sigma in ACTIVATIONS.items() if type(sigma) is type(layer.sigma))
    return "identity"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of ``network.layers``, with what was asked for. The sample explained is the first of the traced ones."""

    name: str
    """Its index, as ``2``; inside a residual entry ``3.0``."""
    trace: LayerTrace
    da: Array | None
    """dJ/da, ``(N, ...)``: what comes back from the next entry; None for the last, where the loss begins."""
    before: LayerTrace | None
    """The entry before, whose sigma'(z) delta meets next; None for the first."""
    sources: tuple[tuple[str, str], ...] = ()
    """Where dJ/da comes from: names of an entry and of its array, such as ``("3", "dx")``."""
    filter: int | None = None
    """The filter, channel or unit that was asked for."""
    at: Position | None = None
    """The pixel of the input that was asked for."""

    @property
    def layer(self) -> Layer[Any]:
        """The engine's first layer of the entry, which knows its options."""
        return self.trace.layers[0]

    @property
    def sigma(self) -> str:
        """The activation: a key of the textbook's SIGMA, or softmax."""
        return sigma_of(self.trace)

    @property
    def owner(self) -> str:
        """The prefix of the entry's parameters, ``layers.2`` or ``layers.2.shortcut``."""
        return parameter_owner(f"layers.{self.name}")

    @property
    def called(self) -> str:
        """The entry in a message."""
        return f"layer {self.name} ({self.trace.kind})"

    def param(self, key: str, size: int = 0) -> Array:
        """Return a parameter; a missing b is 0."""
        return self.trace.parameters[key] if key in self.trace.parameters else np.zeros(size)

    def chosen_filter(self) -> int:
        """Return the filter that was asked for, or the one with the largest |delta|.

        Raises:
            UsageError: There is no such filter.
        """
        delta = np.abs(self.trace.delta[0])
        if self.filter is None:
            return int(delta.reshape(len(delta), -1).max(axis=1).argmax())
        if not 0 <= self.filter < len(delta):
            raise UsageError(f"--filter {self.filter}: {self.called} has the outputs 0 to {len(delta) - 1}")
        return self.filter

    def took(self, filter: int, at: Position) -> list[tuple[str, dict[str, Any]]]:
        """Return remarks on what was chosen here because it was not asked for."""
        remarks: list[tuple[str, dict[str, Any]]] = []
        if self.filter is None:
            remarks.append(("took_filter", {"filter": filter}))
        if self.at is None and at:
            remarks.append(("took_at", {"at": ",".join(map(str, at))}))
        return remarks

    def checked_at(self) -> Position | None:
        """Return the pixel that was asked for.

        Raises:
            UsageError: The input has no such pixel.
        """
        if self.at is None:
            return None
        shape = self.trace.x.shape[1:]
        sides = shape[1:] if len(shape) == 3 else shape
        if len(self.at) != len(sides) or not all(0 <= i < n for i, n in zip(self.at, sides, strict=True)):
            takes = (
                f"rows 0 to {sides[0] - 1} and columns 0 to {sides[1] - 1}, as --at r,c"
                if len(sides) == 2
                else f"one number, 0 to {sides[0] - 1}"
            )
            raise UsageError(f"--at {','.join(map(str, self.at))}: the input of {self.called} has {takes}")
        return self.at


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of a conv or pool: which pixels of the input each output reads."""

    sides: tuple[int, int]
    P: int
    S: int

    def around(self, at: Position, out: Position) -> Position:
        """Return the output whose window is around a pixel, or next to it.

        Args:
            at: Row and column of the input.
            out: Number of rows and columns of the output.
        """
        return tuple(
            int(np.clip((pixel + self.P - side // 2) // self.S, 0, count - 1))
            for pixel, side, count in zip(at, self.sides, out, strict=True)
        )

    def middle(self, output: Position, shape: Position) -> Position:
        """Return the pixel in the middle of the window of an output, of an image of ``shape`` (H, W)."""
        return tuple(
            int(np.clip(self.S * i + side // 2 - self.P, 0, count - 1))
            for i, side, count in zip(output, self.sides, shape, strict=True)
        )

    def reading(self, at: Position, out: Position) -> list[tuple[Position, Position]]:
        """Return the outputs that read a pixel, each with the row and column of the pixel in its window."""
        axes = []
        for pixel, side, count in zip(at, self.sides, out, strict=True):
            offsets = [(i, pixel + self.P - self.S * i) for i in range(count)]
            axes.append([(i, p) for i, p in offsets if 0 <= p < side])
        return [((i, j), (p, q)) for i, p in axes[0] for j, q in axes[1]]

    def window(self, image: Array, output: Position, outside: float = 0.0) -> Array:
        """Return the pixels ``(C, rows, columns)`` that an output reads, ``outside`` where there are none."""
        result = np.full((len(image), *self.sides), outside)
        for p, q in np.ndindex(*self.sides):
            r, c = self.S * output[0] + p - self.P, self.S * output[1] + q - self.P
            if 0 <= r < image.shape[1] and 0 <= c < image.shape[2]:
                result[:, p, q] = image[:, r, c]
        return result


def indexed(name: str, *at: int | Position) -> str:
    """Return a name with indices: ``z[2,4,5]``."""
    numbers = [str(i) for part in at for i in (part if isinstance(part, tuple) else (part,))]
    return f"{name}[{','.join(numbers)}]"
