"""The layers: one family a file."""

from cnntrain.layers.options import (
    OPTIONS,
    ActivationName,
    BatchNormOptions,
    ConvOptions,
    DropoutOptions,
    FcOptions,
    InitName,
    Options,
    PoolOptions,
    output_shape,
)

__all__ = [
    "OPTIONS",
    "ActivationName",
    "BatchNormOptions",
    "ConvOptions",
    "DropoutOptions",
    "FcOptions",
    "InitName",
    "Options",
    "PoolOptions",
    "output_shape",
]
