"""Time to 99 % accuracy on MNIST: ``cnntrain train`` and the same training in PyTorch.

    python benchmarks/epoch.py FOLDER [--rounds 3] [--epochs N] [--layouts channels_last] [--json]

FOLDER holds the four files of MNIST. The number of epochs is the fewest after which cnntrain has 99 % of the test
images right; PyTorch makes as many, with the same network, rule for the first weights, step size, momentum, batch size
and standardized pixels (``torch_train.py``). Each is a new process, timed from its start to its end, in turns with the
others.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from cnntrain import load_config
from cnntrain.builder import load_config_data
from cnntrain.config import Config
from cnntrain.evaluation.report import evaluate_network
from cnntrain.parallel import available_cores
from cnntrain.training.events import EpochEnded, TrainingStarted
from cnntrain.training.fit import fit
from machine import machine, machine_text

HERE = Path(__file__).parent
MAX_EPOCHS = 20
PLAIN = ["training.schedule=constant", "training.alpha=0.02", "training.augmentation={}"]
"""What both sides do alike: as many epochs as it takes, each the same, on the images as they are."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Time whole commands from their start to a wanted test accuracy.")
    parser.add_argument("data", type=Path, metavar="FOLDER", help="with the four files of MNIST")
    parser.add_argument("--config", type=Path, default=HERE.parent / "configs" / "mnist.yaml")
    parser.add_argument("--accuracy", type=float, default=0.99, help="on the test images")
    parser.add_argument("--epochs", type=int, metavar="N", help="instead of the fewest that reach the accuracy")
    parser.add_argument("--workers", type=int, default=available_cores(), metavar="N", help="and threads of PyTorch")
    parser.add_argument("--layouts", nargs="+", default=["contiguous", "channels_last"], help="of PyTorch's memory")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="turns of each")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    if find_spec("torch") is None:
        sys.exit("epoch.py compares with PyTorch, which is not installed here: pip install torch")
    config = load_config(args.config, [f"data.path={args.data}", f"training.workers={args.workers}", *PLAIN])
    epochs = args.epochs or fewest_epochs(config, args.accuracy)
    config = config.model_copy(update={"training": config.training.model_copy(update={"Max": epochs})})
    sides = {"cnntrain": ours(args.config, config), **{layout: theirs(config, layout) for layout in args.layouts}}
    runs: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for _ in range(args.rounds):
        for side, command in sides.items():
            runs[side].append(run(command))
    seconds = {side: median(duration for duration, _ in turns) for side, turns in runs.items()}
    accuracies = {side: median(accuracy for _, accuracy in turns) for side, turns in runs.items()}
    ratio = min(seconds[layout] for layout in args.layouts) / seconds["cnntrain"]
    if args.json:
        print(
            json.dumps(
                {"machine": machine(), "epochs": epochs, "seconds": seconds, "accuracy": accuracies, "ratio": ratio}
            )
        )
        return
    print(machine_text())
    print(f"{epochs} epochs with {args.workers} workers or threads")
    for side in sides:
        name = side if side == "cnntrain" else f"PyTorch, {side}"
        print(f"{name:24} {seconds[side]:6.1f} s  test accuracy {accuracies[side]:.2%}")
    print(f"ratio to the better of PyTorch: {ratio:.2f}")


def fewest_epochs(config: Config, accuracy: float) -> int:
    """Epochs over the training images after which that share of the test images is right."""
    training = config.training.model_copy(update={"Max": MAX_EPOCHS})
    data = load_config_data(config)
    assert data.test is not None
    with tempfile.TemporaryDirectory() as folder:
        for event in fit(config.model_copy(update={"training": training}), folder):
            match event:
                case TrainingStarted():
                    network = event.network  # not the folder's weights, which are not saved after each pass
                case EpochEnded():
                    report = evaluate_network(network, "test", data.test, data.preprocessing, data.classes)
                    if report.score.accuracy >= accuracy:
                        return event.epoch
    sys.exit(f"{MAX_EPOCHS} epochs do not reach {accuracy:.2%}")


def path_of(config: Config) -> Path:
    """The folder of the images."""
    path = getattr(config.data, "path", None)
    assert isinstance(path, Path)
    return path


def ours(path: Path, config: Config) -> list[str]:
    """The command of cnntrain."""
    words = [f"data.path={path_of(config)}", f"training.Max={config.training.Max}", *PLAIN]
    words += ["--workers", str(config.training.workers), "--json", "--progress", "none"]
    return ["-m", "cnntrain", "train", str(path.resolve()), *words]


def theirs(config: Config, layout: str) -> list[str]:
    """The command of PyTorch."""
    words = [str(path_of(config)), json.dumps(config.resolved()), "--layout", layout]
    return [str(HERE / "torch_train.py"), *words, "--threads", str(config.training.workers)]


def run(command: list[str]) -> tuple[float, float]:
    """Seconds of ``python COMMAND``, and the test accuracy that it prints."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = subprocess.run([sys.executable, *command], cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
        seconds = time.perf_counter() - began
    if done.returncode:  # it has said why
        sys.exit(done.returncode)
    result: dict[str, Any] = json.loads(done.stdout)
    return seconds, result["test"]["accuracy"] if "test" in result else result["accuracy"]


if __name__ == "__main__":
    main()
