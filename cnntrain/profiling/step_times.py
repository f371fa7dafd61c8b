"""The duration of a training step: the real training loop, on random images."""

import math

import numpy as np

from cnntrain.builder import load_config_data
from cnntrain.config import Config
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.errors import ConfigError
from cnntrain.network.network import Network
from cnntrain.profiling.timer import Timer
from cnntrain.training.events import BatchEnded
from cnntrain.training.loop import train_loop
from cnntrain.training.workers import process_group

BATCHES = 64
"""Number of random batches, unless limited by ``MAX_PIXELS``."""
MAX_PIXELS = 64_000_000
"""Maximum number of random pixels (bytes), unless a single batch has more."""
TINY_ALPHA = 1e-6
"""Learning rate: random labels cannot be learned, and a larger step could diverge."""


def batch_size_of(config: Config) -> int:
    """Return the number of samples per batch; the data are only loaded if ``batch_size`` is ``all``.

    Raises:
        ConfigError: ``batch_size`` is ``all``, and there is no data section.
        DataError: The data are missing or malformed.
    """
    size = config.training.batch_size
    if size != "all":
        return size
    if config.data is None:
        raise ConfigError(
            f"{config.where(('training', 'batch_size'))}: all needs a data section; without one, set a number such as "
            "training.batch_size=128"
        )
    return len(load_config_data(config).train)


def random_data(config: Config, network: Network, batch_size: int) -> Data:
    """Return random images and labels with the network's input shape and number of classes."""
    pixels = math.prod(network.in_shape) * batch_size
    batches = 1 if config.training.batch_size == "all" else max(1, min(BATCHES, MAX_PIXELS // pixels))
    classes = math.prod(network.out_shape)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batches * batch_size, *network.in_shape), np.uint8)
    labels = rng.integers(0, classes, len(images))
    channels = network.in_shape[0]
    standardize = Preprocessing((0.5,) * channels, (math.sqrt(1 / 12),) * channels)
    return Data(Dataset(images, labels), None, None, tuple(map(str, range(classes))), standardize)


def endless_config(config: Config) -> Config:
    """Return the config with a tiny learning rate and no stopping criterion."""
    training = config.training.model_copy(update={"alpha": TINY_ALPHA, "Max": 10**9, "epsilon": 0.0, "patience": 0})
    return config.model_copy(update={"training": training})


def time_steps(config: Config, network: Network, data: Data, workers: int, timer: Timer) -> None:
    """Time whole training steps: preprocessing, forward and backward pass, gradient sum, parameter update.

    Args:
        config: Config of the network.
        network: Network; its parameters hardly change.
        data: Data such as ``random_data``.
        workers: Number of processes.
        timer: Timer to fill.

    Raises:
        WorkerError: A worker cannot be started or has ended.
    """
    config = endless_config(config)
    with process_group(config, network, data, workers) as (comm, shared):
        before = 0.0
        for event in train_loop(network, shared, config.training, comm):
            if isinstance(event, BatchEnded):
                timer.add(event.seconds - (before if event.batch > 1 else 0.0))
                before = event.seconds
                if timer.enough:
                    break
