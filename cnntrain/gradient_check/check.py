"""Gradient check: every gradient of a network against finite differences, in float64, by the code that trains.

For each tensor, and for the input, two kinds of derivatives are compared with the backward pass:

- with respect to single entries, ``samples`` of them or all;
- along random directions, which involve every entry: (J(x + h d) - J(x - h d)) / 2h against sum(dJ/dx ⊙ d).
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cnntrain.builder import build
from cnntrain.config import Config, ConfigLike, load_config
from cnntrain.errors import UsageError
from cnntrain.gradient_check.fault_injection import inject as inject_fault
from cnntrain.gradient_check.finite_differences import Evaluate, min_relative_error
from cnntrain.gradient_check.loss_value import LossValue
from cnntrain.network.network import Network
from cnntrain.types import Array, Labels
from cnntrain.weights import weights

BATCH = 3
"""Samples of the random batch; more than one, to detect a mean in place of a sum."""
NORMALIZED_BATCH = 8
"""The same for networks with batch normalization of vectors, whose mean and variance run over the samples only."""
DIRECTIONS = 3
"""Random directions per tensor."""
CHECK = 3
"""Spawn key of the random numbers of this module."""
THRESHOLD = 1e-6
"""Maximum relative error that passes."""
MIN_LOSS = 0.1
"""A sample whose loss is lower gets another label: with a loss of nearly 0, rounding hides every derivative."""

Progress = Callable[[str, int, int], None]
"""Called with the tensor, the number of its derivatives that are done, and their total."""


def gradcheck(
    config: ConfigLike,
    overrides: Sequence[str] = (),
    samples: int | Literal["all"] = 20,
    threshold: float = THRESHOLD,
    inject: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare every gradient of a network with finite differences on a small random batch.

    Args:
        config: A config, its path, a dict as ``load_config`` takes it, or a run folder or weights file, whose weights
            are then checked.
        overrides: ``KEY=VALUE`` overrides of the config.
        samples: Number of random entries to check per tensor, or ``all``.
        threshold: Maximum relative error that passes.
        inject: Faults to put into the backward pass first; see ``cnntrain.gradient_check.fault_injection.FAULTS``.
        progress: Called with the tensor, the number of its derivatives that are done, and their total.

    Returns:
        ``passed``, ``worst``, ``threshold`` and ``tensors``, a list of ``name``, ``entries``, ``checked`` (derivatives
        that were compared), ``kinks`` (derivatives on a kink, which are not comparable) and ``max_relative_error``; and
        ``faults``, for each injected one ``fault``, ``caught`` and ``shows_in``, the tensors whose gradients are wrong.

    Raises:
        UsageError: ``samples``, ``threshold`` or ``inject`` is invalid.
        ConfigError, WeightsError, DataError: The network cannot be built.

    Examples:
        >>> import cnntrain
        >>> report = cnntrain.gradcheck("digits", samples=2)
        >>> report["passed"], report["tensors"][0]["name"]
        (True, 'layers.0.W')
        >>> report = cnntrain.gradcheck("digits", samples=2, inject=["layers.0.W:no_flip"])
        >>> report["passed"], report["faults"]
        (False, [{'fault': 'layers.0.W no_flip', 'caught': True, 'shows_in': ['input']}])
    """
    if samples != "all" and samples < 1:
        raise UsageError(f"--samples: expected a whole number of at least 1, or all, got {samples}")
    if not (math.isfinite(threshold) and threshold > 0):
        raise UsageError(f"--threshold: expected a number above 0, got {threshold}")
    network, seed = load_network(config, overrides)
    faults = [inject_fault(network, fault) for fault in inject]
    result = check_network(network, seed, samples, threshold, progress)
    rows = []
    for name, fault in zip(faults, inject, strict=True):
        alone = result
        if len(faults) > 1:  # which tensor shows which fault, only a check of each can tell
            network, _ = load_network(config, overrides)
            inject_fault(network, fault)
            alone = check_network(network, seed, samples, threshold)
        shows_in = failed_tensors(alone)
        rows.append({"fault": name, "caught": bool(shows_in), "shows_in": shows_in})
    return {**result, "faults": rows}


def failed_tensors(result: dict[str, Any]) -> list[str]:
    """Return the names of the tensors whose gradients failed the check."""
    return [
        tensor["name"]
        for tensor in result["tensors"]
        if not tensor["checked"] or tensor["max_relative_error"] >= result["threshold"]
    ]


def check_network(
    network: Network,
    seed: int,
    samples: int | Literal["all"],
    threshold: float = THRESHOLD,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare every gradient of a network in float64 with finite differences; see ``gradcheck``."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(CHECK,)))
    batch = BATCH
    if network.layout.buffers:
        # A single micro-batch. With images, every pixel is a value of the channel.
        of_vectors = any(len(slot.layer.in_shape) == 1 for slot in network.layout.buffers.values())
        batch = network.micro_batch_size = NORMALIZED_BATCH if of_vectors else BATCH
    x = rng.standard_normal((batch, *network.in_shape))
    y = rng.integers(0, math.prod(network.out_shape), batch)
    relabel_fitted(network, x, y)
    tensors = list(GradientCheck(network, x, y, rng, progress).results(samples, threshold))
    worst = max(tensor["max_relative_error"] for tensor in tensors)
    proven = all(tensor["checked"] for tensor in tensors)
    return {"passed": bool(worst < threshold and proven), "worst": worst, "threshold": threshold, "tensors": tensors}


def load_network(config: ConfigLike, overrides: Sequence[str]) -> tuple[Network, int]:
    """Return the network in float64, and the config's seed.

    A new network gets random biases and gammas: with the initial zeros, a window that sees only padding would lie on
    ReLU's kink and would not be checked.
    """
    if isinstance(config, Mapping) and not isinstance(config, os.PathLike):  # a run is both
        config = load_config(config, overrides)
    elif not isinstance(config, Config):
        path = Path(config)
        if path.is_dir() or path.suffix == ".safetensors":
            saved = weights.load_saved(path, overrides, dtype="float64")
            set_test_class_weights(saved.network, saved.config)
            return saved.network, saved.config.training.seed
        config = load_config(path, overrides)
    network, seed = build(config, dtype="float64"), config.training.seed
    set_test_class_weights(network, config)
    add_random_biases(network, seed)
    return network, seed


def add_random_biases(network: Network, seed: int) -> None:
    """Add random numbers to the biases and gammas of a new network."""
    biases = network.theta[network.layout.W_count : network.layout.trainable_count]
    biases += np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(CHECK, 0))).normal(0, 0.1, biases.size)


def set_test_class_weights(network: Network, config: Config) -> None:
    """Set distinct class weights where ``balanced`` would compute them from the data."""
    if config.training.class_weights == "balanced":
        distinct = tuple(np.linspace(0.5, 1.5, math.prod(network.out_shape)).tolist())
        network.set_objective(replace(network.objective, class_weights=distinct))


def relabel_fitted(network: Network, x: Array, y: Labels) -> None:
    """Give each sample that the network already fits the label it considers least likely, in place.

    A trained network can be so certain of a random label that J is about 1e-6 or less. J then comes from terms of
    size 1, whose rounding is larger than what a small step changes. With the least likely label, J and delta are large.

    Args:
        network: Evaluated in training mode.
        x: The batch ``(N, C, H, W)``.
        y: Its labels; changed.
    """
    weights = network.objective.class_weights
    usable = np.ones(len(network.class_indices), bool) if weights is None else np.array(weights) > 0
    for part in network.micro_batches(len(x)):
        memory = network.load_micro_batch(x, part)
        output = network.forward_micro_batch(memory).reshape(-1, memory.n)
        loss, _ = network.loss(output, network.class_indices[y[part]])
        score = np.where(usable[:, None], output[network.class_indices], np.inf)
        y[part] = np.where((loss < MIN_LOSS) | ~usable[y[part]], score.argmin(axis=0), y[part])


class GradientCheck:
    """The check of one network on one batch."""

    def __init__(
        self, network: Network, x: Array, y: Labels, rng: np.random.Generator, progress: Progress | None = None
    ):
        self.network, self.x, self.y, self.rng = network, x, y, rng
        self.progress = progress
        _, gradient, dx = network.gradient(x, y)
        self.value = LossValue(network, x, y)
        self.tensors = {
            name: (slot.position, network.theta[slot.slice], gradient[slot.slice])
            for name, slot in network.layout.trained.items()
        }
        if dx is not None:
            self.tensors["input"] = (0, x.reshape(-1), dx.reshape(-1))

    def results(self, samples: int | Literal["all"], threshold: float) -> Iterator[dict[str, Any]]:
        """Yield the result for each parameter and for the input."""
        for name, (position, values, gradient) in self.tensors.items():
            size = values.size
            entries = np.arange(size) if samples == "all" else self.rng.permutation(size)[:samples]
            worst, checked, kinks = 0.0, 0, 0
            total = len(entries) + DIRECTIONS
            for done in range(total):
                index: Any
                direction: Any
                if done < len(entries):
                    index, direction = entries[done], 1.0
                else:
                    # Random signs, a unit vector: every entry moves by the same amount.
                    index, direction = slice(None), self.rng.choice([-1.0, 1.0], size) / math.sqrt(size)
                analytic = float(np.sum(gradient[index] * direction))
                error = min_relative_error(analytic, self.loss_along(position, values, index, direction), threshold)
                if error is None:
                    kinks += 1
                else:
                    checked += 1
                    worst = max(worst, error)
                if self.progress is not None:
                    self.progress(name, done + 1, total)
            yield {"name": name, "entries": size, "checked": checked, "kinks": kinks, "max_relative_error": worst}

    def loss_along(self, position: int, values: Array, index: Any, direction: Any) -> Evaluate:
        """Return J and its pattern as a function of t, by which entries of a tensor move along ``direction``."""
        before = np.copy(values[index])

        def evaluate(t: float) -> tuple[float, bytes]:
            values[index] = before + t * direction
            J, pattern = self.value(position)
            values[index] = before
            return J, pattern

        return evaluate
