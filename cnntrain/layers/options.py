"""What the entries of ``network.layers`` may say, and the shapes that follow from it.

Shapes are those of the edges: ``(C, H, W)`` of an image, ``(features,)`` of a vector.
"""

import math
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from cnntrain.errors import ShapeError
from cnntrain.types import Shape

AtLeastOne = Annotated[int, Field(ge=1)]
AtLeastZero = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Small = Annotated[float, Field(ge=1e-12, allow_inf_nan=False)]
"""Added to a variance: enough to divide by in float32, too."""
ActivationName = Literal["identity", "relu", "leaky_relu", "sigmoid", "tanh", "softplus", "elu"]
InitName = Literal["he", "xavier", "normal", "uniform"]
APPLIED = "applied to each value that comes out"
DRAWN = "how W is drawn; by default he for relu, leaky_relu, elu and softplus, xavier for the others"


class Options(BaseModel):
    """The entry of one layer; unknown keys and loose types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    long_names: ClassVar[dict[str, str]] = {}
    """Names that mean the same as one of ours, such as ``filters`` for ``K``."""


class ConvOptions(Options):
    """``conv``: K filters of F x F pixels, slid with stride S over the image padded by P."""

    long_names = {"filters": "K", "kernel": "F", "padding": "P", "stride": "S"}

    K: AtLeastOne = Field(description="number of filters, and so of channels that come out")
    F: AtLeastOne = Field(description="side of a filter, in pixels")
    P: AtLeastZero = Field(0, description="rows and columns of zeros put around the image")
    S: AtLeastOne = Field(1, description="pixels from one position of a filter to the next")
    activation: ActivationName = Field("identity", description=APPLIED)
    init: InitName | None = Field(None, description=DRAWN)


class PoolOptions(Options):
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


class FcOptions(Options):
    """``fc``: every unit sees the whole input; the last layer's units default to the number of classes."""

    units: AtLeastOne | None = Field(
        None, description="number of values that come out; only the last layer can leave it to the data's classes"
    )
    activation: ActivationName | Literal["softmax"] = Field(
        "identity", description=f"{APPLIED}; softmax for the last layer alone"
    )
    init: InitName | None = Field(None, description=DRAWN)


class BatchNormOptions(Options):
    """``batch_norm``: mean 0 and deviation 1 for every channel or unit, then a scale gamma, a bias b, an activation."""

    long_names = {"epsilon": "eps"}

    activation: ActivationName = Field("identity", description=APPLIED)
    eps: Small = Field(1e-5, description="added to the variance, so that nothing is divided by 0")
    momentum: Share = Field(0.9, description="share of the running averages that stays in a step")


class DropoutOptions(Options):
    """``dropout``: in training each value is left out with probability ``rate``."""

    rate: Share = Field(0.5, description="probability with which a value is left out")


OPTIONS: dict[str, type[Options]] = {
    "conv": ConvOptions,
    "pool": PoolOptions,
    "fc": FcOptions,
    "batch_norm": BatchNormOptions,
    "dropout": DropoutOptions,
}


def output_shape(options: Options, in_shape: Shape) -> Shape:
    """Shape that a layer makes of ``in_shape``: (H + 2P - F) // S + 1 rows for conv, (H - k) // S + 1 for pool.

    It stays as it is for batch_norm and dropout.

    Args:
        options: The layer's entry; an ``fc`` must have its units.
        in_shape: ``(C, H, W)``, or ``(features,)`` after an fc layer.

    Raises:
        ShapeError: The region is larger than the image, or an image is wanted and a vector comes.
    """
    if isinstance(options, FcOptions):
        if options.units is None:
            raise ShapeError("units is missing, and the number of classes is not known")
        return (options.units,)
    if isinstance(options, (BatchNormOptions, DropoutOptions)):
        return in_shape
    if len(in_shape) != 3:
        raise ShapeError(
            f"an image is needed here, but what comes is a vector of {in_shape[0]}: put it before the first fc"
        )
    C, H, W = in_shape
    if isinstance(options, ConvOptions):
        F, P, S = options.F, options.P, options.S
        if min(H, W) + 2 * P < F:
            raise ShapeError(
                f"F = {F} does not fit an image of {H} x {W} padded by P = {P}, which is {H + 2 * P} x {W + 2 * P}: "
                f"F up to {min(H, W) + 2 * P} would, or P = {math.ceil((F - min(H, W)) / 2)}"
            )
        return options.K, (H + 2 * P - F) // S + 1, (W + 2 * P - F) // S + 1
    if isinstance(options, PoolOptions):
        (rows, columns), S = options.region(H, W), options.stride
        if rows > H or columns > W:
            raise ShapeError(f"k = {options.k} does not fit an image of {H} x {W}: k up to {min(H, W)} would")
        return C, (H - rows) // S + 1, (W - columns) // S + 1
    raise TypeError(f"no shape rule for {type(options).__name__}")
