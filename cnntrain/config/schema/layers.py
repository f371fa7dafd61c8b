"""The options of each kind of layer: what an entry of ``network.layers`` may hold, and the layer that it makes.

Shapes are those of the edges, ``(C, H, W)`` of an image and ``(features,)`` of a vector, but for ``make``.
"""

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from cnntrain.errors import ShapeError
from cnntrain.layers.base import Layer
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.layers.conv import Conv
from cnntrain.layers.dropout import Dropout
from cnntrain.layers.fc import Fc
from cnntrain.layers.initializers import InitName, initial_weights, parameter_rng
from cnntrain.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from cnntrain.types import Shape

AtLeastOne = Annotated[int, Field(ge=1)]
AtLeastZero = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Small = Annotated[float, Field(ge=1e-12, allow_inf_nan=False)]
"""Added to a variance: enough to divide by in float32, too."""
ActivationName = Literal["identity", "relu", "leaky_relu", "sigmoid", "tanh", "softplus", "elu"]
APPLIED = "applied to each value that comes out"
DRAWN = "how W is drawn; by default he for relu, leaky_relu, elu and softplus, xavier for the others"


class Options(BaseModel):
    """The entry of one layer; unknown keys and loose types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    long_names: ClassVar[dict[str, str]] = {}
    """Names that mean the same as one of ours, such as ``filters`` for ``K``."""


class LayerOptions(Options):
    """The entry of one layer of the network, and the facts about it that follow from its keys alone."""

    pools_first: ClassVar[bool] = False
    """Whether max pooling that follows may come before its bias and activation: the result is the same."""
    drops_bias: ClassVar[bool] = False
    """Whether a bias right before this layer would have no effect."""

    @property
    def sigma(self) -> str | None:
        """The activation, with its bias, that ends the entry; None for an entry without."""
        return None

    @property
    def is_linear(self) -> bool:
        """Whether W is all that the entry applies: no activation."""
        return False

    @property
    def is_max_pool(self) -> bool:
        """Whether it takes maxima, and so commutes with every monotone activation."""
        return False

    @property
    def needs_classes(self) -> bool:
        """Whether the number of classes has to be known first."""
        return False

    def with_classes(self, classes: int | None) -> Self:
        """Return the entry with the number of classes filled in where it leaves that to the data."""
        return self

    def output_shape(self, in_shape: Shape) -> Shape:
        """Return the shape of the output, by default that of the input.

        Raises:
            ShapeError: The layer does not fit the input.
        """
        return in_shape

    def parameter_count(self, in_shape: Shape) -> int:
        """Return how many parameters and running averages the layer has, b left out."""
        return 0

    def make(self, index: int, in_shape: Shape, seed: int, before: "LayerOptions | None" = None) -> Layer[Any]:
        """Return the layer, without the bias and activation that follow.

        Args:
            index: Index of the entry in ``network.layers``.
            in_shape: ``(H, C, W)`` or ``(features,)``.
            seed: The seed of the run, from which parameters are drawn.
            before: The entry before it, None for the first.
        """
        raise NotImplementedError


def image_shape(in_shape: Shape) -> tuple[int, int, int]:
    """Return ``in_shape`` as (C, H, W).

    Raises:
        ShapeError: It is that of a vector.
    """
    if len(in_shape) != 3:
        raise ShapeError(
            f"an image is needed here, but what comes is a vector of {in_shape[0]}: put it before the first fc"
        )
    return in_shape


class ConvOptions(LayerOptions):
    """``conv``: K filters of F x F pixels, slid with stride S over the image padded by P."""

    long_names = {"filters": "K", "kernel": "F", "padding": "P", "stride": "S"}
    pools_first = True

    K: AtLeastOne = Field(description="number of filters, and so of channels that come out")
    F: AtLeastOne = Field(description="side of a filter, in pixels")
    P: AtLeastZero = Field(0, description="rows and columns of zeros put around the image")
    S: AtLeastOne = Field(1, description="pixels from one position of a filter to the next")
    activation: ActivationName = Field("identity", description=APPLIED)
    init: InitName | None = Field(None, description=DRAWN)

    @property
    def sigma(self) -> str:
        return self.activation

    @property
    def is_linear(self) -> bool:
        return self.activation == "identity"

    def output_shape(self, in_shape: Shape) -> Shape:
        """Return (K, (H + 2P - F) // S + 1, (W + 2P - F) // S + 1)."""
        _, H, W = image_shape(in_shape)
        F, P, S = self.F, self.P, self.S
        if min(H, W) + 2 * P < F:
            raise ShapeError(
                f"F = {F} does not fit an image of {H} x {W} padded by P = {P}, which is {H + 2 * P} x {W + 2 * P}: "
                f"F up to {min(H, W) + 2 * P} would, or P = {math.ceil((F - min(H, W)) / 2)}"
            )
        return self.K, (H + 2 * P - F) // S + 1, (W + 2 * P - F) // S + 1

    def parameter_count(self, in_shape: Shape) -> int:
        return in_shape[0] * self.F**2 * self.K

    def make(self, index: int, in_shape: Shape, seed: int, before: LayerOptions | None = None) -> Conv:
        shape = (self.K, in_shape[1], self.F, self.F)
        W = initial_weights(self.init, self.activation, shape, parameter_rng(seed, index))
        return Conv(index, in_shape, W, self.P, self.S)


class PoolOptions(LayerOptions):
    """``pool``: the greatest value or the mean of each k x k region, or of the whole image; S defaults to k."""

    long_names = {"size": "k", "stride": "S"}

    k: AtLeastOne | Literal["all"] = Field(description="side of a region, in pixels; all for the whole image")
    S: AtLeastOne | None = Field(None, description="pixels from one region to the next; as k if not given")
    type: Literal["max", "average"] = Field(description="which value a region becomes")

    @property
    def stride(self) -> int:
        """S, or k where S is not given; 1 where there is only one region."""
        return 1 if self.k == "all" else self.k if self.S is None else self.S

    def region(self, H: int, W: int) -> tuple[int, int]:
        """Rows and columns of a region of an H x W image."""
        return (H, W) if self.k == "all" else (self.k, self.k)

    @property
    def is_max_pool(self) -> bool:
        return self.type == "max"

    def output_shape(self, in_shape: Shape) -> Shape:
        """Return (C, (H - k) // S + 1, (W - k) // S + 1)."""
        C, H, W = image_shape(in_shape)
        (rows, columns), S = self.region(H, W), self.stride
        if rows > H or columns > W:
            raise ShapeError(f"k = {self.k} does not fit an image of {H} x {W}: k up to {min(H, W)} would")
        return C, (H - rows) // S + 1, (W - columns) // S + 1

    def make(self, index: int, in_shape: Shape, seed: int, before: LayerOptions | None = None) -> Layer[Any]:
        H, _, W = in_shape
        region = self.region(H, W)
        if self.type == "average" and region == (H, W):
            return GlobalAveragePool(index, in_shape)
        return (MaxPool if self.type == "max" else AveragePool)(index, in_shape, region, self.stride)


class FcOptions(LayerOptions):
    """``fc``: every unit sees the whole input; the last layer's units default to the number of classes."""

    units: AtLeastOne | None = Field(
        None, description="number of values that come out; only the last layer can leave it to the data's classes"
    )
    activation: ActivationName | Literal["softmax"] = Field(
        "identity", description=f"{APPLIED}; softmax for the last layer alone"
    )
    init: InitName | None = Field(None, description=DRAWN)

    @property
    def sigma(self) -> str:
        return self.activation

    @property
    def is_linear(self) -> bool:
        return self.activation == "identity"

    @property
    def needs_classes(self) -> bool:
        return self.units is None

    def with_classes(self, classes: int | None) -> Self:
        return self if self.units else self.model_copy(update={"units": classes})

    def output_shape(self, in_shape: Shape) -> Shape:
        """Return (units,)."""
        if self.units is None:
            raise ShapeError("units is missing, and the number of classes is not known")
        return (self.units,)

    def parameter_count(self, in_shape: Shape) -> int:
        return math.prod(in_shape) * (self.units or 0)

    def make(self, index: int, in_shape: Shape, seed: int, before: LayerOptions | None = None) -> Fc:
        if self.units is None:
            raise TypeError("units must be settled before the layer is made")
        shape = (self.units, math.prod(in_shape))
        return Fc(index, in_shape, initial_weights(self.init, self.activation, shape, parameter_rng(seed, index)))


class BatchNormOptions(LayerOptions):
    """``batch_norm``: mean 0 and deviation 1 for every channel or unit, then a scale gamma, a bias b, an activation."""

    long_names = {"epsilon": "eps"}
    pools_first = True
    drops_bias = True

    activation: ActivationName = Field("identity", description=APPLIED)
    eps: Small = Field(1e-5, description="added to the variance, so that nothing is divided by 0")
    momentum: Share = Field(0.9, description="share of the running averages that stays in a step")

    @property
    def sigma(self) -> str:
        return self.activation

    def parameter_count(self, in_shape: Shape) -> int:
        return 3 * in_shape[0]

    def make(self, index: int, in_shape: Shape, seed: int, before: LayerOptions | None = None) -> BatchNorm:
        # What a convolution or fc without activation hands on is not read again, an activation's a is.
        overwrites = before is not None and before.is_linear
        return BatchNorm(index, in_shape, self.eps, self.momentum, overwrites)


class DropoutOptions(LayerOptions):
    """``dropout``: in training each value is left out with probability ``rate``."""

    rate: Share = Field(0.5, description="probability with which a value is left out")

    def make(self, index: int, in_shape: Shape, seed: int, before: LayerOptions | None = None) -> Dropout:
        return Dropout(index, in_shape, self.rate, seed)


OPTIONS: dict[str, type[LayerOptions]] = {
    "conv": ConvOptions,
    "pool": PoolOptions,
    "fc": FcOptions,
    "batch_norm": BatchNormOptions,
    "dropout": DropoutOptions,
}
