"""Well-formed files, small ones, from which tests and fuzzer make malformed ones."""

import gzip
import io
import json
import struct
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

import cnntrain
from cnntrain.config import load_config
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.data.fingerprint import fingerprint
from cnntrain.storage import FileMark
from cnntrain.training.checkpointing.checkpoint import Checkpoint, serialized
from cnntrain.training.checkpointing.outcome import Outcome
from cnntrain.training.checkpointing.provenance import provenance
from cnntrain.training.events import EpochEnded
from cnntrain.training.state import TrainState
from cnntrain.weights import weights
from cnntrain.weights.safetensors_file import read_header

NETWORK = """
network:
  input: [1, 4, 4]
  layers:
    - conv: {K: 2, F: 3, P: 1, activation: relu}
    - pool: {k: 2, type: max}
    - fc: {units: 2, activation: softmax}
"""
CONFIG = f"""
data: {{source: digits, validation: 0.1}}
{NETWORK}
training: {{alpha: 1e-3, Max: 3, batch_size: all, momentum: 0.9}}
"""
ANCHORS = """
network:
  input: [1, 9, 9]
  layers: [conv: &a {K: 2, F: 3}, conv: *a, conv: {<<: *a, K: 4}, fc: {units: 2}]
training: {α: 1, ε: .5}
"""


def idx_images() -> bytes:
    """Three images of 2 x 2."""
    return struct.pack(">IIII", 0x803, 3, 2, 2) + bytes(range(12))


def idx_labels() -> bytes:
    """Their labels."""
    return struct.pack(">II", 0x801, 3) + b"\0\1\0"


def npz_bytes() -> bytes:
    """Six images with labels, packed."""
    file = io.BytesIO()
    np.savez_compressed(file, x_train=np.zeros((6, 3, 3), "uint8"), y_train=np.arange(6) % 2)
    return file.getvalue()


CSV = b"label,p0,p1,p2,p3\n" + b"1,0,9,255,7\n0,1,2,3,4\n" * 3


def image(form: str) -> bytes:
    """An image of 6 x 5 in color."""
    file = io.BytesIO()
    Image.fromarray(np.arange(90, dtype="uint8").reshape(5, 6, 3)).save(file, form)
    return file.getvalue()


def with_length(first: bytes, second: bytes) -> bytes:
    """Two files in one, after two bytes for the length of the first."""
    return struct.pack("<H", len(first)) + first + second


def weights_bytes(folder: Path) -> bytes:
    """Weights of a small network."""
    (folder / "seed.yaml").write_text(NETWORK, encoding="utf-8")
    config = load_config(folder / "seed.yaml")
    images = Dataset(np.zeros((2, 1, 4, 4), "uint8"), np.arange(2))
    data = Data(images, None, None, ("a", "b"), Preprocessing.none(1))
    weights.save(folder / "seed.safetensors", cnntrain.build(config), config, data)
    return (folder / "seed.safetensors").read_bytes()


def checkpoint_bytes(folder: Path) -> bytes:
    """A checkpoint of a small network, in the middle of an epoch."""
    text = f"{NETWORK}\ntraining: {{momentum: 0.9, dtype: float64, batch_size: 1}}\n"
    (folder / "seed.yaml").write_text(text, encoding="utf-8")
    config = load_config(folder / "seed.yaml")
    network = cnntrain.build(config)
    images = Dataset(np.zeros((2, 1, 4, 4), "uint8"), np.arange(2))
    data = Data(images, None, None, ("a", "b"), Preprocessing.none(1))
    here = TrainState(2, 1, 0.5, 1, 1, before=network.theta)
    line = json.dumps(asdict(EpochEnded(1, 0.5, 0.9, None, None, 0.1, 0.2, 0.05, 0.6)))
    content = serialized(
        Checkpoint(
            config, here, Outcome(1, 0.7, 1, 3.0), network.theta, np.ones((1, network.theta.size)), network.theta,
            FileMark(9, "00"), [line], fingerprint(data), provenance(),
        ),
        network,
        data,
    )  # fmt: skip
    (folder / "seed.safetensors").write_bytes(content)
    return content


def run_bytes() -> bytes:
    """Summary, machine and metrics of a run, after two bytes each for the lengths of the first two."""
    score = {"loss": 0.5, "accuracy": 0.9, "samples": 10}
    summary = {"stop": "max", "epochs": 2, "seconds": 1.5, "train": score, "validation": None, "test": score}
    machine = {"started": "2026-01-01T00:00:00+00:00"}
    lines = [{"epoch": i, "train_loss": 0.5 / i, "validation_loss": None, "seconds": 0.1} for i in (1, 2)]
    first, second, *rest = (json.dumps(part).encode() for part in (summary, machine, *lines))
    return struct.pack("<HH", len(first), len(second)) + first + second + b"\n".join(rest) + b"\n"


def seeds_of(name: str, folder: Path) -> list[bytes]:
    """Well-formed contents for the target ``name``."""
    match name:
        case "config":
            return [CONFIG.encode(), ANCHORS.encode()]
        case "override":
            return [b"training.alpha=1e-3", b"network.layers.0.fc={units: 3, activation: softmax}"]
        case "idx":
            return [with_length(idx_images(), idx_labels())]
        case "idx_packed":
            return [gzip.compress(idx_images())]
        case "npz":
            return [npz_bytes()]
        case "cifar10":
            return [with_length(b"cat\ndog\n", b"\1" + 3072 * b"\7" + b"\0" + 3072 * b"\7")]
        case "csv":
            return [CSV, CSV.partition(b"\n")[2]]
        case "csv_packed":
            return [gzip.compress(CSV)]
        case "images":
            return [image(form) for form in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")]
        case "split_file":
            return [b"file,class,split\na/1.png,a,train\nb/1.png,b,train\na/2.png,a,test\n"]
        case "safetensors":
            return [weights_bytes(folder)]
        case "weights_about":
            weights_bytes(folder)
            return [read_header(folder / "seed.safetensors").metadata[weights.KEY].encode()]
        case "checkpoint":
            return [checkpoint_bytes(folder)]
        case "checkpoint_about":
            checkpoint_bytes(folder)
            return [read_header(folder / "seed.safetensors").metadata[weights.KEY].encode()]
        case "report":
            return [json.dumps({"sentence": "the loss is not finite", "epoch": 3, "batch": 2}).encode()]
        case "runs":
            return [run_bytes()]
    raise KeyError(name)
