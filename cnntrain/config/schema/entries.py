"""An entry of ``network.layers``, and the residual block, which holds such entries itself.

Shapes are ``(C, H, W)`` for an image and ``(features,)`` for a vector, except in ``make``.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_serializer, model_validator

from cnntrain.config.schema.layers import (
    APPLIED,
    ActivationName,
    BatchNormOptions,
    ConvOptions,
    DropoutOptions,
    FcOptions,
    PoolOptions,
)
from cnntrain.config.schema.options import LayerOptions
from cnntrain.config.schema.rows import make_layers
from cnntrain.config.yaml.wording import either
from cnntrain.errors import ShapeError
from cnntrain.layers.initializers import SHORTCUT, seed_inside
from cnntrain.layers.residual import Residual
from cnntrain.types import Shape


class ResidualOptions(LayerOptions):
    """``residual``: the output of some layers, F(x), plus their input x."""

    layers: Annotated[tuple["LayerEntry", ...], Field(min_length=1, strict=False)] = Field(
        description="the layers of F, from input to output"
    )
    shortcut: Literal["auto", "identity", "conv"] = Field(
        "auto",
        description="what is added to F(x): identity adds x, conv a convolution of x with 1 x 1 kernels; auto is conv "
        "where the shapes of x and F(x) differ, else identity",
    )
    activation: ActivationName = Field("identity", description=f"{APPLIED}, the sum")

    @property
    def is_trained(self) -> bool:  # type: ignore[override]
        """Whether a layer inside has parameters."""
        return any(entry.options.is_trained for entry in self.layers)

    @property
    def total_stride(self) -> int:
        return int(math.prod(entry.options.total_stride for entry in self.layers))

    def output_shape(self, in_shape: Shape) -> Shape:
        """Return the shape of F(x)."""
        shape = in_shape
        for entry in self.layers:
            shape = entry.options.output_shape(shape)
        self.shortcut_layers(in_shape, shape)
        return shape

    def shortcut_layers(self, in_shape: Shape, out_shape: Shape) -> list[LayerOptions]:
        """Return the options of the layers of the shortcut, none for the identity.

        Raises:
            ShapeError: There is no shortcut of this kind between the shapes.
        """
        if self.shortcut == "identity" or (self.shortcut == "auto" and in_shape == out_shape):
            if in_shape != out_shape:
                raise ShapeError(
                    f"the identity cannot be added: the input is {shown(in_shape)}, the output of layers "
                    f"{shown(out_shape)}; a conv with P = F // 2 and S = 1 keeps rows and columns, and shortcut: conv "
                    "changes the number of channels"
                )
            return []
        if len(in_shape) < 3 or len(out_shape) < 3:
            raise ShapeError(
                f"the input is {shown(in_shape)}, the output of layers {shown(out_shape)}: a shortcut between vectors "
                "can only be the identity, so both need the same size"
            )
        conv = ConvOptions(K=out_shape[0], F=1, S=self.shortcut_stride(in_shape, out_shape))
        norms = [entry.batch_norm for entry in all_entries(self.layers) if entry.batch_norm]
        if not norms:
            return [conv]
        return [conv, BatchNormOptions(eps=norms[-1].eps, momentum=norms[-1].momentum)]

    def shortcut_stride(self, in_shape: Shape, out_shape: Shape) -> int:
        """Return the stride with which 1 x 1 kernels bring an image to the size of F(x): if it fits, that of F."""
        (_, *sides), (_, *wanted) = in_shape, out_shape
        strides: list[int] = [self.total_stride, *range(1, max(sides) + 1)]
        for S in strides:
            if [(side - 1) // S + 1 for side in sides] == wanted:
                return S
        raise ShapeError(
            f"no stride brings the input, {shown(in_shape)}, to the size of the output of layers, {shown(out_shape)}; "
            "a conv with P = F // 2 and the same S does"
        )

    def parameter_count(self, in_shape: Shape) -> int:
        count, shape = 0, in_shape
        for entry in self.layers:
            count, shape = count + entry.options.parameter_count(shape), entry.options.output_shape(shape)
        for options in self.shortcut_layers(in_shape, shape):
            count, in_shape = count + options.parameter_count(in_shape), options.output_shape(in_shape)
        return count

    def make(self, index: int, in_shape: Shape, seed: int, before: LayerOptions | None = None) -> Residual:
        layers = list(make_layers([entry.options for entry in self.layers], in_shape, seed_inside(seed, index)))
        options = self.shortcut_layers(swapped(in_shape), swapped(layers[-1].out_shape))
        of_shortcut = seed_inside(seed, index, SHORTCUT)
        if len(options) == 1:  # alone, the convolution would get a bias; the sum needs none
            shortcut = [options[0].make(0, in_shape, of_shortcut)]
        else:
            shortcut = list(make_layers(options, in_shape, of_shortcut))
        return Residual(index, in_shape, layers, shortcut, self.activation)


class LayerEntry(BaseModel):
    """One entry of ``network.layers``: a mapping with one key, the kind of the layer, and its options."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, json_schema_extra={"minProperties": 1, "maxProperties": 1}
    )

    conv: ConvOptions | None = Field(None, description="convolution")
    pool: PoolOptions | None = Field(None, description="pooling")
    fc: FcOptions | None = Field(None, description="fully connected")
    batch_norm: BatchNormOptions | None = Field(None, description="batch normalization")
    dropout: DropoutOptions | None = Field(None, description="dropout")
    residual: ResidualOptions | None = Field(None, description="residual block")
    _kind: str = PrivateAttr()

    @model_validator(mode="after")
    def _has_one_kind(self) -> "LayerEntry":
        given = [kind for kind, options in self if options is not None]
        if len(given) != 1:
            raise ValueError(
                f"expected one of {either(LayerEntry.model_fields)} in each entry, got {' and '.join(given) or 'none'}"
            )
        self._kind = given[0]
        return self

    @property
    def kind(self) -> str:
        """The kind of the layer: ``conv``, ``pool`` and so on."""
        return self._kind

    @property
    def options(self) -> LayerOptions:
        """The options of the layer."""
        options: LayerOptions = getattr(self, self._kind)
        return options

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        return {self.kind: self.options.model_dump(mode="json", exclude_none=True)}


OPTIONS: dict[str, type[LayerOptions]] = {
    kind: get_args(field.annotation)[0] for kind, field in LayerEntry.model_fields.items()
}
"""The options class of each kind of layer."""


def all_entries(entries: Sequence[LayerEntry]) -> Iterator[LayerEntry]:
    """Yield every entry, and those inside residual blocks."""
    for entry in entries:
        yield entry
        if entry.residual:
            yield from all_entries(entry.residual.layers)


def swapped(shape: Shape) -> Shape:
    """Return ``(H, C, W)`` as ``(C, H, W)``, and a vector as it is."""
    return (shape[1], shape[0], shape[2]) if len(shape) == 3 else shape


def shown(shape: Shape) -> str:
    """Return a shape as ``16 x 32 x 32``, or ``a vector of 10``."""
    return " x ".join(map(str, shape)) if len(shape) == 3 else f"a vector of {shape[0]}"


ResidualOptions.model_rebuild()
