"""The YAML file that says what to train: read, checked, and written back. All the YAML code is here."""

from cnntrain.config.dumping import dump
from cnntrain.config.loading import config_from_dict, load_config
from cnntrain.config.schema import Config, DataOptions, LayerEntry, NetworkOptions
from cnntrain.config.shapes import Misfit, check_augmentation, check_shapes
from cnntrain.config.training import TrainingOptions

__all__ = [
    "Config",
    "DataOptions",
    "LayerEntry",
    "Misfit",
    "NetworkOptions",
    "TrainingOptions",
    "check_augmentation",
    "check_shapes",
    "config_from_dict",
    "dump",
    "load_config",
]
