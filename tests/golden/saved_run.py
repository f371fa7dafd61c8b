"""A finished run as today's code writes it: later versions must read it.

``python tests/golden/saved_run.py`` trains a tiny network on the digits and writes the run folder ``saved_run``, with
the network's outputs in ``outputs.json``. Write it again only when a change of format is intended and documented.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

import cnntrain
from cnntrain.config import config_from_dict

FOLDER = Path(__file__).with_name("saved_run")
OUTPUTS = "outputs.json"
FILES = ("config.yaml", "weights.safetensors", "best.safetensors", "checkpoint.safetensors", "metrics.jsonl")
"""The files of a run that are read again."""
CONFIG = {
    "data": {"source": "digits", "validation": 0.8},
    "network": {
        "layers": [
            {"conv": {"K": 3, "F": 3, "S": 2}},
            {"batch_norm": {"activation": "relu"}},
            {"dropout": {"rate": 0.2}},
            {"fc": {"activation": "softmax"}},
        ]
    },
    "training": {"Max": 2, "optimizer": "adam", "alpha": 0.01, "batch_size": 32, "seed": 7, "workers": 1},
}


def image() -> np.ndarray:
    """An image of random bytes."""
    return np.random.default_rng(3).integers(0, 256, (8, 8), dtype=np.uint8)


def main() -> None:
    """Train, and keep the files that are read again."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "saved_run"
        cnntrain.train(config_from_dict(CONFIG, "saved_run"), out=run, plots=False)
        FOLDER.mkdir(exist_ok=True)
        for name in FILES:
            shutil.copyfile(run / name, FOLDER / name)
        outputs = cnntrain.load(run).outputs(image()[None, None])[0].tolist()
    (FOLDER / OUTPUTS).write_text(json.dumps(outputs) + "\n")
    json.dump({path.name: path.stat().st_size for path in sorted(FOLDER.iterdir())}, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
