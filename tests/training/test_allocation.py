"""After a warm-up, a training step allocates almost no memory."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from cnntrain.builder import build_for
from cnntrain.config import load_config
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.parallel import SingleProcess, single_core
from cnntrain.training.events import BatchEnded
from cnntrain.training.loop import train_loop

FOLDER = Path(__file__).parents[2] / "configs"
CONFIGS = sorted(FOLDER.glob("*.yaml"))
SHAPES = {"digits": (1, 8, 8), "mnist": (1, 28, 28), "cifar10": (3, 32, 32)}
LIMIT = 2**20


def random_data(shape, samples):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (samples, *shape), dtype=np.uint8)
    train = Dataset(images, np.arange(samples) % 10)
    return Data(train, None, None, tuple("0123456789"), Preprocessing((0.5,) * shape[0], (0.3,) * shape[0]))


OPTIONS = ["optimizer=adam", "optimizer=adamw", "optimizer=rmsprop", "clip_norm=1e-3", "class_weights=balanced"]
CASES = [(path.stem, "") for path in CONFIGS] + [("mnist", option) for option in OPTIONS]


NORMALIZED = (
    "network.layers=[conv: {K: 32, F: 3, P: 1}, batch_norm: {activation: relu}, dropout: {}, "
    "conv: {K: 16, F: 3}, batch_norm: {activation: tanh}, pool: {k: all, type: average}, "
    "fc: {units: 32}, batch_norm: {}, fc: {activation: softmax}]"
)


@pytest.mark.parametrize(("name", "option"), [*CASES, ("cifar10", NORMALIZED)])
def test_a_warm_step_allocates_less_than_a_megabyte(name, option):
    words = [f"training.{option}", "training.momentum=0"] if option in OPTIONS else [option] if option else []
    config = load_config(FOLDER / f"{name}.yaml", ["training.Max=4", "training.epsilon=0", *words])
    size = config.training.batch_size
    data = random_data(SHAPES[config.data.source], 1437 if size == "all" else 4 * size)
    network = build_for(config, data)
    peaks = []
    with single_core():
        tracemalloc.start()
        try:
            before = 0
            comm = SingleProcess(network.layout, network.dtype, config.training.state_rows)
            for event in train_loop(network, data, config.training, comm):
                if isinstance(event, BatchEnded):
                    peaks.append(tracemalloc.get_traced_memory()[1] - before)
                    if len(peaks) == 4:
                        break
                    tracemalloc.reset_peak()
                    before = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
    assert max(peaks[1:]) < LIMIT, [f"{peak:,}" for peak in peaks]
