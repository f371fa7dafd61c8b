"""Base classes of all options, and the types of numbers that keys take."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from cnntrain.layers.base import Layer
from cnntrain.types import Shape

AtLeastOne = Annotated[int, Field(ge=1)]
AtLeastZero = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
NonNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, lt=1)]
"""From 0 to nearly 1."""
Factor = Annotated[Number, Field(gt=0, lt=1)]
"""Strictly between 0 and 1."""
Batches = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,9} batch(es)?$", examples=["100 batches"])]
"""A number of batches."""


class Options(BaseModel):
    """A mapping in a config; unknown keys and loose types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    long_names: ClassVar[dict[str, str]] = {}
    """Long names of keys, such as ``filters`` for ``K``."""

    def __dir__(self) -> list[str]:
        return sorted(type(self).model_fields)


class LayerOptions(Options):
    """The options of a layer, and what follows from them alone."""

    is_trained: ClassVar[bool] = False
    """Whether the layer has parameters."""
    has_weights: ClassVar[bool] = False
    """Whether the layer multiplies its input by a matrix or by filters W."""
    pools_first: ClassVar[bool] = False
    """Whether a following max pooling may come before the bias and activation without changing the result."""
    drops_bias: ClassVar[bool] = False
    """Whether a bias right before this layer would have no effect."""

    @property
    def sigma(self) -> str | None:
        """The activation after the layer and its bias; None for a layer without."""
        return None

    @property
    def is_linear(self) -> bool:
        """Whether the layer only applies W, without an activation."""
        return self.has_weights and self.sigma == "identity"

    @property
    def is_max_pool(self) -> bool:
        """Whether it is max pooling, which commutes with every monotonic activation."""
        return False

    @property
    def total_stride(self) -> int:
        """How many pixels of the input, along a side, one pixel of the output moves."""
        return 1

    @property
    def needs_classes(self) -> bool:
        """Whether the number of classes must be known first."""
        return False

    def with_classes(self, classes: int | None) -> Self:
        """Return the options with the number of classes filled in where the data decide it."""
        return self

    def output_shape(self, in_shape: Shape) -> Shape:
        """Return the shape of the output, by default that of the input.

        Raises:
            ShapeError: The layer does not fit the input.
        """
        return in_shape

    def parameter_count(self, in_shape: Shape) -> int:
        """Return the number of parameters and running averages, without b."""
        return 0

    def make(self, index: int, in_shape: Shape, seed: int, before: "LayerOptions | None" = None) -> Layer[Any]:
        """Return the layer, without the bias and activation after it.

        Args:
            index: Index of the entry in ``network.layers``.
            in_shape: ``(H, C, W)`` or ``(features,)``.
            seed: The seed of the run, for initial parameters.
            before: The options of the layer before it, None for the first.
        """
        raise NotImplementedError
