"""The base class of layers: shapes, parameters, a forward pass and a backward pass.

Legend: ``N`` samples, ``C`` channels, ``H`` rows, ``W`` columns. Inside the network a batch of images is
``(H, C, W, N)`` and a batch of vectors ``(features, N)``; the shape of one sample has no ``N``.

A **cache** is all the memory that a layer needs for micro-batches of n samples; see ``cnntrain.ops.workspace``. The
caller owns it, allocates it once, and every forward pass overwrites it: layers keep no state of a batch, and a training
step allocates nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from numpy.typing import DTypeLike

from cnntrain.layers.fault import Fault
from cnntrain.ops.workspace import Workspaces
from cnntrain.types import Array, Shape

CacheT = TypeVar("CacheT", bound=Workspaces)


class OnnxGraph(Protocol):
    """The graph to which a layer adds its ONNX nodes."""

    def constant(self, name: str, values: Array | Iterable[float]) -> str:
        """Add a constant and return its name."""

    def node(self, operator: str, inputs: Iterable[str], output: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""


OnOutput = Callable[["Layer[Any]", Array], None]
"""Called after each layer of a forward pass, with the layer and its output."""
OnDelta = Callable[["Layer[Any]", Array | None], None]
"""Called after each layer of a backward pass, with the layer and dJ/d its input (None if that is not computed)."""


class Layer(ABC, Generic[CacheT]):
    """One layer of the network, complete once constructed.

    An entry of ``network.layers`` may become several layers: ``conv`` is a convolution, then bias and activation.
    """

    index: int
    """Index of its entry in ``network.layers``, or in the list of the layer that holds it."""
    kind: str
    """The kind of its entry, such as ``conv``."""
    in_shape: Shape
    out_shape: Shape
    params: dict[str, Array]
    """Parameters and buffers by name, such as ``W`` and ``b``; the network moves them into one vector."""
    buffers: tuple[str, ...] = ()
    """Names of the ``params`` that are running statistics: measured in the forward pass, not trained."""
    branches: Mapping[str, list["Layer[Any]"]] = MappingProxyType({})
    """The layers inside, by the name of their branch: a residual block has ``F`` and ``shortcut``."""
    faults: ClassVar[Mapping[str, Fault]] = {}
    """Faults by name that the gradient check can inject into the backward pass."""

    @property
    def pixels(self) -> int:
        """Number of values of a channel in a sample: H W for an image, 1 for a vector."""
        return self.in_shape[0] * self.in_shape[2] if len(self.in_shape) == 3 else 1

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one sample's forward pass; 0 if the layer multiplies by no parameter."""
        return 0

    @property
    def keeps_output(self) -> bool:
        """Whether the output must stay as it is: the backward pass reads it, or it may be the input itself."""
        return False

    @property
    def unread(self) -> list[str]:
        """The rows and columns at the end of the input that no window reads, as ``["the last row"]``."""
        return []

    @abstractmethod
    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        """Add the layer's ONNX nodes, for evaluation mode, to ``graph``.

        Args:
            graph: The graph.
            x: Name of the layer's input.
            name: The name of the entry, ``layers.<i>``, the prefix of constants and outputs.
            b: The name of the entry's bias constant, or nothing; ONNX adds it in Conv, Gemm and BatchNormalization.

        Returns:
            The name of the layer's output; ``x`` if the layer does nothing.
        """

    @abstractmethod
    def cache(self, n: int, dtype: DTypeLike) -> CacheT:
        """Return a cache for micro-batches of n samples."""

    @abstractmethod
    def forward(self, x: Array, cache: CacheT) -> Array:
        """Return the output in training mode, in the cache's memory, and keep what the backward pass needs.

        A bias and activation may overwrite ``x``: the caller must not read it again.
        """

    def infer(self, x: Array, cache: CacheT) -> Array:
        """Return the output in evaluation mode, without keeping anything for a backward pass."""
        return self.forward(x, cache)

    def observed_forward(self, x: Array, cache: CacheT, on_output: OnOutput) -> Array:
        """Run ``forward`` and call the observer, after the layers inside with them."""
        y = self.forward(x, cache)
        on_output(self, y)
        return y

    def observed_infer(self, x: Array, cache: CacheT, on_output: OnOutput) -> Array:
        """Run ``infer`` and call the observer, after the layers inside with them."""
        y = self.infer(x, cache)
        on_output(self, y)
        return y

    def observed_backward(
        self, delta: Array, cache: CacheT, grads: dict[str, Array], want_delta: bool, on_delta: OnDelta
    ) -> Array | None:
        """Run ``backward`` and call the observer, after the layers inside with them."""
        delta_prev = self.backward(delta, cache, grads, want_delta)
        on_delta(self, delta_prev)
        return delta_prev

    @abstractmethod
    def backward(self, delta: Array, cache: CacheT, grads: dict[str, Array], want_delta: bool = True) -> Array | None:
        """Write dJ/d parameters into ``grads`` and return dJ/d input, or None if it is not wanted.

        Args:
            delta: The gradient dJ/d output of the forward pass that filled the cache; may be overwritten.
            cache: The cache that ``forward`` filled; it serves one backward pass.
            grads: Output arrays shaped as ``params``. Those of ``buffers`` receive the statistics of the micro-batch
                times its number of samples: summed over micro-batches like gradients, they give those of the batch.
            want_delta: False for the first layer in training: the gradient of the pixels is not needed.
        """

    def pattern(self, cache: CacheT) -> Array | None:
        """Return the side of each kink that the last forward pass took, for the gradient check; None without kinks."""
        return None

    def intermediates(self, cache: CacheT) -> dict[str, Array]:
        """Return what else the last forward pass computed, by name, with samples last; ``Network.trace`` shows it."""
        return {}

    def to_edge(self, name: str, value: Array) -> Array:
        """Return a parameter or gradient in the edge layout: conv W ``(K, C, F, F)``, fc inputs in C, H, W order."""
        return value

    def from_edge(self, name: str, value: Array) -> Array:
        """Return a parameter in the layer's own layout; the inverse of ``to_edge``."""
        return value


def unread_sides(in_shape: Shape, region: tuple[int, int], stride: int, padding: int) -> list[str]:
    """Return ``Layer.unread``: the rows and columns after the last window, which the stride leaves out."""
    H, _, W = in_shape
    unread = []
    for count, side, what in ((H, region[0], "row"), (W, region[1], "column")):
        left = min((count + 2 * padding - side) % stride - padding, count)
        if left > 0:
            unread.append(f"the last {what}" if left == 1 else f"the last {left} {what}s")
    return unread
