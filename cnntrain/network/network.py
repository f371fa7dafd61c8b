"""A sequential network: forward pass, backward pass, and parameters by name.

A batch is processed in **micro-batches** of at most ``micro_batch_size`` samples, one after the other, as in gradient
accumulation. The loss and gradients of a micro-batch are a function of the parameters and its samples alone, and are
added up in order. How a batch is cut depends on the network alone, so the same batch always gives the same bits.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer, OnOutput
from cnntrain.layers.row import Row
from cnntrain.layers.softmax import Softmax
from cnntrain.network.array_layout import checked_images, checked_labels, class_indices, edge_shape, from_edge, to_edge
from cnntrain.network.evaluation_pass import EvaluationPass
from cnntrain.network.objective import Objective
from cnntrain.network.parameter_vector import ParameterLayout
from cnntrain.network.summary import completions, html_table, text_table
from cnntrain.network.trace import Trace
from cnntrain.network.trace_recorder import trace
from cnntrain.network.workspaces import MicroBatchWorkspace, WorkspacePool, micro_batches
from cnntrain.ops.losses import LOSSES, Loss, loss_of_targets
from cnntrain.types import Array, Labels, Targets


class Network:
    """A sequential network, as ``cnntrain.build`` returns it.

    Attributes:
        row: The layers, and the loops over them; one entry of the config may become several layers.
        training_stop: Index of the layer before which training ends its passes: cross entropy takes the logits.
        frozen: Number of layers, from the first on, that are not trained and always run in evaluation mode.
        theta: All parameters in one vector, followed by the buffers (running statistics of batch normalization).
        layout: The position of each parameter in theta.
        in_shape: Shape of a sample, ``(C, H, W)`` or ``(features,)``.
        out_shape: Shape of an output, ``(C, H, W)`` or ``(units,)``.

    Examples:
        >>> import cnntrain
        >>> layers = [{"conv": {"K": 2, "F": 3, "activation": "relu"}}, {"fc": {"units": 3, "activation": "softmax"}}]
        >>> network = cnntrain.build({"network": {"input": [1, 6, 6], "layers": layers}})
        >>> {name: value.shape for name, value in network.parameters().items()}
        {'layers.0.W': (2, 1, 3, 3), 'layers.0.b': (2,), 'layers.1.W': (3, 32), 'layers.1.b': (3,)}
        >>> J, gradients, dx = network.loss_and_gradients(np.zeros((4, 1, 6, 6), np.float32), np.array([0, 1, 2, 0]))
        >>> round(J, 4), dx.shape
        (1.0986, (4, 1, 6, 6))
    """

    def __init__(
        self,
        layers: Sequence[Layer[Any]],
        objective: Objective,
        dtype: DTypeLike = "float32",
        micro_batch_size: int = 32,
        frozen: int = 0,
    ):
        self.row, self.frozen = Row(layers), frozen
        self.dtype = np.dtype(dtype)
        self.micro_batch_size = micro_batch_size
        self.in_shape = edge_shape(self.layers[0].in_shape)
        self.out_shape = edge_shape(self.layers[-1].out_shape)
        self._workspaces = WorkspacePool(self.layers, self.dtype, micro_batch_size)
        self.layout = ParameterLayout(self.layers, frozen)
        self.move_to(self.layout.new_theta(self.dtype))
        self.set_objective(objective)

    __repr__, _repr_html_, __dir__ = text_table, html_table, completions

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the network without its workspaces: copies of arrays that share memory would not share it."""
        return Network, (copy.deepcopy(self.layers), self.objective, self.dtype, self.micro_batch_size, self.frozen)

    @property
    def layers(self) -> list[Layer[Any]]:
        """The layers in the order of the forward pass."""
        return self.row.layers

    def parameters(self) -> dict[str, Array]:
        """Return copies of W, b, gamma, ``{"layers.0.W": ...}``: conv W ``(K, C, F, F)``, fc W ``(units, inputs)``."""
        return self.layout.named(self.theta, self.layout.parameters)

    def set_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Replace W, b and gamma by the given arrays, named and shaped as in ``parameters()``.

        Raises:
            WeightsError: Names are missing or unknown, or a shape differs; nothing is changed.
        """
        self.layout.load_state(parameters, self.layout.parameters)

    def set_objective(self, objective: Objective) -> None:
        """Set the objective, which training minimizes."""
        self.objective, self.loss = objective, LOSSES[objective.loss]
        self.training_loss = objective.training_loss(self.layers[-1].out_shape, self.dtype)
        # Behind Softmax the cross entropy takes the logits, and its delta is already the one at z.
        skips_softmax = objective.loss == "cross_entropy" and isinstance(self.layers[-1], Softmax)
        self.training_stop = len(self.layers) - skips_softmax

    def state(self) -> dict[str, Array]:
        """Return copies of the parameters and buffers, the contents of a weights file (PyTorch's ``state_dict``)."""
        return self.layout.named(self.theta, self.layout.slots)

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Replace parameters and buffers by the given arrays, named and shaped as in ``state()``.

        Raises:
            WeightsError: As for ``set_parameters``, or a variance is negative; nothing is changed.
        """
        self.layout.load_state(state, self.layout.slots)

    @cached_property
    def class_indices(self) -> Labels:
        """The index of each class among the outputs; see ``array_layout.class_indices``."""
        return class_indices(self.layers[-1].out_shape)

    def move_to(self, theta: Array) -> None:
        """Move all parameters and buffers into ``theta``, keeping their values."""
        self.layout.move_to(theta)
        self.theta = theta

    def use_vector(self, theta: Array) -> None:
        """Use ``theta`` with the values in it."""
        self.layout.use_vector(theta)
        self.theta = theta

    def workspace(self, n: int) -> MicroBatchWorkspace:
        """Return the workspace for micro-batches of n samples; all sizes share memory, so its values are undefined."""
        return self._workspaces.get(n)

    def free_workspaces(self) -> None:
        """Free the memory for micro-batches; it is allocated again when it is needed."""
        self._workspaces.free()

    def forward_micro_batch(self, workspace: MicroBatchWorkspace, on_output: OnOutput | None = None) -> Array:
        """Return the input of the loss for the micro-batch in ``workspace.x``, in training mode."""
        return self.run(workspace.x, workspace, stop=self.training_stop, on_output=on_output)

    def run(
        self,
        x: Array,
        workspace: MicroBatchWorkspace,
        start: int = 0,
        stop: int | None = None,
        on_output: OnOutput | None = None,
    ) -> Array:
        """Return the output of the layers ``start`` to ``stop`` in training mode, frozen ones in evaluation mode."""
        if start < self.frozen:
            x = self.row.infer(x, workspace.caches, start, self.frozen, on_output)
            start = self.frozen
        return self.row.forward(x, workspace.caches, start, stop, on_output)

    def evaluation(self) -> EvaluationPass:
        """Return the forward pass in evaluation mode, with the parameters as they are now."""
        return EvaluationPass(self.layers, self.training_stop)

    def compute_loss(self, output: Array, y: Targets, loss_of: Loss | None = None) -> tuple[float, int, Array]:
        """Compute the loss of a micro-batch.

        Args:
            output: The logits, or the output of a network without softmax, ``(..., N)``.
            y: The labels ``(N,)``. Of mixed labels, the loss is the mean weighted by their shares, and a sample is
                correct if the label with the larger share is predicted.
            loss_of: The loss function, such as ``training_loss``; by default the plain loss.

        Returns:
            The sum of the samples' losses, the number of correct samples, and the delta of that sum ``(features, N)``.
        """
        output = output.reshape(-1, output.shape[-1])
        loss, delta, labels = loss_of_targets(loss_of or self.loss, output, y, self.class_indices)
        correct = int(np.count_nonzero(output.argmax(axis=0) == labels))
        return float(np.add.reduce(loss, dtype=np.float64)), correct, delta

    def forward_backward(
        self,
        workspace: MicroBatchWorkspace,
        y: Targets,
        scale: float,
        grads: Sequence[dict[str, Array]],
        want_dx: bool = False,
    ) -> tuple[float, int, Array | None]:
        """Run the forward and backward pass of the micro-batch in ``workspace.x``.

        Args:
            workspace: Holds the samples; overwritten.
            y: The labels ``(N,)``.
            scale: The factor of one sample's loss in J.
            grads: Output arrays for each layer's gradients; see ``ParameterLayout.views``.
            want_dx: Whether to compute dJ/dx.

        Returns:
            Loss and number of correct samples as from ``compute_loss``, and dJ/dx ``(H, C, W, N)`` or None.
        """
        output = self.forward_micro_batch(workspace)
        loss, correct, delta = self.compute_loss(output, y, self.training_loss)
        delta = (delta * scale).reshape(output.shape)
        dx = self.row.backward(delta, workspace.caches, grads, self.frozen, self.training_stop, want_delta=want_dx)
        return loss, correct, None if self.frozen else dx

    def micro_batches(self, count: int) -> tuple[slice, ...]:
        """Cut ``count`` samples into as few micro-batches as possible, whose sizes differ by one at most."""
        return micro_batches(count, self.micro_batch_size)

    def forward(self, x: Array) -> Array:
        """Return the network's output in evaluation mode: probabilities if it ends in softmax.

        Args:
            x: Preprocessed images, ``(N, C, H, W)``.

        Returns:
            The outputs ``(N, units)``, or ``(N, K, OH, OW)`` for a network that ends in an image.

        Raises:
            ShapeError: x does not have the network's input shape.
        """
        x, evaluation = checked_images(x, self.in_shape), self.evaluation()
        y = np.empty((len(x), *self.out_shape), self.dtype)
        for part in self.micro_batches(len(x)):
            workspace = self.load_micro_batch(x, part)
            y[part] = to_edge(evaluation.output(workspace), self.layers[-1].out_shape)
        return y

    def loss_and_gradients(self, x: Array, y: Labels) -> tuple[float, dict[str, Array], Array | None]:
        """Return J, dJ/d parameters and dJ/dx of one batch, computed by the code that trains.

        Args:
            x: Preprocessed images, ``(N, C, H, W)``.
            y: Labels, integers ``(N,)``.

        Returns:
            J with the penalties, the gradients named and shaped as in ``parameters()``, and dJ/dx, shaped as x. If the
            first layers are frozen, there are no gradients for them, and dJ/dx is None.

        Raises:
            ShapeError, DataError: x does not have the input shape, or the labels are no classes or too few.
        """
        J, gradient, dx = self.gradient(x, y)
        return J, self.layout.named(gradient, self.layout.trained), dx

    def gradient(self, x: Array, y: Labels) -> tuple[float, Array, Array | None]:
        """Return J, the gradient as one vector (``layout.size``), and dJ/dx; see ``loss_and_gradients``."""
        x, y = checked_images(x, self.in_shape), checked_labels(y, len(x), math.prod(self.out_shape))
        scale = self.objective.scale(len(x))
        J, dx = 0.0, None if self.frozen else np.empty(x.shape, self.dtype)
        total, partial = np.zeros(self.layout.size, self.dtype), np.empty(self.layout.size, self.dtype)
        for part in self.micro_batches(len(x)):
            workspace, grads = self.load_micro_batch(x, part), self.layout.views(partial)
            loss, _, dx_part = self.forward_backward(workspace, y[part], scale, grads, want_dx=True)
            J += loss * scale
            total += partial
            if dx is not None and dx_part is not None:
                dx[part] = to_edge(dx_part, self.layers[0].in_shape)
        W = slice(0, self.layout.W_count)
        self.objective.add_penalty_gradient(self.theta[W], total[W])
        return J + self.objective.penalty(self.theta[W]), total, dx

    def trace(self, x: Array, y: Labels, dtype: DTypeLike | None = None) -> Trace:
        """Return z, a, delta, dW and db of every layer, as the training passes compute them for one batch.

        Args:
            x: Preprocessed images, ``(N, C, H, W)``.
            y: Labels, integers ``(N,)``.
            dtype: The type to compute in, such as ``float64``; by default the network's.

        Returns:
            J and the arrays of each layer in the edge layout, without the penalties on W.

        Raises:
            ShapeError, DataError, UsageError: As for ``loss_and_gradients``; or the first layers are frozen.

        Examples:
            >>> import cnntrain
            >>> network = cnntrain.build(cnntrain.load_config("digits"))
            >>> trace = network.trace(np.ones((2, 1, 8, 8)), np.array([3, 8]), dtype="float64")
            >>> trace[1].kind, trace[1].delta.shape, trace["layers.0.dW"].shape
            ('pool', (2, 8, 4, 4), (8, 1, 3, 3))
        """
        x, y = checked_images(x, self.in_shape), checked_labels(y, len(x), math.prod(self.out_shape))
        return trace(self if dtype is None or np.dtype(dtype) == self.dtype else self.astype(dtype), x, y)

    def astype(self, dtype: DTypeLike) -> "Network":
        """Return a copy of the network that computes in another type."""
        return Network(copy.deepcopy(self.layers), self.objective, dtype, self.micro_batch_size, self.frozen)

    def load_micro_batch(self, x: Array, part: slice) -> MicroBatchWorkspace:
        """Return a workspace that holds a part of ``x`` ``(N, C, H, W)``, outside any epoch."""
        workspace = self.workspace(part.stop - part.start)
        workspace.x[...] = from_edge(x[part])
        workspace.sample_ids.epoch, workspace.sample_ids.samples = 0, np.arange(part.start, part.stop)
        return workspace
