"""How long a training step takes: the training program itself, on random images."""

import math

import numpy as np

from cnntrain.builder import load_config_data
from cnntrain.config import Config
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.errors import ConfigError
from cnntrain.network.network import Network
from cnntrain.parallel import one_blas_thread
from cnntrain.profiling.timer import Timer
from cnntrain.training.events import BatchEnded
from cnntrain.training.loop import train_loop
from cnntrain.training.workers import ranks

BATCHES = 64
"""Batches that random data hold, if ``MAX_PIXELS`` allow it."""
MAX_PIXELS = 64_000_000
"""Pixels that random data hold, if one batch does not need more; a byte each."""
TINY = 1e-6
"""Step size: labels drawn at random teach nothing, and a step that is too long would make the loss infinite."""


def batch_size_of(config: Config) -> int:
    """Samples of a batch; the data are loaded only if ``batch_size`` is ``all``.

    Raises:
        ConfigError: It is, and there are no data.
        DataError: They are missing or malformed.
    """
    size = config.training.batch_size
    if size != "all":
        return size
    if config.data is None:
        raise ConfigError(
            f"{config.where(('training', 'batch_size'))}: all is no number of samples where there is no data section; "
            "training.batch_size=128 is one"
        )
    return len(load_config_data(config).train)


def random_data(config: Config, network: Network, batch_size: int) -> Data:
    """Random images and labels, of the shape and the number of classes that the network is made for."""
    pixels = math.prod(network.in_shape) * batch_size
    batches = 1 if config.training.batch_size == "all" else max(1, min(BATCHES, MAX_PIXELS // pixels))
    classes = math.prod(network.out_shape)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batches * batch_size, *network.in_shape), np.uint8)
    labels = rng.integers(0, classes, len(images))
    channels = network.in_shape[0]
    standardize = Preprocessing((0.5,) * channels, (math.sqrt(1 / 12),) * channels)
    return Data(Dataset(images, labels), None, None, tuple(map(str, range(classes))), standardize)


def endless(config: Config) -> Config:
    """The config with a step size that changes next to nothing, and no end."""
    training = config.training.model_copy(update={"alpha": TINY, "Max": 10**9, "epsilon": 0.0, "patience": 0})
    return config.model_copy(update={"training": training})


def time_steps(config: Config, network: Network, data: Data, workers: int, timings: Timer) -> None:
    """Add the durations of whole steps: images standardized, forward, backward, gradients summed, parameters stepped.

    Args:
        config: Whose network it is.
        network: Its parameters are changed next to nothing.
        data: Of ``random_data``.
        workers: Processes that share the work.
        timings: Filled until it has enough.

    Raises:
        WorkerError: A worker could not be started, or ended.
    """
    config = endless(config)
    with one_blas_thread(), ranks(config, network, data, workers) as (comm, shared):
        before = 0.0
        for event in train_loop(network, shared, config.training, comm):
            if isinstance(event, BatchEnded):
                timings.add(event.seconds - (before if event.batch > 1 else 0.0))
                before = event.seconds
                if timings.enough:
                    break
