"""Layers in a row: forward, backward, and parameters by name.

A batch is worked on in **slices** of at most ``micro_batch_size`` samples, one after the other; loss and gradients of a
slice are a function of the parameters and the slice alone, and slices are summed in their order. How a batch is cut
depends on the network alone, so the same batch gives the same bits, always.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer
from cnntrain.layers.row import OnOutput, Row
from cnntrain.layers.softmax import Softmax
from cnntrain.network.array_layout import (
    checked_images,
    checked_labels,
    class_indices,
    edge_shape,
    from_edge,
    to_edge,
)
from cnntrain.network.objective import Objective
from cnntrain.network.parameter_vector import ParameterLayout
from cnntrain.network.workspaces import MicroBatchWorkspace, WorkspacePool
from cnntrain.ops.losses import LOSSES, Loss
from cnntrain.types import Array, Labels


class Network:
    """A built network.

    Attributes:
        row: The layers, and the walk over them; an entry of the config may be several layers.
        training_stop: The layer before which the passes of training end: cross entropy takes the logits.
        theta: Every parameter, in one vector, and the running averages of batch normalization behind them.
        layout: What lies where in theta.
        in_shape: ``(C, H, W)`` or ``(features,)``.
        out_shape: ``(C, H, W)`` or ``(units,)``.
    """

    def __init__(
        self,
        layers: Sequence[Layer[Any]],
        objective: Objective,
        dtype: DTypeLike = "float32",
        micro_batch_size: int = 32,
    ):
        self.row = Row(layers)
        self.dtype = np.dtype(dtype)
        self.micro_batch_size = micro_batch_size
        self.in_shape = edge_shape(self.layers[0].in_shape)
        self.out_shape = edge_shape(self.layers[-1].out_shape)
        self._workspaces = WorkspacePool(self.layers, self.dtype, micro_batch_size)
        self.layout = ParameterLayout(self.layers)
        self.move_to(np.empty(self.layout.size, self.dtype))
        self.set_objective(objective)

    @property
    def layers(self) -> list[Layer[Any]]:
        """The layers in the order of the forward pass."""
        return self.row.layers

    def parameters(self) -> dict[str, Array]:
        """Return copies of W, b, gamma, ``{"layers.0.W": ...}``: conv W ``(K, C, F, F)``, fc W ``(units, inputs)``."""
        return self.layout.named(self.theta, self.layout.parameters)

    def set_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Take over W, b and gamma, named and shaped as ``parameters()`` gives them.

        Raises:
            WeightsError: Names are missing or unknown, or a shape differs; nothing is changed then.
        """
        self.layout.load_state(parameters, self.layout.parameters)

    def set_objective(self, objective: Objective) -> None:
        """Choose what is minimized."""
        self.objective, self.loss = objective, LOSSES[objective.loss]
        self.training_loss = objective.training_loss(self.layers[-1].out_shape, self.dtype)
        # Behind Softmax the cross entropy takes the logits, and its delta is already the one at z.
        skips_softmax = objective.loss == "cross_entropy" and isinstance(self.layers[-1], Softmax)
        self.training_stop = len(self.layers) - skips_softmax

    def state(self) -> dict[str, Array]:
        """Return copies of the parameters and of the running averages: all that a weights file holds."""
        return self.layout.named(self.theta, self.layout.slots)

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over parameters and running averages, named and shaped as ``state()`` gives them.

        Raises:
            WeightsError: As ``set_parameters``, or a variance is negative; nothing is changed then.
        """
        self.layout.load_state(state, self.layout.slots)

    @cached_property
    def class_indices(self) -> Labels:
        """Where the output of each class stands, see ``edges.class_indices``."""
        return class_indices(self.layers[-1].out_shape)

    def move_to(self, theta: Array) -> None:
        """Move all parameters into ``theta``, keeping their values."""
        self.layout.move_to(theta)
        self.theta = theta

    def use_vector(self, theta: Array) -> None:
        """Use ``theta``, with the values that are in it."""
        self.layout.use_vector(theta)
        self.theta = theta

    def workspace(self, n: int) -> MicroBatchWorkspace:
        """Return the memory for slices of n samples; all sizes share one, so what others left in it is lost."""
        return self._workspaces.of(n)

    def free_workspaces(self) -> None:
        """Let the memory of slices go; it is made again when it is needed."""
        self._workspaces.free()

    def forward_micro_batch(self, memory: MicroBatchWorkspace, on_output: OnOutput | None = None) -> Array:
        """Return what the loss takes of the slice in ``memory.x``, in training."""
        return self.row.forward(memory.x, memory.caches, stop=self.training_stop, on_output=on_output)

    def infer_micro_batch(self, memory: MicroBatchWorkspace) -> Array:
        """Return what the loss takes of the slice in ``memory.x``, in evaluation mode."""
        return self.row.infer(memory.x, memory.caches, stop=self.training_stop)

    def output_of_logits(self, memory: MicroBatchWorkspace, logits: Array) -> Array:
        """Return the network's output where ``infer_micro_batch`` gave ``logits``."""
        return self.row.infer(logits, memory.caches, start=self.training_stop)

    def compute_loss(self, output: Array, y: Labels, loss_of: Loss | None = None) -> tuple[float, int, Array]:
        """Compare the output that the loss takes with labels, by the plain loss or another, such as ``training_loss``.

        Returns:
            Sum of the samples' losses, how many the output is right about, and that sum's delta ``(features, N)``.
        """
        output = output.reshape(-1, len(y))
        y = self.class_indices[y]
        loss, delta = (loss_of or self.loss)(output, y)
        correct = int(np.count_nonzero(output.argmax(axis=0) == y))
        return float(loss.sum(dtype=np.float64)), correct, delta

    def forward_backward(
        self,
        memory: MicroBatchWorkspace,
        y: Labels,
        scale: float,
        grads: Sequence[dict[str, Array]],
        want_dx: bool = False,
    ) -> tuple[float, int, Array | None]:
        """Forward and backward of the slice in ``memory.x``.

        Args:
            memory: Holds the slice; overwritten.
            y: Its labels.
            scale: Weight of one sample's loss in J.
            grads: Where each layer's gradients go, see ``ParameterLayout.views``.
            want_dx: Whether dJ/dx is wanted.

        Returns:
            Loss and right answers as ``judge``, and dJ/dx ``(H, C, W, N)`` or None.
        """
        loss, correct, delta = self.compute_loss(self.forward_micro_batch(memory), y, self.training_loss)
        delta *= scale
        delta = delta.reshape(*self.layers[self.training_stop - 1].out_shape, memory.n)
        dx = self.row.backward(delta, memory.caches, grads, stop=self.training_stop, want_delta=want_dx)
        return loss, correct, dx

    def first_nonfinite(self, memory: MicroBatchWorkspace) -> str | None:
        """Return the entry whose output is the first with an infinity or NaN, such as ``layers[2] (conv)``."""
        found: list[str] = []

        def look(layer: Layer[Any], y: Array) -> None:
            if not found and not np.isfinite(y).all():
                found.append(f"layers[{layer.index}] ({layer.kind})")

        with np.errstate(over="ignore", invalid="ignore"):
            self.row.forward(memory.x, memory.caches, on_output=look)
        return found[0] if found else None

    def micro_batches(self, count: int) -> Iterator[slice]:
        """Cut ``count`` samples into as few slices as it goes, of one size or of two that differ by one."""
        pieces = -(-count // self.micro_batch_size)
        for i in range(pieces):
            yield slice(i * count // pieces, (i + 1) * count // pieces)

    def forward(self, x: Array) -> Array:
        """Return the network's output: probabilities behind Softmax.

        Args:
            x: What the first layer sees, ``(N, C, H, W)`` (already standardized).

        Returns:
            ``(N, units)``, or ``(N, K, OH, OW)`` for a network that ends with an image.

        Raises:
            ShapeError: x does not have the network's input shape.
        """
        x = checked_images(x, self.in_shape)
        y = np.empty((len(x), *self.out_shape), self.dtype)
        for part in self.micro_batches(len(x)):
            memory = self.load(x, part)
            y[part] = to_edge(self.row.infer(memory.x, memory.caches))
        return y

    def loss_and_gradients(self, x: Array, y: Labels) -> tuple[float, dict[str, Array], Array]:
        """Return J of one batch, dJ/d parameters and dJ/dx, by the very code that trains.

        Args:
            x: ``(N, C, H, W)``.
            y: Labels ``(N,)``.

        Returns:
            J with the penalties, gradients named and shaped as ``parameters()``, and dx like x.

        Raises:
            ShapeError: x does not have the network's input shape.
            DataError: A label is not a class, or there are not as many labels as images.
        """
        J, gradient, dx = self.gradient(x, y)
        return J, self.layout.named(gradient, self.layout.parameters), dx

    def gradient(self, x: Array, y: Labels) -> tuple[float, Array, Array]:
        """Return what ``loss_and_gradients`` does, the gradient as one vector laid out as theta."""
        x, y = checked_images(x, self.in_shape), checked_labels(y, len(x), math.prod(self.out_shape))
        scale = self.objective.scale(len(x))
        J, dx = 0.0, np.empty(x.shape, self.dtype)
        total, of_micro_batch = np.zeros_like(self.theta), np.empty_like(self.theta)
        grads = self.layout.views(of_micro_batch)
        for part in self.micro_batches(len(x)):
            memory = self.load(x, part)
            loss, _, dx_part = self.forward_backward(memory, y[part], scale, grads, want_dx=True)
            J += loss * scale
            total += of_micro_batch
            assert dx_part is not None
            dx[part] = to_edge(dx_part)
        W = slice(0, self.layout.W_count)
        self.objective.add_penalty_gradient(self.theta[W], total[W])
        return J + self.objective.penalty(self.theta[W]), total, dx

    def load(self, x: Array, part: slice) -> MicroBatchWorkspace:
        """Return the memory of a slice of ``x`` ``(N, C, H, W)``, with its samples in it, outside any epoch."""
        memory = self.workspace(part.stop - part.start)
        memory.x[...] = from_edge(x[part])
        memory.sample_ids.epoch, memory.sample_ids.samples = 0, np.arange(part.start, part.stop)
        return memory
