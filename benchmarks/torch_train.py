"""Training on idx files (MNIST) in PyTorch: the whole command that ``epoch.py`` compares with ``cnntrain train``.

    python benchmarks/torch_train.py DATA CONFIG [--layout channels_last] [--threads 2]

DATA is the folder with the four files, CONFIG a resolved config as JSON. Everything is kept in memory as float32, which
is the fastest that PyTorch offers for so few images. Prints the accuracy on the test images.
"""

import argparse
import gzip
import json
from pathlib import Path

import numpy as np
import torch

import torch_network


def main() -> None:
    parser = argparse.ArgumentParser(description="Train in PyTorch and print the test accuracy.")
    parser.add_argument("data", type=Path)
    parser.add_argument("config", type=json.loads)
    parser.add_argument("--layout", choices=torch_network.LAYOUTS, default="channels_last")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    training = args.config["training"]
    x, y, x_test, y_test = load(args.data, args.config["data"]["standardize"])
    classes = int(y.max()) + 1
    network = torch_network.build(args.config["network"]["layers"], tuple(x.shape[1:]), classes, args.layout)
    memory_format = torch_network.LAYOUTS[args.layout]
    optimizer = torch_network.optimizer(network, training)
    for _ in range(training["Max"]):
        for indices in torch.randperm(len(x)).split(training["batch_size"]):
            torch_network.train_step(network, optimizer, x[indices].contiguous(memory_format=memory_format), y[indices])
    network.eval()
    with torch.inference_mode():
        scores = [network(part.contiguous(memory_format=memory_format)) for part in x_test.split(1000)]
    print(json.dumps({"accuracy": float((torch.cat(scores).argmax(1) == y_test).float().mean())}))


def load(folder: Path, standardize: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return training images and labels, and those of the test."""
    x, y, x_test, y_test = (
        read_idx(folder, name)
        for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    )
    x, x_test = (images.unsqueeze(1).float().div_(255) for images in (x, x_test))
    if standardize:
        mean, std = x.mean(), x.std()
        x, x_test = (images.sub_(mean).div_(std) for images in (x, x_test))
    return x, y.long(), x_test, y_test.long()


def read_idx(folder: Path, name: str) -> torch.Tensor:
    """Read an IDX file, gzipped or not, in the shape of its header."""
    path = folder / f"{name}-ubyte"
    content = path.read_bytes() if path.exists() else gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes())
    axes = content[3]
    shape = np.frombuffer(content, ">i4", axes, 4)
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape).copy())


if __name__ == "__main__":
    main()
