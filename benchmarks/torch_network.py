"""The network of a config in PyTorch, as its users would write it.

It does not import cnntrain, so that a whole command with PyTorch alone can be timed.
"""

import math
from typing import Any

import torch
from torch import nn

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "elu": nn.ELU,
}
RECTIFIERS = {"relu", "leaky_relu", "softplus", "elu"}
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def build(layers: list[dict[str, Any]], input_shape: tuple[int, ...], classes: int, layout: str) -> nn.Sequential:
    """Return the network up to the scores, which ``cross_entropy`` takes; parameters drawn by cnntrain's rules.

    Args:
        layers: ``network.layers`` of a resolved config.
        input_shape: (C, H, W).
        classes: Units of the last layer.
        layout: A key of ``LAYOUTS``.
    """
    torch.manual_seed(0)
    modules, _ = modules_of(layers, input_shape, classes)
    return nn.Sequential(*modules).to(memory_format=LAYOUTS[layout])


def modules_of(
    layers: list[dict[str, Any]], shape: tuple[int, ...], classes: int
) -> tuple[list[nn.Module], tuple[int, ...]]:
    """Return the modules of ``layers`` and the shape of their output, (C, H, W) or (features,)."""
    modules: list[nn.Module] = []
    for index, entry in enumerate(layers):
        (kind, o), *_ = entry.items()
        if kind == "conv":
            bias = "batch_norm" not in (layers[index + 1] if index + 1 < len(layers) else {})
            module: nn.Module = nn.Conv2d(shape[0], o["K"], o["F"], stride=o["S"], padding=o["P"], bias=bias)
            shape = o["K"], *((side + 2 * o["P"] - o["F"]) // o["S"] + 1 for side in shape[1:])
        elif kind == "batch_norm":
            module = nn.BatchNorm1d(shape[0]) if len(shape) == 1 else nn.BatchNorm2d(shape[0])
        elif kind == "dropout":
            module = nn.Dropout(o["rate"])
        elif kind == "pool" and o["k"] == "all":
            module = {"max": nn.AdaptiveMaxPool2d, "average": nn.AdaptiveAvgPool2d}[o["type"]](1)
            shape = shape[0], 1, 1
        elif kind == "pool":
            S = o.get("S", o["k"])
            module = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}[o["type"]](o["k"], S, o["P"])
            shape = shape[0], *((side + 2 * o["P"] - o["k"]) // S + 1 for side in shape[1:])
        elif kind == "residual":
            module = Residual(o["layers"], shape, classes)
            shape = module.out_shape
        else:
            if len(shape) > 1:
                modules.append(nn.Flatten())
            module = nn.Linear(math.prod(shape), o.get("units", classes))
            shape = (o.get("units", classes),)
        modules.append(module)
        initialize(module, o.get("init") or ("he" if o.get("activation") in RECTIFIERS else "xavier"))
        if o.get("activation") in ACTIVATIONS:
            modules.append(ACTIVATIONS[o["activation"]]())
    return modules, shape


class Residual(nn.Module):  # type: ignore[misc]
    """A residual block up to its activation, as in torchvision's ResNet."""

    def __init__(self, layers: list[dict[str, Any]], shape: tuple[int, ...], classes: int):
        super().__init__()
        modules, self.out_shape = modules_of(layers, shape, classes)
        self.layers, self.shortcut = nn.Sequential(*modules), nn.Sequential()
        if self.out_shape != shape:
            stride = -(-shape[1] // self.out_shape[1])
            conv = nn.Conv2d(shape[0], self.out_shape[0], 1, stride=stride, bias=False)
            initialize(conv, "xavier")
            normalized = any("batch_norm" in layer for layer in layers)
            self.shortcut = nn.Sequential(conv, *([nn.BatchNorm2d(self.out_shape[0])] if normalized else []))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return F(x) + x."""
        result: torch.Tensor = self.layers(x) + self.shortcut(x)
        return result


def initialize(module: nn.Module, rule: str) -> None:
    """Draw weights by one of cnntrain's rules; biases begin at 0."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        match rule:
            case "he":
                nn.init.normal_(module.weight, 0, math.sqrt(2 / module.weight[0].numel()))
            case "xavier":
                nn.init.xavier_uniform_(module.weight)
            case "normal":
                nn.init.normal_(module.weight, 0, 0.01)
            case "uniform":
                nn.init.uniform_(module.weight, -0.05, 0.05)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def optimizer(network: nn.Module, training: dict[str, Any]) -> torch.optim.Optimizer:
    """Return the optimizer of ``training`` of a resolved config."""
    parameters, alpha, kind = network.parameters(), training["alpha"], training["optimizer"]
    if kind == "sgd":
        momentum, nesterov = training["momentum"], training["nesterov"]
        return torch.optim.SGD(parameters, alpha, momentum, weight_decay=training["l2"], nesterov=nesterov)
    if kind == "rmsprop":
        return torch.optim.RMSprop(parameters, alpha, training["rho"], training["eps"], training["l2"])
    betas, eps = (training["beta1"], training["beta2"]), training["eps"]
    if kind == "adam":
        return torch.optim.Adam(parameters, alpha, betas, eps, training["l2"])
    return torch.optim.AdamW(parameters, alpha, betas, eps, training["weight_decay"])


def train_step(
    network: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor, label_smoothing: float = 0.0
) -> torch.Tensor:
    """One training step; returns the loss."""
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(network(x), y, label_smoothing=label_smoothing)
    loss.backward()
    optimizer.step()
    return loss
