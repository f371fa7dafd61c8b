"""Hashes of the weights after a few training steps: what a refactoring must not change.

``python tests/support/training_bits.py`` prints them for the kernels at hand and adds them to
``tests/golden/training_bits.json``. Bits differ between processors and libraries, so they are kept by the kernels that
the BLAS and NumPy choose here.
"""

import json
import sys
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core._multiarray_umath import __cpu_features__

from cnntrain.builder import build_shaped
from cnntrain.config import Config, config_from_dict, load_config
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.network.objective import balanced_weights
from cnntrain.ops.matmul import kernels
from cnntrain.parallel import single_core
from cnntrain.parallel.single import SingleProcess
from cnntrain.training.events import BatchEnded
from cnntrain.training.loop import train_loop

CONFIGS = Path(__file__).parents[2] / "configs"
FILE = Path(__file__).parents[1] / "golden" / "training_bits.json"
STEPS = 3
SHAPES = {
    "digits": (1, 8, 8),
    "article": (1, 8, 8),
    "mnist": (1, 28, 28),
    "mnist_lenet5": (1, 28, 28),
    "cifar10": (3, 32, 32),
    "cifar10_resnet": (3, 32, 32),
}
EVERYTHING: dict[str, Any] = {
    "network": {
        "input": [3, 17, 19],
        "layers": [
            {"batch_norm": {}},
            {"conv": {"K": 6, "F": 3, "P": 1, "activation": "leaky_relu"}},
            {"pool": {"k": 3, "S": 2, "type": "max"}},
            {"conv": {"K": 8, "F": 3, "S": 2}},
            {"batch_norm": {"activation": "elu", "momentum": 0.5}},
            {"dropout": {"rate": 0.2}},
            {"conv": {"K": 5, "F": 2, "P": 1, "activation": "softplus", "init": "uniform"}},
            {"pool": {"k": 2, "S": 1, "type": "average"}},
            {"pool": {"k": "all", "type": "average"}},
            {"fc": {"units": 9, "activation": "tanh"}},
            {"fc": {"units": 7, "activation": "sigmoid", "init": "normal"}},
            {"fc": {"activation": "softmax"}},
        ],
    },
    "training": {
        "optimizer": "adamw",
        "alpha": 0.01,
        "Max": 3,
        "batch_size": 40,
        "schedule": "one_cycle",
        "clip_norm": 1.0,
        "label_smoothing": 0.1,
        "class_weights": "balanced",
        "l1": 1e-4,
        "l2": 1e-3,
        "augmentation": {
            "horizontal_flip": True,
            "vertical_flip": True,
            "crop": 2,
            "rotation": 10,
            "brightness": 0.2,
            "contrast": 0.2,
            "cutout": 3,
        },
    },
}
OTHERS: dict[str, dict[str, Any]] = {
    "momentum": {"optimizer": "sgd", "momentum": 0.9, "loss": "mse", "reduction": "sum", "alpha": 0.001},
    "nesterov": {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "schedule": "step"},
    "adam": {"optimizer": "adam", "schedule": "cosine", "warmup": 1},
    "rmsprop": {"optimizer": "rmsprop", "dtype": "float64"},
}
"""More optimizers, losses and schedules, with the network of the digits."""


def family() -> str:
    """The libraries and kernels that decide the last bits."""
    widest = next((name for name in ("AVX512_SKX", "AVX2", "ASIMD") if __cpu_features__.get(name)), "baseline")
    return f"numpy {np.__version__}, {kernels()}, {widest}"


def cases() -> dict[str, tuple[Config, tuple[int, int, int]]]:
    """The configs by name, with the shape of their images."""
    found = {name: (load_config(CONFIGS / f"{name}.yaml"), shape) for name, shape in SHAPES.items()}
    found["everything"] = (config_from_dict(EVERYTHING, "everything"), (3, 17, 19))
    layers = found["digits"][0].resolved()["network"]["layers"]
    for name, training in OTHERS.items():
        content = {"network": {"input": [1, 8, 8], "layers": layers}, "training": {"batch_size": 50, **training}}
        found[name] = (config_from_dict(content, name), (1, 8, 8))
    return found


def weights_hash(config: Config, shape: tuple[int, int, int]) -> str:
    """BLAKE2b of theta after ``STEPS`` steps on random images."""
    size = config.training.batch_size
    batch = 96 if size == "all" else min(size, 96)
    config = config.model_copy(update={"training": config.training.model_copy(update={"batch_size": batch})})
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (STEPS * batch, *shape), dtype=np.uint8)
    train = Dataset(images, rng.integers(0, 10, len(images)))
    data = Data(train, None, None, tuple(map(str, range(10))), Preprocessing.measure(train))
    network = build_shaped(config, shape, 10)
    if config.training.class_weights == "balanced":
        network.set_objective(replace(network.objective, class_weights=balanced_weights(train.labels, 10)))
    comm = SingleProcess(network.layout, network.dtype, config.training.state_rows)
    with single_core():
        events = train_loop(network, data, config.training, comm)
        batches = 0
        while batches < STEPS:
            batches += isinstance(next(events), BatchEnded)
    return blake2b(network.theta.tobytes(), digest_size=16).hexdigest()


def main() -> None:
    """Record the hashes for the kernels at hand."""
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    known[family()] = {name: weights_hash(*case) for name, case in cases().items()}
    FILE.write_text(json.dumps(known, indent=2) + "\n")
    json.dump(known[family()], sys.stdout, indent=2)


if __name__ == "__main__":
    main()
