"""The YAML config: reading, validation and writing. All YAML code is in this package."""

from cnntrain.config.loading import ConfigLike, as_config, config_from_dict, load_config
from cnntrain.config.schema.config import Config, DataOptions, NetworkOptions
from cnntrain.config.schema.entries import LayerEntry
from cnntrain.config.schema.training import TrainingOptions
from cnntrain.config.shape_check import ShapeProblem, check_augmentation, check_shapes
from cnntrain.config.writer import to_yaml

__all__ = [
    "Config",
    "ConfigLike",
    "DataOptions",
    "LayerEntry",
    "NetworkOptions",
    "ShapeProblem",
    "TrainingOptions",
    "as_config",
    "check_augmentation",
    "check_shapes",
    "config_from_dict",
    "load_config",
    "to_yaml",
]
