"""The options of each kind of layer, and the layer that they make.

Shapes are ``(C, H, W)`` for an image and ``(features,)`` for a vector, except in ``make``.
"""

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from cnntrain.config.schema.options import AtLeastOne, AtLeastZero, LayerOptions, Share
from cnntrain.errors import ShapeError
from cnntrain.layers.base import Layer
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.layers.conv import Conv
from cnntrain.layers.dropout import Dropout
from cnntrain.layers.fc import Fc
from cnntrain.layers.initializers import InitName, initial_weights, parameter_rng
from cnntrain.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from cnntrain.types import Shape

Small = Annotated[float, Field(ge=1e-12, allow_inf_nan=False)]
"""Added to a variance: large enough to divide by in float32, too."""
ActivationName = Literal["identity", "relu", "leaky_relu", "sigmoid", "tanh", "softplus", "elu"]
APPLIED = "activation function of the output"
DRAWN = "initialization of W; by default he for relu, leaky_relu, elu and softplus, xavier for the others"


def image_shape(in_shape: Shape) -> tuple[int, int, int]:
    """Return ``in_shape`` as (C, H, W).

    Raises:
        ShapeError: It is the shape of a vector.
    """
    if len(in_shape) != 3:
        raise ShapeError(
            f"this layer needs an image, but its input is a vector of {in_shape[0]}: put it before the first fc"
        )
    return in_shape


class ConvOptions(LayerOptions):
    """``conv``: K filters of F x F pixels, applied with stride S to the image padded by P."""

    long_names: ClassVar[dict[str, str]] = {"filters": "K", "kernel": "F", "padding": "P", "stride": "S"}
    is_trained = True
    has_weights = True
    pools_first = True

    K: AtLeastOne = Field(description="number of filters, which are the output channels")
    F: AtLeastOne = Field(description="side of a filter in pixels")
    P: AtLeastZero = Field(0, description="zero padding on each side, in pixels")
    S: AtLeastOne = Field(1, description="stride in pixels")
    activation: ActivationName = Field("identity", description=APPLIED)
    init: InitName | None = Field(None, description=DRAWN)

    @property
    def sigma(self) -> str:
        return self.activation

    @property
    def total_stride(self) -> int:
        return self.S

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
    """``pool``: maximum or mean of each k x k region, or of the whole image; S defaults to k."""

    long_names: ClassVar[dict[str, str]] = {"size": "k", "padding": "P", "stride": "S"}

    k: AtLeastOne | Literal["all"] = Field(description="side of a region in pixels; all for the whole image")
    P: AtLeastZero = Field(
        0, description="padding on each side, in pixels: max ignores it, and for average it is zeros; at most k // 2"
    )
    S: AtLeastOne | None = Field(None, description="stride in pixels; k by default")
    type: Literal["max", "average"] = Field(description="max or average pooling")

    @property
    def stride(self) -> int:
        """S, or k where S is not given; 1 where there is only one region."""
        return 1 if self.k == "all" else self.k if self.S is None else self.S

    @property
    def total_stride(self) -> int:
        return self.stride

    def region(self, H: int, W: int) -> tuple[int, int]:
        """Rows and columns of a region of an H x W image."""
        return (H, W) if self.k == "all" else (self.k, self.k)

    @property
    def is_max_pool(self) -> bool:
        return self.type == "max"

    def output_shape(self, in_shape: Shape) -> Shape:
        """Return (C, (H + 2P - k) // S + 1, (W + 2P - k) // S + 1)."""
        C, H, W = image_shape(in_shape)
        (rows, columns), P, S = self.region(H, W), self.P, self.stride
        if rows > H + 2 * P or columns > W + 2 * P:
            padded = f" padded by P = {P}, which is {H + 2 * P} x {W + 2 * P}" if P else ""
            raise ShapeError(
                f"k = {self.k} does not fit an image of {H} x {W}{padded}: k up to {min(H, W) + 2 * P} would"
            )
        return C, (H + 2 * P - rows) // S + 1, (W + 2 * P - columns) // S + 1

    def make(self, index: int, in_shape: Shape, seed: int, before: LayerOptions | None = None) -> Layer[Any]:
        H, _, W = in_shape
        region = self.region(H, W)
        if self.type == "average" and region == (H, W) and not self.P:
            return GlobalAveragePool(index, in_shape)
        return (MaxPool if self.type == "max" else AveragePool)(index, in_shape, region, self.stride, self.P)


class FcOptions(LayerOptions):
    """``fc``: each unit is connected to the whole input; units of the last layer default to the number of classes."""

    is_trained = True
    has_weights = True

    units: AtLeastOne | None = Field(
        None, description="number of outputs; optional in the last layer, where it defaults to the number of classes"
    )
    activation: ActivationName | Literal["softmax"] = Field(
        "identity", description=f"{APPLIED}; softmax in the last layer only"
    )
    init: InitName | None = Field(None, description=DRAWN)

    @property
    def sigma(self) -> str:
        return self.activation

    @property
    def needs_classes(self) -> bool:
        return self.units is None

    def with_classes(self, classes: int | None) -> Self:
        return self if self.units else self.model_copy(update={"units": classes})

    def output_shape(self, in_shape: Shape) -> Shape:
        """Return (units,)."""
        if self.units is None:
            raise ShapeError("units is missing and the number of classes is unknown")
        return (self.units,)

    def parameter_count(self, in_shape: Shape) -> int:
        return math.prod(in_shape) * (self.units or 0)

    def make(self, index: int, in_shape: Shape, seed: int, before: LayerOptions | None = None) -> Fc:
        if self.units is None:
            raise TypeError("units must be settled before the layer is made")
        shape = (self.units, math.prod(in_shape))
        return Fc(index, in_shape, initial_weights(self.init, self.activation, shape, parameter_rng(seed, index)))


class BatchNormOptions(LayerOptions):
    """``batch_norm``: mean 0 and standard deviation 1 per channel or unit, then scale gamma, bias b and activation."""

    long_names: ClassVar[dict[str, str]] = {"epsilon": "eps"}
    is_trained = True
    pools_first = True
    drops_bias = True

    activation: ActivationName = Field("identity", description=APPLIED)
    eps: Small = Field(1e-5, description="added to the variance to avoid division by 0")
    momentum: Share = Field(0.9, description="share of the running averages that is kept in each step")

    @property
    def sigma(self) -> str:
        return self.activation

    def parameter_count(self, in_shape: Shape) -> int:
        return 3 * in_shape[0]

    def make(self, index: int, in_shape: Shape, seed: int, before: LayerOptions | None = None) -> BatchNorm:
        # The output of a conv or fc without activation is not read again; that of an activation is.
        overwrites = before is not None and before.is_linear
        return BatchNorm(index, in_shape, self.eps, self.momentum, overwrites)


class DropoutOptions(LayerOptions):
    """``dropout``: in training, each value is set to 0 with probability ``rate``."""

    rate: Share = Field(0.5, description="probability that a value is set to 0")

    def make(self, index: int, in_shape: Shape, seed: int, before: LayerOptions | None = None) -> Dropout:
        return Dropout(index, in_shape, self.rate, seed)
