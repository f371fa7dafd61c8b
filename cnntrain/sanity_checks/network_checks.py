"""Checks of a network before training: its first loss, penalty, activations and gradients."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.gradient_check.check import check_network, failed_tensors
from cnntrain.layers.activation import Activation
from cnntrain.layers.softmax import Softmax
from cnntrain.network.network import Network
from cnntrain.ops.phases import memory_shape
from cnntrain.sanity_checks.finding import Finding, finding, status_of
from cnntrain.sanity_checks.short_training import some_samples
from cnntrain.training.diagnostics import LayerDiagnostics
from cnntrain.training.samples import TrainingSamples

MAX_SAMPLES = 256
"""Training samples whose loss is computed."""
WARN_LOSS, FAIL_LOSS = 4.0, 10.0
"""How many times the loss of a guess the first loss may be."""
WARN_PENALTY, FAIL_PENALTY = 1.0, 10.0
"""How many times the loss the penalty may be."""
MORE = 10.0
"""Factor of the penalty with which the loss must be higher."""
TEST_L2 = 1e-3
"""l2 to check with where the config has no penalty."""
TEST_W = 0.01
"""W to check with where all of it is 0."""
WARN_IDLE, FAIL_IDLE = 0.6, 0.95
"""Share of the units of a layer that may be dead or saturated."""
ENTRIES = 5
"""Entries of each tensor whose gradient is checked."""


def loss_of_a_guess(network: Network, labels: Any) -> tuple[float, str]:
    """Return the loss of a network that knows nothing, z = 0 in the last layer, and its formula.

    Cross entropy of C equal probabilities is log(C). For the squared error, the output is sigma(0).
    """
    classes = len(network.class_indices)
    if network.objective.loss == "cross_entropy":
        return math.log(classes), f"log({classes}) = {math.log(classes):.3g}"
    last = network.layers[-1]
    z = np.zeros((*memory_shape(last.out_shape), len(labels)), network.dtype)
    cache = last.cache(len(labels), network.dtype)
    a = z
    if isinstance(last, Activation):
        a = np.empty_like(z)
        last.sigma.forward(z, a, cache.zeros)
    elif isinstance(last, Softmax):
        a = last.forward(z, cache)
    loss, _, _ = network.compute_loss(a, labels)
    mean = loss / len(labels)
    return mean, f"{mean:.3g} for z = 0 in the last layer"


def initial_loss(config: Config, network: Network, data: Data) -> tuple[Finding, float]:
    """Compare the loss of the untrained network with that of a guess; also return it."""
    train = some_samples(data.train, MAX_SAMPLES, config.training.seed, 2)
    samples = TrainingSamples(replace(data, train=train), config.training)
    total = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for part in network.micro_batches(len(train)):
            workspace = network.workspace(part.stop - part.start)
            labels = samples.load(workspace, 1, np.arange(part.start, part.stop))
            total += network.compute_loss(network.forward_micro_batch(workspace), labels)[0]
    loss = total / len(train)
    expected, formula = loss_of_a_guess(network, train.labels)
    if not math.isfinite(loss):
        text = f"the loss of the untrained network is not finite on {len(train):,} training samples"
        return finding("initial loss", "fail", text, LOSS_ADVICE, loss=loss, expected=expected), loss
    text = f"{loss:.3g} on {len(train):,} training samples; a guess has {formula}"
    status = status_of(loss > WARN_LOSS * expected, loss > FAIL_LOSS * expected)
    return finding("initial loss", status, text, LOSS_ADVICE, loss=loss, expected=expected), loss


LOSS_ADVICE = (
    "the first outputs are too large: leave out init (he and xavier suit the activations), keep data.standardize, or "
    "add batch_norm"
)


def penalty(network: Network, loss: float) -> Finding:
    """Check that a penalty on W raises J, and that it does not outweigh the loss."""
    objective = network.objective
    W = network.theta[: network.layout.W_count]
    own = objective.penalty(W)
    if not W.any():  # init: zeros
        W = np.full_like(W, TEST_W)
    tested = objective if objective.l1 or objective.l2 else replace(objective, l2=TEST_L2)
    base = tested.penalty(W)
    more = replace(tested, l1=MORE * tested.l1, l2=MORE * tested.l2).penalty(W)
    names = " and ".join(f"{key}={value:g}" for key in ("l1", "l2") if (value := getattr(tested, key)))
    scale = objective.scale(1) if objective.reduction == "mean" else 1.0
    text = f"{names} adds {base:.3g} to a loss of {loss:.3g}, and {MORE:g} times as much adds {more:.3g}"
    if not own:
        text = f"none set; {text}"
    if not more > base > 0:
        advice = "the penalty does not reach J: please report this as a bug of cnntrain"
        return finding("penalty", "fail", text, advice, penalty=base)
    status = status_of(own > WARN_PENALTY * loss * scale, own > FAIL_PENALTY * loss * scale)
    advice = "reduce l1 and l2: the penalty outweighs the loss, and W shrinks instead of learning"
    return finding("penalty", status, text, advice, penalty=own)


def dead_units(layers: list[LayerDiagnostics], when: str, samples: int) -> Finding:
    """Look for ReLUs that are 0 for every sample."""
    dead = {row.name: row.dead for row in layers if row.dead is not None}
    advice = "lower training.alpha, or use leaky_relu or batch_norm: a dead ReLU passes no gradient back"
    return idle_units("dead ReLUs", "dead", "ReLU", dead, when, samples, advice)


def saturated_units(layers: list[LayerDiagnostics], when: str, samples: int) -> Finding:
    """Look for sigmoids and tanhs at their limits."""
    saturated = {row.name: row.saturated for row in layers if row.saturated is not None}
    advice = "use smaller initial weights (init: xavier) or batch_norm, or relu: sigma' is nearly 0 there"
    return idle_units("saturated units", "saturated", "sigmoid or tanh", saturated, when, samples, advice)


def idle_units(
    check: str, what: str, activation: str, shares: dict[str, float], when: str, samples: int, advice: str
) -> Finding:
    """Return the finding on the shares of idle units by layer."""
    if not shares:
        return finding(check, "pass", f"no layer has a {activation}", "")
    worst = max(shares, key=lambda name: shares[name])
    text = f"at most {shares[worst]:.0%} {what}, in {worst} ({when}, {samples} samples)"
    status = status_of(shares[worst] > WARN_IDLE, shares[worst] > FAIL_IDLE)
    return finding(check, status, text, advice, **shares)


def gradients(network: Network, seed: int, what: str) -> Finding:
    """Compare some gradients with finite differences.

    Args:
        network: The network in float64; see ``cnntrain.gradient_check.check.load_network``.
        seed: Seed of the entries and of the random batch.
        what: ``new`` or ``trained``.
    """
    result = check_network(network, seed, ENTRIES)
    names = failed_tensors(result)
    checked = sum(tensor["checked"] for tensor in result["tensors"])
    text = (
        f"{checked:,} derivatives of {len(result['tensors'])} tensors of the {what} network: worst relative error "
        f"{result['worst']:.1e}, limit {result['threshold']:g}"
    )
    if names:
        text = f"wrong: {', '.join(names)}; {text}"
    advice = "run cnntrain gradcheck: the backward pass is not the derivative of the forward pass"
    return finding("gradients", "fail" if not result["passed"] else "pass", text, advice, worst=result["worst"])
