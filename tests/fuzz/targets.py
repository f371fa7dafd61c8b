"""What a stranger may hand over, a function each: bytes go in as a file, and what comes out is a result or an error
of ours, told in a sentence. Anything else is a bug.

The hypothesis tests and the fuzzer run the same functions.
"""

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from cnntrain.cli.views.runs_view import show
from cnntrain.cli.views.terminal import finite
from cnntrain.config import load_config
from cnntrain.data import load_data
from cnntrain.errors import CnntrainError
from cnntrain.runs.compare import list_runs as list_runs
from cnntrain.training.checkpointing import checkpoint as checkpoints
from cnntrain.training.checkpointing import postmortem
from cnntrain.weights import weights
from cnntrain.weights.safetensors_file import serialize


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A gray image."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


Target = Callable[[Path, bytes], object]
"""Reads bytes as a file in an empty folder."""


def config(folder: Path, content: bytes) -> object:
    """A YAML file."""
    (folder / "a.yaml").write_bytes(content)
    return load_config(folder / "a.yaml")


def override(folder: Path, content: bytes) -> object:
    """A word on the command line."""
    (folder / "a.yaml").write_text(
        "network: {input: [1, 8, 8], layers: [fc: {units: 2, activation: softmax}]}", encoding="utf-8"
    )
    return load_config(folder / "a.yaml", [content.decode("utf-8", "replace")])


def idx(folder: Path, content: bytes) -> object:
    """Images and labels in MNIST's spec; the first two bytes say where one ends."""
    cut = int.from_bytes(content[:2], "little")
    (folder / "train-images-idx3-ubyte").write_bytes(content[2 : 2 + cut])
    (folder / "train-labels-idx1-ubyte").write_bytes(content[2 + cut :])
    return load_data("idx", path=folder)


def idx_packed(folder: Path, content: bytes) -> object:
    """Images in MNIST's spec, packed by gzip."""
    (folder / "train-images-idx3-ubyte.gz").write_bytes(content)
    (folder / "train-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 3) + b"\0\1\0")
    return load_data("idx", path=folder)


def npz(folder: Path, content: bytes) -> object:
    """NumPy's arrays in a zip file."""
    (folder / "a.npz").write_bytes(content)
    return load_data("npz", path=folder / "a.npz", layout=None)


def cifar10(folder: Path, content: bytes) -> object:
    """Names of classes, and a batch; the first two bytes say where one ends."""
    cut = int.from_bytes(content[:2], "little")
    (folder / "batches.meta.txt").write_bytes(content[2 : 2 + cut])
    (folder / "data_batch_1.bin").write_bytes(content[2 + cut :])
    return load_data("cifar10", path=folder)


def csv(folder: Path, content: bytes) -> object:
    """Lines of a label and pixels."""
    (folder / "a.csv").write_bytes(content)
    return load_data("csv", path=folder / "a.csv")


def csv_packed(folder: Path, content: bytes) -> object:
    """The same, packed by gzip."""
    (folder / "train.csv.gz").write_bytes(content)
    return load_data("csv", path=folder)


def images(folder: Path, content: bytes) -> object:
    """An image among good ones, in a folder of classes."""
    image = png(np.zeros((2, 2), "uint8"))
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png", "b/3.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if name == "b/3.jpg" else image)
    return load_data("images", path=folder, size=(4, 4), test=0.5)


def split_file(folder: Path, content: bytes) -> object:
    """The split file of a folder of images."""
    (folder / "split.csv").write_bytes(content)
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(png(np.zeros((2, 2), "uint8")))
    return load_data("images", path=folder, size=(4, 4), split=folder / "split.csv")


def safetensors(folder: Path, content: bytes) -> object:
    """A weights file."""
    (folder / "a.safetensors").write_bytes(content)
    return weights.load_saved(folder / "a.safetensors")


def weights_about(folder: Path, content: bytes) -> object:
    """What stands beside the tensors of a weights file, which are well-formed."""
    arrays = {"layers.0.W": np.ones((2, 1, 3, 3)), "layers.0.b": np.ones(2)}
    arrays |= {"layers.2.W": np.ones((2, 8)), "layers.2.b": np.ones(2)}
    (folder / "a.safetensors").write_bytes(serialize(arrays, {weights.KEY: content.decode("utf-8", "replace")}))
    return weights.load_saved(folder / "a.safetensors")


def checkpoint(folder: Path, content: bytes) -> object:
    """A checkpoint of a run."""
    (folder / "a.safetensors").write_bytes(content)
    return checkpoints.load(folder / "a.safetensors")


def checkpoint_about(folder: Path, content: bytes) -> object:
    """What stands beside the tensors of a checkpoint, which are well-formed; its digest fits."""
    arrays = {"layers.0.W": np.ones((2, 1, 3, 3)), "layers.0.b": np.ones(2), "checkpoint.states": np.ones((1, 38))}
    arrays |= {"layers.2.W": np.ones((2, 8)), "layers.2.b": np.ones(2), "checkpoint.before": np.ones(38)}
    arrays["checkpoint.best"] = np.ones(38)
    try:
        about = json.loads(content)
        about["digest"] = checkpoints.digest(arrays, {key: about[key] for key in about if key != "digest"})
        content = json.dumps(about).encode()
    except (ValueError, TypeError, RecursionError):
        pass  # then it is no digest that it fails by
    (folder / "a.safetensors").write_bytes(serialize(arrays, {weights.KEY: content.decode("utf-8", "replace")}))
    return checkpoints.load(folder / "a.safetensors")


def report(folder: Path, content: bytes) -> object:
    """What a run says about its divergence."""
    (folder / "postmortem").mkdir()
    (folder / "postmortem" / "report.json").write_bytes(content)
    try:
        return postmortem.read_report(folder)
    except (ValueError, RecursionError) as error:  # what ``replay`` tells in a sentence
        raise CnntrainError(str(error)) from error


def runs(folder: Path, content: bytes) -> object:
    """A run folder; the first four bytes say where its summary and what it says of the machine end."""
    first = 4 + int.from_bytes(content[:2], "little")
    second = first + int.from_bytes(content[2:4], "little")
    for name, part in (("summary.json", content[4:first]), ("environment.json", content[first:second])):
        (folder / name).write_bytes(part)
    (folder / "metrics.jsonl").write_bytes(content[second:])
    (folder / "config.yaml").write_text("network: {input: [1, 2, 2], layers: [fc: {units: 2}]}", encoding="utf-8")
    found = list_runs([folder, folder])
    show(found, Console(file=io.StringIO(), width=80))
    json.dumps(finite(found), allow_nan=False)
    if found["runs"][0]["problem"]:
        raise CnntrainError(found["runs"][0]["problem"])
    return found


TARGETS: dict[str, Target] = {
    "config": config,
    "override": override,
    "idx": idx,
    "idx_packed": idx_packed,
    "npz": npz,
    "cifar10": cifar10,
    "csv": csv,
    "csv_packed": csv_packed,
    "images": images,
    "split_file": split_file,
    "safetensors": safetensors,
    "weights_about": weights_about,
    "checkpoint": checkpoint,
    "checkpoint_about": checkpoint_about,
    "report": report,
    "runs": runs,
}


def attempt(target: Target, folder: Path, content: bytes) -> bool:
    """Return whether the bytes are accepted; whatever is raised but an error of ours is a bug and goes on."""
    try:
        target(folder, content)
    except CnntrainError as error:
        if not str(error).strip():
            raise RuntimeError("an error without a sentence") from error
        return False
    return True
