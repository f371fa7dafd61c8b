"""Build a network from a config: infer the shapes of the layers and draw the parameters from the seed."""

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.backbones.spec import BACKBONE_FILE, BACKBONES
from cnntrain.config import Config, ConfigLike, as_config, check_augmentation, check_shapes
from cnntrain.config.schema.config import ImagesOptions
from cnntrain.config.schema.entries import LayerEntry
from cnntrain.config.schema.rows import make_layers
from cnntrain.config.yaml.nodes import Path as Place
from cnntrain.data import Data, ProgressReporter, load_data
from cnntrain.data.image_folder import split_file
from cnntrain.data.pixels import Scale
from cnntrain.data.progress import NO_PROGRESS
from cnntrain.errors import ConfigError, ShapeError
from cnntrain.layers.base import Layer
from cnntrain.layers.row import walk
from cnntrain.network.network import Network
from cnntrain.network.objective import Objective, balanced_weights
from cnntrain.types import Shape

MAX_MICRO_BATCH = 32
MIN_MICRO_BATCH = 8
SMALL_LAYER = 1024
"""Maximum number of values of one sample in a small layer."""
MIDDLE_LAYER = 8192
"""Maximum number of values of one sample in a layer up to which larger micro-batches save more calls than cache."""
MIN_NORMALIZED_VALUES = 32
"""Minimum number of values of a channel in a micro-batch for batch normalization; for a unit, of samples."""
MAX_CACHED_VALUES = 2**21
"""Maximum number of values of a micro-batch in the largest layer: 8 MB in float32."""
MAX_PARAMETERS = 500_000_000
"""Maximum number of parameters of a network: 2 GB in float32, and four times that in training."""
MAX_VALUES = 50_000_000
"""Maximum number of values of one sample in a layer: a micro-batch of 8 samples then takes 1.6 GB in float32."""


def build(config: ConfigLike, dtype: DTypeLike | None = None) -> Network:
    """Build the untrained network of a config, with parameters drawn from its seed.

    Args:
        config: A config, its path, or a dict as ``load_config`` takes it. Its data are loaded only if the input shape
            or the number of classes depends on them.
        dtype: The type of the parameters; by default ``training.dtype``.

    Returns:
        The network.

    Raises:
        ConfigError: A layer does not fit, or the network does not fit the data.
        DataError: The data are needed, and are missing or malformed.

    Examples:
        >>> import cnntrain
        >>> network = cnntrain.build(cnntrain.load_config("digits"))
        >>> network.in_shape, network.out_shape
        ((1, 8, 8), (10,))
        >>> network.forward(np.zeros((2, 1, 8, 8), np.float32)).shape
        (2, 10)
    """
    return build_with_data(as_config(config), dtype)[0]


def build_with_data(config: Config, dtype: DTypeLike | None = None) -> tuple[Network, Data | None]:
    """Build a network as ``build`` does; also return the data if they were needed."""
    last = config.network.layers[-1].options
    if config.network.input is not None and not last.needs_classes:
        return build_shaped(config, config.network.input, None, dtype), None
    data = load_config_data(config)
    return build_for(config, data, dtype), data


def load_config_data(
    config: Config, run: Path | None = None, reporter: ProgressReporter = NO_PROGRESS, scale: Scale | None = None
) -> Data:
    """Load the data that ``config`` names.

    Args:
        config: A config with a data section.
        run: A run folder; its split file is used unless the config names another or the images differ.
        reporter: The receiver of progress and notes.
        scale: The scale of the pixels, as for ``load_data``; given by the weights that will see the images.

    Raises:
        ConfigError: The config has no data section.
        DataError: The data are missing or malformed.
    """
    if config.data is None:
        raise ConfigError(f"{config.where(())}: a data section is needed here")
    config = config if run is None else with_backbone_of(config, run)
    assert config.data is not None
    options = config.data.model_dump()
    if run is not None and isinstance(config.data, ImagesOptions):
        options["split"] = split_file.choose(config.data.split, run / split_file.NAME, config.data.path, reporter)
    return load_data(**options, seed=config.training.seed, reporter=reporter, scale=scale)


def with_backbone_of(config: Config, run: Path) -> Config:
    """Return the config with the copy of the backbone's ONNX file in a run folder, if there is one."""
    copy, features = run / BACKBONE_FILE, getattr(config.data, "features", None)
    if config.data is None or features is None or features.backbone in BACKBONES or not copy.is_file():
        return config
    features = features.model_copy(update={"backbone": os.path.abspath(copy)})
    return config.model_copy(update={"data": config.data.model_copy(update={"features": features})})


def with_image_size(config: Config, data: Data) -> Config:
    """The config with the size that its images were resized to, where it left that to the data or the backbone.

    So images that come later do not change the size that the network is made for.
    """
    if not isinstance(config.data, ImagesOptions) or config.data.size is not None:
        return config
    features = data.preprocessing.features
    size = features.image_shape[1:] if features else data.input_shape[1:]
    return config.model_copy(update={"data": config.data.model_copy(update={"size": size})})


def build_for(config: Config, data: Data, dtype: DTypeLike | None = None) -> Network:
    """Build the network for the images and classes of ``data``.

    Its training samples also define the class weights of ``balanced``.

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
        weights = balanced_weights(data.train.labels, outputs)
        network.set_objective(replace(network.objective, class_weights=weights))
    return network


def build_shaped(config: Config, input_shape: Shape, classes: int | None, dtype: DTypeLike | None = None) -> Network:
    """Build the network for a known input shape; ``classes`` is the default of the last layer's units."""
    misfits = check_shapes(config.network, input_shape, classes)
    misfits += check_augmentation(config.training.augmentation, input_shape)
    if misfits:
        raise ShapeError("\n".join(f"{config.where(misfit.path)}: {misfit.sentence}" for misfit in misfits))
    count_parameters(config, input_shape, classes)
    options = config.training
    C, H, W = input_shape
    entries = [entry.options.with_classes(classes) for entry in config.network.layers]
    layers = list(make_layers(entries, (H, C, W), options.seed))
    objective = objective_of(config, math.prod(layers[-1].out_shape))
    frozen = max((i + 1 for i, layer in enumerate(layers) if layer.index < config.network.freeze), default=0)
    return Network(layers, objective, dtype or options.dtype, micro_batch_size(layers, options.batch_size), frozen)


def objective_of(config: Config, classes: int) -> Objective:
    """Return the objective of ``training``; ``class_weights: balanced`` is filled in when the data are known.

    Raises:
        ConfigError: The number of class weights differs from the number of classes.
    """
    options, weights = config.training, config.training.class_weights
    if weights == "balanced":
        weights = None
    if weights is not None and len(weights) != classes:
        raise ConfigError(
            f"{config.where(('training', 'class_weights'))}: expected {classes} numbers, one for each class, "
            f"got {len(weights)}"
        )
    return Objective(options.loss, options.reduction, options.l1, options.l2, options.label_smoothing, weights)


def count_parameters(config: Config, shape: Shape, classes: int | None) -> int:
    """Return the number of parameters and buffers, without every b, before anything is allocated.

    Raises:
        ConfigError: The network is too large.
    """
    return _count_parameters(config, config.network.layers, shape, classes, ("network", "layers"), 0)


def _count_parameters(
    config: Config, entries: Sequence[LayerEntry], shape: Shape, classes: int | None, outer: Place, parameters: int
) -> int:
    """Return ``parameters`` plus those of ``entries``, a list of layers at the path ``outer``."""
    for index, entry in enumerate(entries):
        options, inputs, path = entry.options.with_classes(classes), math.prod(shape), (*outer, index, entry.kind)
        if entry.residual:
            _count_parameters(config, entry.residual.layers, shape, classes, (*path, "layers"), parameters)
        parameters += options.parameter_count(shape)
        shape = options.output_shape(shape)
        if parameters > MAX_PARAMETERS or max(inputs, math.prod(shape)) > MAX_VALUES:
            raise ConfigError(
                f"{config.where(path)}: the network is too large: up to this layer "
                f"it has {parameters:,} parameters, of {MAX_PARAMETERS:,} at most, and a sample here has "
                f"{max(inputs, math.prod(shape)):,} values, of {MAX_VALUES:,} at most"
            )
    return parameters


def micro_batch_size(layers: Sequence[Layer[Any]], batch_size: int | Literal["all"]) -> int:
    """Return the size of a micro-batch: small enough for the processor's cache, large enough for fast matrix products.

    In small layers the overhead of calls dominates, so a small network takes its batch whole. Batch normalization needs
    ``MIN_NORMALIZED_VALUES`` values per channel if the batch has as many; two workers must be able to share a batch.
    """
    layers = [layer for _, layer in walk(layers) if not layer.branches]
    largest = max(math.prod(layer.out_shape) for layer in layers)
    if batch_size == "all":
        batch_size = 2 * MAX_MICRO_BATCH
    if largest <= SMALL_LAYER:
        return min(batch_size, 2 * MAX_MICRO_BATCH)
    pixels = [layer.pixels for layer in layers if layer.buffers]
    least = MIN_MICRO_BATCH
    if pixels:
        least = max(least, min(-(-MIN_NORMALIZED_VALUES // min(pixels)), batch_size // 2))
    most = 2 * MAX_MICRO_BATCH if largest <= MIDDLE_LAYER else MAX_MICRO_BATCH
    cached = 1 << max(0, (MAX_CACHED_VALUES // largest).bit_length() - 1)  # a power of 2, as most batches are
    return min(most, max(least, min(batch_size // 2, cached)))
