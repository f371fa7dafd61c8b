"""Time to load a folder of images, compared with Pillow alone.

    python benchmarks/images.py FOLDER [--size 64] [--rounds 5] [--json]

Three methods take turns: Pillow alone in a loop on one core (open, convert, resize); `source: images` on all cores with
an empty cache; and again with the cache that this created. The first round warms the page cache and is not counted.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from cnntrain.data import load_data
from cnntrain.data.image_folder.discovery import discover
from machine import machine, machine_text


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the decoding of images.")
    parser.add_argument("folder", type=Path, help="with a subfolder of images for each class")
    parser.add_argument("--size", type=int, default=64, metavar="PIXELS", help="rows and columns of a sample")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each way")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    files = [args.folder / image.name for image in discover(args.folder).images]
    seconds: dict[str, list[float]] = {"Pillow alone": [], "first run": [], "second run": []}
    for turn in range(args.rounds + 1):
        with tempfile.TemporaryDirectory() as cache:
            os.environ["CNNTRAIN_CACHE"] = cache
            ways: list[Callable[[], object]] = [
                lambda: pillow_alone(files, args.size),
                lambda: load_data("images", path=args.folder, size=(args.size, args.size)),
                lambda: load_data("images", path=args.folder, size=(args.size, args.size)),
            ]
            for taken, way in zip(seconds.values(), ways, strict=True):
                if turn:
                    taken.append(timed(way))
                else:
                    way()
    result = {name: median(taken) for name, taken in seconds.items()}
    if args.json:
        print(json.dumps({"machine": machine(), "images": len(files), "seconds": result}))
        return
    print(machine_text())
    print(f"{len(files):,} images to {args.size} x {args.size}")
    for name, middle in result.items():
        print(f"{name:14}{middle:9.3f} s{result['Pillow alone'] / middle:9.1f} times as fast as Pillow alone")


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def pillow_alone(files: list[Path], size: int) -> list[np.ndarray]:
    pixels = []
    for file in files:
        with Image.open(file) as image:
            pixels.append(np.asarray(image.convert("RGB").resize((size, size))))
    return pixels


if __name__ == "__main__":
    main()
