"""What every layer has: shapes, parameters, a forward pass and a backward pass.

Legend: ``N`` samples, ``C`` channels, ``H`` rows, ``W`` columns. Inside the network a batch of images is
``(H, C, W, N)`` and a batch of vectors ``(features, N)``; shapes of one sample leave the ``N`` out.

A **cache** is all the memory that a layer needs for slices of n samples, see ``cnntrain.ops.workspace``. It belongs to
the caller, is allocated once and overwritten by every forward, so that a layer keeps nothing of a batch and a step
allocates nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from numpy.typing import DTypeLike

from cnntrain.layers.fault import Fault
from cnntrain.ops.workspace import Workspaces
from cnntrain.types import Array, Shape

CacheT = TypeVar("CacheT", bound=Workspaces)


class OnnxGraph(Protocol):
    """What a layer adds its ONNX nodes to."""

    def constant(self, name: str, values: Array | Iterable[float]) -> str:
        """Add a constant and return its name."""

    def node(self, operator: str, inputs: Iterable[str], output: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""


class Layer(ABC, Generic[CacheT]):
    """One step of the way through the network; complete once constructed.

    An entry of ``network.layers`` may become several of these: ``conv`` is a convolution, then a bias and activation.
    """

    index: int
    """Place of its entry in ``network.layers``."""
    kind: str
    """Of its entry, such as ``conv``."""
    in_shape: Shape
    out_shape: Shape
    params: dict[str, Array]
    """``W``, ``b`` and the like, or nothing; the network places them in one vector."""
    buffers: ClassVar[tuple[str, ...]] = ()
    """Which of ``params`` are running averages: measured in the forward pass, not trained."""
    faults: ClassVar[Mapping[str, Fault]] = {}
    """Deliberate faults by name, which the gradient check can put into the backward pass."""

    @property
    def pixels(self) -> int:
        """Values of one channel in a sample: H W of an image, 1 of a vector."""
        return self.in_shape[0] * self.in_shape[2] if len(self.in_shape) == 3 else 1

    @property
    def multiply_adds(self) -> int:
        """Products of one sample's forward pass; 0 where the layer multiplies by no parameter."""
        return 0

    @property
    def unread(self) -> list[str]:
        """Rows and columns at the end of the input that no window reads: ``["the last row"]``."""
        return []

    @abstractmethod
    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        """Add the layer's ONNX nodes, those of evaluation mode, to ``graph``.

        Args:
            graph: The graph.
            x: Name of the layer's input.
            name: Of the entry, ``layers.<i>``, with which the names of constants and outputs begin.
            b: Name of the entry's bias constant, or nothing: ONNX adds it in Conv, Gemm and BatchNormalization.

        Returns:
            Name of the layer's output, ``x`` where it does nothing.
        """

    @abstractmethod
    def cache(self, n: int, dtype: DTypeLike) -> CacheT:
        """Return the memory for slices of n samples."""

    @abstractmethod
    def forward(self, x: Array, cache: CacheT) -> Array:
        """Return the output in training for ``x``, in the cache's memory, and keep what the backward pass needs.

        A bias and activation may overwrite ``x``; whoever hands them something does not read it again.
        """

    def infer(self, x: Array, cache: CacheT) -> Array:
        """Return the output in use, without keeping what only the backward pass needs."""
        return self.forward(x, cache)

    @abstractmethod
    def backward(self, delta: Array, cache: CacheT, grads: dict[str, Array], want_delta: bool = True) -> Array | None:
        """Write dJ/d parameters into ``grads`` and return dJ/d input, unless it is not wanted.

        Args:
            delta: dJ/d output of the forward that filled the cache; may be overwritten.
            cache: Filled by ``forward``; one backward pass for each forward pass.
            grads: Arrays shaped as ``params``. Into those of ``buffers`` go the slice's own, times its samples:
                summed over slices as all gradients are, they give those of the batch.
            want_delta: False for the first layer in training: nobody needs the delta of the pixels.
        """

    def pattern(self, cache: CacheT) -> Array | None:
        """Return which side of its kinks the last forward took, for the gradient check; None where there are none."""
        return None

    def to_edge(self, name: str, value: Array) -> Array:
        """Return a parameter or gradient as files and callers see it: conv W ``(K, C, F, F)``, fc in C, H, W order."""
        return value

    def from_edge(self, name: str, value: Array) -> Array:
        """Return a parameter as the layer uses it; the inverse of ``to_edge``."""
        return value


def unread_sides(in_shape: Shape, region: tuple[int, int], stride: int, padding: int) -> list[str]:
    """Return the rows and columns that no window reads because the stride ends before them, for ``Layer.unread``."""
    H, _, W = in_shape
    found = []
    for count, side, what in ((H, region[0], "row"), (W, region[1], "column")):
        left = min((count + 2 * padding - side) % stride - padding, count)
        if left > 0:
            found.append(f"the last {what}" if left == 1 else f"the last {left} {what}s")
    return found
