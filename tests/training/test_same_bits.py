"""The result of a run does not depend on the number of workers, to the last bit."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnntrain.config import load_config
from cnntrain.training.fit import fit

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).parents[2] / "configs"

LAYERS = [
    {"conv": {"K": 3, "F": 3, "P": 1, "activation": "elu"}},
    {"pool": {"k": 2, "type": "average"}},
    {"conv": {"K": 4, "F": 3, "activation": "tanh"}},
    {"fc": {"units": 9, "activation": "sigmoid"}},
    {"fc": {"activation": "softmax"}},
]


NORMALISED = [
    {"batch_norm": {}},
    {"conv": {"K": 6, "F": 3, "P": 1}},
    {"batch_norm": {"activation": "relu", "momentum": 0.5}},
    {"pool": {"k": 2, "type": "max"}},
    {"dropout": {"rate": 0.2}},
    {"conv": {"K": 5, "F": 3, "activation": "relu"}},
    {"batch_norm": {}},
    {"pool": {"k": "all", "type": "average"}},
    {"fc": {"units": 9}},
    {"batch_norm": {"activation": "tanh"}},
    {"dropout": {}},
    {"fc": {"activation": "softmax"}},
]


@pytest.fixture(scope="session")
def data_folders(tmp_path_factory) -> dict[str, Path]:
    """Random images in the formats that the shipped configs read."""
    rng = np.random.default_rng(0)
    mnist, cifar = tmp_path_factory.mktemp("mnist"), tmp_path_factory.mktemp("cifar10")
    for name, count in (("train", 300), ("t10k", 70)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        header = struct.pack(">4i", 0x803, *images.shape)
        (mnist / f"{name}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        labels = (np.arange(count) % 10).astype(np.uint8)
        (mnist / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, count) + labels.tobytes())
    for name, count in (("data_batch_1", 90), ("test_batch", 20)):
        records = rng.integers(0, 256, (count, 1 + 3 * 32 * 32), dtype=np.uint8)
        records[:, 0] = np.arange(count) % 10
        (cifar / f"{name}.bin").write_bytes(records.tobytes())
    (cifar / "batches.meta.txt").write_text("\n".join(f"class{i}" for i in range(10)))
    return {"mnist": mnist, "cifar10": cifar}


def left_by(config, folder):
    """Train; return weights, metrics and result without the seconds."""
    result = list(fit(config, folder, plots=False))[-1].result
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in [*metrics, result]:
        del line["seconds"]
    del result["run"]
    weights = {name: (folder / f"{name}.safetensors").read_bytes() for name in ("weights", "best")}
    return weights, metrics, result


def on(workers, config):
    """The same config on another number of workers."""
    return config.model_copy(update={"training": config.training.model_copy(update={"workers": workers})})


@pytest.mark.parametrize("name", ["digits", "article", "mnist_lenet5", "mnist", "cifar10", "cifar10_resnet"])
def test_shipped_config_gives_the_same_bits(name, data_folders, tmp_path):
    path = CONFIGS / f"{name}.yaml"
    source = load_config(path).data.source
    words = ["training.Max=2" if name == "article" else "training.Max=1"]
    words += [f"data.path={data_folders[source]}"] if source in data_folders else []
    config = load_config(path, words)
    single = left_by(on(1, config), tmp_path / "1")
    for workers in (2, 3, 4):
        assert left_by(on(workers, config), tmp_path / str(workers)) == single, workers


def test_all_shipped_configs_are_tried():
    tried = test_shipped_config_gives_the_same_bits.pytestmark[0].args[1]
    assert sorted(tried) == sorted(path.stem for path in CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize(
    ("workers", "training", "data", "layers"),
    [
        (
            3,
            {"dtype": "float64", "momentum": 0.9, "nesterov": True, "l1": 1e-4, "l2": 1e-3},
            {"validation": 0.2},
            LAYERS,
        ),
        (5, {"batch_size": "all", "reduction": "sum", "alpha": 0.0005, "Max": 3}, {}, LAYERS),
        (2, {"batch_size": "all", "alpha": 0.0001, "Max": 50, "epsilon": 0.0002}, {"validation": 0.3}, LAYERS),
        (3, {"batch_size": 487, "momentum": 0.5}, {}, LAYERS),
        (3, {"batch_size": 2, "loss": "mse"}, {"validation": 0.95}, LAYERS),
        (2, {"batch_size": 65, "momentum": 0.9}, {"validation": 0.2}, NORMALISED),
        (3, {"batch_size": 487, "l1": 1e-4, "l2": 1e-3}, {}, NORMALISED),
        (3, {"Max": 1, "optimizer": "adam", "schedule": "cosine", "label_smoothing": 0.1}, {}, LAYERS),
        (
            2,
            {"optimizer": "adamw", "alpha": 2e-3, "schedule": "one_cycle", "class_weights": "balanced"},
            {},
            NORMALISED,
        ),
        (
            3,
            {"optimizer": "rmsprop", "alpha": 2e-3, "schedule": "step", "warmup": 0.5, "clip_norm": 0.3},
            {},
            NORMALISED,
        ),
        (2, {"Max": 1, "momentum": 0.9, "clip_norm": 0.1, "class_weights": [1, 2, 3, 4, 5, 5, 4, 3, 2, 1]}, {}, LAYERS),
    ],
    ids=[
        "float64, nesterov, l1, l2",
        "groups that 5 do not share evenly",
        "epsilon",
        "remainders",
        "fewer samples than workers",
        "normalized",
        "normalized, remainders",
        "adam, cosine, smoothed labels",
        "adamw, one_cycle, balanced classes",
        "rmsprop, steps, warm-up, cut gradients",
        "momentum, cut gradients, weighted classes",
    ],
)
def test_options_give_the_same_bits(make_config, tmp_path, workers, training, data, layers):
    config = make_config(layers, data={"source": "digits"} | data, **({"Max": 2, "alpha": 0.02} | training))
    single = left_by(on(1, config), tmp_path / "1")
    assert left_by(on(workers, config), tmp_path / "others") == single
    if config.training.epsilon:
        assert single[2]["stop"] == "epsilon"


@pytest.mark.parametrize("kernels", ["Haswell", "the machine's"])
def test_workers_take_the_kernels_of_rank_0(make_config, tmp_path, kernels):
    """Though they are new processes: rank 0 may have loaded NumPy before cnntrain, or in another environment."""
    program = (
        "import sys, os, numpy\n"
        "os.environ.pop('OPENBLAS_CORETYPE', None)\n"
        "import cnntrain\n"
        "for workers in (1, 3):\n"
        "    words = [f'training.workers={workers}', 'training.Max=1']\n"
        "    cnntrain.train(cnntrain.load_config(sys.argv[1], words), f'run{workers}', plots=False)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    subprocess.run(
        [sys.executable, "-c", program, str(CONFIGS / "digits.yaml")],
        cwd=tmp_path,
        env=environment | ({"OPENBLAS_CORETYPE": "Haswell"} if kernels == "Haswell" else {}),
        check=True,
        capture_output=True,
        timeout=60,
    )
    single, together = ((tmp_path / f"run{workers}" / "weights.safetensors").read_bytes() for workers in (1, 3))
    assert single == together
