"""From a config to a network: shapes are threaded through the layers, and parameters drawn from the seed."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.config import Config, check_augmentation, check_shapes
from cnntrain.config.schema import ImagesOptions
from cnntrain.data import Data, Watch, load_data
from cnntrain.data.pictures import split_file
from cnntrain.data.watching import SILENT
from cnntrain.errors import ConfigError, ShapeError
from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.layers.conv import Conv
from cnntrain.layers.dropout import Dropout
from cnntrain.layers.fc import Fc
from cnntrain.layers.options import (
    BatchNormOptions,
    ConvOptions,
    DropoutOptions,
    FcOptions,
    Options,
    PoolOptions,
    output_shape,
)
from cnntrain.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from cnntrain.layers.softmax import Softmax
from cnntrain.network import Network
from cnntrain.objective import balanced, objective_of
from cnntrain.types import Shape

LARGEST_SLICE = 32
SMALLEST_SLICE = 8
SMALL_LAYER = 1024
"""Values of one sample in a layer that is small."""
NORMALISED = 32
"""Values of a channel in a slice, at least, where a batch is normalised: of a unit, that many samples."""
CACHED = 2**20
"""Values of a slice in its largest layer, at most: 4 MB in float32."""
MOST_PARAMETERS = 500_000_000
"""Parameters of a network, at most: 2 GB in float32, and four times that in training."""
MOST_VALUES = 50_000_000
"""Values of one sample in a layer, at most: a slice of 8 samples then takes 1.6 GB in float32."""
PARAMETERS = 0
"""The consumer of the seed that this is; 1 draws the validation split and 2 the order of the samples."""


def build(config: Config, dtype: DTypeLike | None = None) -> Network:
    """Build the network that ``config`` describes, its parameters drawn from the seed.

    Args:
        config: Its data are loaded only if the network needs them for its input shape or its number of classes.
        dtype: Instead of ``training.dtype``.

    Raises:
        ConfigError: A layer does not fit, or the network does not fit the data.
        DataError: The data are needed, and are missing or malformed.
    """
    last = config.network.layers[-1].options
    if config.network.input is not None and not (isinstance(last, FcOptions) and last.units is None):
        return build_shaped(config, config.network.input, None, dtype)
    return build_for(config, data_of(config), dtype)


def data_of(config: Config, run: Path | None = None, watch: Watch = SILENT) -> Data:
    """Load the data that ``config`` names.

    Args:
        config: With data.
        run: The folder of a run; if it holds a split file, the samples are split as they were in that run, unless the
            config names another, or the pictures are others altogether.
        watch: Who is told how far it is, and what the user should know.

    Raises:
        ConfigError: It names none.
        DataError: They are missing or malformed.
    """
    if config.data is None:
        raise ConfigError(f"{config.where(())}: there is no data section, and it is needed here")
    options = config.data.model_dump()
    if run is not None and isinstance(config.data, ImagesOptions):
        options["split"] = split_file.chosen(config.data.split, run / split_file.NAME, config.data.path, watch)
    return load_data(**options, seed=config.training.seed, watch=watch)


def with_size_of(config: Config, data: Data) -> Config:
    """The config with the size that its pictures were brought to, where it left that to the data.

    So pictures that come later do not change the size that the network is made for.
    """
    if not isinstance(config.data, ImagesOptions) or config.data.size is not None:
        return config
    return config.model_copy(update={"data": config.data.model_copy(update={"size": data.input_shape[1:]})})


def build_for(config: Config, data: Data, dtype: DTypeLike | None = None) -> Network:
    """Build the network for images and classes of ``data``, whose training samples also say what ``balanced`` means.

    Raises:
        ConfigError: A layer does not fit, or the network does not fit the data.
    """
    given = config.network.input
    if given is not None and given != data.input_shape:
        raise ConfigError(
            f"{config.where(('network', 'input'))}: expected the shape of the data's images, "
            f"{list(data.input_shape)}, got {list(given)}"
        )
    network = build_shaped(config, data.input_shape, len(data.classes), dtype)
    outputs = int(np.prod(network.out_shape))
    if outputs != len(data.classes):
        last = ("network", "layers", len(config.network.layers) - 1)
        raise ConfigError(
            f"{config.where(last)}: the network ends in {outputs} values, but the data have {len(data.classes)} classes"
        )
    if config.training.class_weights == "balanced":
        weights = balanced(data.train.labels, outputs)
        network.set_objective(replace(network.objective, class_weights=weights))
    return network


def build_shaped(config: Config, input_shape: Shape, classes: int | None, dtype: DTypeLike | None = None) -> Network:
    """Build the network for a known input shape; ``classes`` are the last layer's units where it names none."""
    misfits = check_shapes(config.network, input_shape, classes)
    misfits += check_augmentation(config.training.augmentation, input_shape)
    if misfits:
        raise ShapeError("\n".join(f"{config.where(misfit.path)}: {misfit.sentence}" for misfit in misfits))
    count_parameters(config, input_shape, classes)
    options = config.training
    C, H, W = input_shape
    entries = [entry.options for entry in config.network.layers]
    layers = list(make_layers(entries, (H, C, W), classes, options.seed))
    objective = objective_of(config, math.prod(layers[-1].out_shape))
    return Network(layers, objective, dtype or options.dtype, slice_size(layers, options.batch_size))


def count_parameters(config: Config, shape: Shape, classes: int | None) -> int:
    """Return how many parameters and running averages there are, but for every b, without making them.

    Raises:
        ConfigError: The network is so large that no computer could hold it.
    """
    parameters = 0
    for index, entry in enumerate(config.network.layers):
        options, inputs = entry.options, math.prod(shape)
        if isinstance(options, FcOptions):
            options = options.model_copy(update={"units": options.units or classes})
            parameters += inputs * (options.units or 0)
        elif isinstance(options, (ConvOptions, BatchNormOptions)):
            parameters += shape[0] * (options.F**2 * options.K if isinstance(options, ConvOptions) else 3)
        shape = output_shape(options, shape)
        if parameters > MOST_PARAMETERS or max(inputs, math.prod(shape)) > MOST_VALUES:
            raise ConfigError(
                f"{config.where(('network', 'layers', index, entry.kind))}: the network is too large: up to this layer "
                f"it has {parameters:,} parameters, of {MOST_PARAMETERS:,} at most, and a sample here has "
                f"{max(inputs, math.prod(shape)):,} values, of {MOST_VALUES:,} at most"
            )
    return parameters


def slice_size(layers: Sequence[Layer[Any]], batch_size: int | Literal["all"]) -> int:
    """Return the samples of a slice: few enough for the cache and to share a batch, enough for long products.

    Small layers cost more to call than to compute, so that a small network takes its batch whole. Batch normalisation
    needs ``NORMALISED`` values of a channel, if the batch has as many, and half a batch must do for a shared one.
    """
    largest = max(math.prod(layer.out_shape) for layer in layers)
    if batch_size == "all":
        batch_size = 2 * LARGEST_SLICE
    if largest <= SMALL_LAYER:
        return min(batch_size, 2 * LARGEST_SLICE)
    pixels = [layer.pixels for layer in layers if isinstance(layer, BatchNorm)]
    least = SMALLEST_SLICE
    if pixels:
        least = max(least, min(-(-NORMALISED // min(pixels)), batch_size // 2))
    return min(LARGEST_SLICE, max(least, min(batch_size // 2, CACHED // largest)))


def make_layers(entries: Sequence[Options], shape: Shape, classes: int | None, seed: int) -> Iterator[Layer[Any]]:
    """Yield the steps for the entries of ``network.layers``."""
    for index in range(len(entries)):
        for layer in make_steps(entries, index, shape, classes, seed):
            yield layer
            shape = layer.out_shape


def make_pool(index: int, options: PoolOptions, shape: Shape) -> Layer[Any]:
    """Return the pool that an entry describes."""
    if options.type == "max":
        return MaxPool(index, options, shape)
    H, _, W = shape
    is_whole = options.region(H, W) == (H, W)
    return GlobalAveragePool(index, shape) if is_whole else AveragePool(index, options, shape)


def is_linear(options: Options | None) -> bool:
    """Return whether an entry is a conv or fc without an activation."""
    return isinstance(options, (ConvOptions, FcOptions)) and options.activation == "identity"


def make_steps(
    entries: Sequence[Options], index: int, shape: Shape, classes: int | None, seed: int
) -> Iterator[Layer[Any]]:
    """Yield the steps for one entry.

    Between a convolution or batch normalisation and its bias and activation comes the max pooling of the next entry,
    if there is one: the result is the same and only the winners are worked on. In front of batch normalisation there
    is no bias: it would be subtracted again with the mean.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(PARAMETERS, index)))
    options = entries[index]
    before = entries[index - 1] if index else None
    following = entries[index + 1] if index + 1 < len(entries) else None
    first: Layer[Any]
    activation: str
    match options:
        case PoolOptions():
            if not (options.type == "max" and isinstance(before, (ConvOptions, BatchNormOptions))):
                yield make_pool(index, options, shape)
            return
        case DropoutOptions():
            yield Dropout(index, options, shape, seed)
            return
        case ConvOptions():
            first, activation = Conv(index, options, shape, rng), options.activation
        case BatchNormOptions():
            first, activation = BatchNorm(index, options, shape, overwrites=is_linear(before)), options.activation
        case FcOptions():
            options = options.model_copy(update={"units": options.units or classes})
            first, activation = Fc(index, options, shape, rng), options.activation
        case _:
            raise TypeError(f"no layer for {type(options).__name__}")
    yield first
    shape = first.out_shape
    if isinstance(following, PoolOptions) and following.type == "max":
        pool = MaxPool(index + 1, following, shape)
        yield pool
        shape = pool.out_shape
    if not (isinstance(following, BatchNormOptions) and is_linear(options)):
        yield Activation(index, first.kind, "identity" if activation == "softmax" else activation, shape)
    if activation == "softmax":
        yield Softmax(index, shape)
