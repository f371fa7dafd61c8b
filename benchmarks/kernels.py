"""The three matrix products of each convolution, compared with the peak of one core.

    python benchmarks/kernels.py [configs/cifar10.yaml] [KEY=VALUE ...] [--rounds 5] [--json]

Forward, dW and delta_prev of a micro-batch as in training, on one core, each with all that belongs to it: copying the
input to where the product wants it, moving its shares back. GFLOP/s count the multiplications and additions of the
convolution's definition, so that a method that needs fewer of them may exceed the peak. The peak is the fastest
product of two square matrices, measured in turns with the kernels.

No layer computes delta_prev alone: its time is that of a backward pass with it, less that of one without.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from cnntrain import load_config
from cnntrain.builder import build
from cnntrain.layers.base import Layer
from cnntrain.network.network import Network
from cnntrain.parallel import single_core
from cnntrain.profiling.layer_times import peak_rate
from cnntrain.profiling.timer import Timer
from machine import machine, machine_text

CIFAR10 = Path(__file__).parent.parent / "configs" / "cifar10.yaml"
MANY = 10**6
"""More samples than one micro-batch holds."""
PRODUCTS = ("forward", "dW", "delta_prev")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the convolutions of a network on one core.")
    parser.add_argument("config", nargs="?", default=CIFAR10, help="YAML file; configs/cifar10.yaml by default")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="replace values of the config")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each product")
    parser.add_argument("--seconds", type=float, default=0.1, metavar="S", help="of each product in each turn")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    network = build(load_config(args.config, args.overrides))
    micro_batch_size = network.micro_batches(MANY)[0].stop
    convolutions = [
        Convolution(network, step, micro_batch_size)
        for step, layer in enumerate(network.layers)
        if layer.kind == "conv" and "W" in layer.params
    ]
    peaks = []
    with single_core():
        for _ in range(args.rounds):
            peaks.append(peak_rate(network.dtype, seconds=0.1))
            for convolution in convolutions:
                convolution.take_turn(args.seconds)
    peak = max(peaks)
    result = results(convolutions, peak.rate / 1e9) | {"peak_side": peak.side, "micro_batch_size": micro_batch_size}
    if args.json:
        print(json.dumps({"machine": machine(), **result}))
        return
    print(machine_text())
    sides = f"{peak.side} x {peak.side}"
    print(f"micro-batches of {micro_batch_size} samples; peak {result['peak_gflops']:.0f} GFLOP/s ({sides})")
    print(f"{'':28}" + "".join(f"{name + ' ms':>14} GFLOP/s  share" for name in PRODUCTS))
    for layer in result["layers"]:
        cells = "".join(
            f"{layer[name]['ms']:14.3f} {layer[name]['gflops']:7.0f}  {layer[name]['share']:5.0%}"
            for name in PRODUCTS
            if name in layer
        )
        print(f"{layer['layer']:28}{cells}")
    print(
        f"all together, weighted by their operations: {result['gflops']:.0f} GFLOP/s, {result['share']:.0%} of the peak"
    )


class Convolution:
    """One convolution with a micro-batch to work on.

    Args:
        network: Whose it is.
        step: Index of the layer.
        n: Samples of the micro-batch.
    """

    def __init__(self, network: Network, step: int, n: int):
        self.layer: Layer[Any] = network.layers[step]
        self.wants_delta = step > 0
        self.operations = 2 * self.layer.multiply_adds * n
        self.cache = self.layer.cache(n, network.dtype)
        rng = np.random.default_rng(0)
        self.x, self.delta_0 = (
            rng.standard_normal((*shape, n)).astype(network.dtype)
            for shape in (self.layer.in_shape, self.layer.out_shape)
        )
        self.delta = np.empty_like(self.delta_0)
        self.grads = {"W": np.empty_like(self.layer.params["W"])}
        self.seconds: dict[str, list[float]] = {name: [] for name in ("forward", "dW", "both")}

    def take_turn(self, seconds: float) -> None:
        """Time each product for some seconds."""
        self.seconds["forward"].append(timed(self.forward, lambda: None, seconds))
        self.seconds["dW"].append(timed(lambda: self.backward(False), self.before_backward, seconds))
        if self.wants_delta:
            self.seconds["both"].append(timed(lambda: self.backward(True), self.before_backward, seconds))

    def forward(self) -> None:
        """Run the forward pass."""
        self.layer.forward(self.x, self.cache)

    def before_backward(self) -> None:
        """A backward pass needs a forward pass, and may overwrite its delta."""
        self.forward()
        np.copyto(self.delta, self.delta_0)

    def backward(self, want_delta: bool) -> None:
        """Back through it, after ``before_backward``."""
        self.layer.backward(self.delta, self.cache, self.grads, want_delta)

    def result(self, peak: float) -> dict[str, Any]:
        """Milliseconds, GFLOP/s and share of the peak of each product."""
        g = {name: median(values) for name, values in self.seconds.items() if values}
        g["delta_prev"] = g.pop("both", 0.0) - g["dW"]
        K, (H, C, W) = self.layer.out_shape[1], self.layer.in_shape
        result: dict[str, Any] = {"layer": f"layers[{self.layer.index}] {C} x {H} x {W} -> {K}"}
        for name in PRODUCTS if self.wants_delta else PRODUCTS[:-1]:
            gflops = self.operations / g[name] / 1e9
            result[name] = {"ms": 1e3 * g[name], "gflops": gflops, "share": gflops / peak}
        return result


def timed(what: Callable[[], None], before: Callable[[], None], seconds: float) -> float:
    """Return the median of ``what``, done for some seconds, each time with ``before`` before it."""
    timings = Timer(seconds=seconds)
    while not timings.enough:
        before()
        began = time.perf_counter()
        what()
        timings.add(time.perf_counter() - began)
    return timings.median


def results(convolutions: list[Convolution], peak: float) -> dict[str, Any]:
    """Figures of each convolution and of all."""
    layers = [convolution.result(peak) for convolution in convolutions]
    products = [layer[name] for layer in layers for name in PRODUCTS if name in layer]
    gflops = sum(p["ms"] * p["gflops"] for p in products) / sum(p["ms"] for p in products)
    return {"peak_gflops": peak, "layers": layers, "gflops": gflops, "share": gflops / peak}


if __name__ == "__main__":
    main()
