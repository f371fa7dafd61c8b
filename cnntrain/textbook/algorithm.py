"""The article's algorithm (section 5): forward pass, backward pass and step, for one sample or for a micro-batch.

The samples of a micro-batch are independent, except in batch normalization.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.textbook.activations import loss_value, output_delta, sigma, sigma_prime
from cnntrain.textbook.batch_norm import (
    batch_norm_db,
    batch_norm_dgamma,
    batch_norm_evaluation,
    batch_norm_forward,
    delta_through_batch_norm,
    delta_through_dropout,
    delta_through_residual,
    dropout_forward,
    residual_forward,
)
from cnntrain.textbook.layers import (
    conv_db,
    conv_dW,
    conv_forward,
    delta_through_conv,
    delta_through_fc,
    fc_db,
    fc_dW,
    fc_forward,
    pool_forward,
    upsample,
)

Array = NDArray[np.float64]
Layer = Mapping[str, Mapping[str, Any]]  # as in the YAML file: {"conv": {"K": 2, "F": 3, "activation": "relu"}}
Parameters = Mapping[str, Array]  # {"layers.0.W": ..., "layers.0.b": ...}, numbered by the index of the layer
Masks = Mapping[int, Any]  # by the index of a dropout layer, one mask per sample; of a residual block, masks again

EPS = 1e-5


def forward(layers: Sequence[Layer], parameters: Parameters, x: Array) -> tuple[list[Array], list[Array]]:
    """The forward pass of one sample in evaluation mode (section 5): z of every layer; x, then a of every layer."""
    z, a = [], [x]
    for at, layer in enumerate(layers):
        [(kind, options)] = layer.items()
        if kind == "batch_norm":
            keys = ("gamma", "b", "running_mean", "running_var")
            gamma, b, mean, var = (parameters[f"layers.{at}.{key}"] for key in keys)
            z.append(batch_norm_evaluation(gamma, b, mean, var, a[at], options.get("eps", EPS)))
        elif kind == "residual":
            F, shortcut = branches(options, parameters, at)
            z.append(residual_forward(forward(*F, a[at])[1][-1], forward(*shortcut, a[at])[1][-1]))
        else:
            z.append(z_of(layer, parameters, at, a[at]))
        a.append(sigma(z[at], activation_of(layer)))
    return z, a


def z_of(layer: Layer, parameters: Parameters, at: int, a: Array) -> Array:
    """z of one sample, for any layer but batch_norm and residual; a missing b is 0."""
    [(kind, options)] = layer.items()
    if kind == "dropout":
        return a
    if kind == "pool":
        return pool_forward(a, options["k"], stride_of(options), options["type"], options.get("P", 0))
    W = parameters[f"layers.{at}.W"]
    b = parameters.get(f"layers.{at}.b", np.zeros(len(W)))  # before a batch_norm there is none
    if kind == "conv":
        return conv_forward(W, b, a, options.get("P", 0), options.get("S", 1))
    return fc_forward(W, b, a.reshape(-1))  # an image is flattened in C, H, W order


def activation_of(layer: Layer) -> str:
    """The layer's activation; identity by default and for pool, where sigma(z) = z (section 2)."""
    [options] = layer.values()
    return str(options.get("activation", "identity"))


def stride_of(pool: Mapping[str, Any]) -> int:
    """The S of a pool: k by default; irrelevant for a pool over the whole image."""
    return 1 if pool["k"] == "all" else int(pool.get("S", pool["k"]))


def micro_batch_forward(
    layers: Sequence[Layer], parameters: Parameters, samples: Sequence[Array], masks: Masks | None = None
) -> tuple[list[list[Array]], list[list[Array]]]:
    """The forward pass of a micro-batch in training: z[layer][sample] and a[layer][sample], where a[0] is the input."""
    z: list[list[Array]] = []
    a = [list(samples)]
    for at, layer in enumerate(layers):
        [(kind, options)] = layer.items()
        if kind == "batch_norm":
            gamma, b = parameters[f"layers.{at}.gamma"], parameters[f"layers.{at}.b"]
            z.append(batch_norm_forward(gamma, b, a[at], options.get("eps", EPS)))
        elif kind == "dropout":
            z.append([dropout_forward(*pair) for pair in zip((masks or {})[at], a[at], strict=True)])
        elif kind == "residual":
            F, shortcut = branches(options, parameters, at)
            f = micro_batch_forward(*F, a[at], (masks or {}).get(at))[1][-1]
            s = micro_batch_forward(*shortcut, a[at])[1][-1]
            z.append([residual_forward(*pair) for pair in zip(f, s, strict=True)])
        else:
            z.append([z_of(layer, parameters, at, a_n) for a_n in a[at]])
        a.append([sigma(z_n, activation_of(layer)) for z_n in z[at]])
    return z, a


def micro_batch_gradients(
    layers: Sequence[Layer],
    parameters: Parameters,
    samples: Sequence[Array],
    labels: Sequence[int],
    loss: str,
    masks: Masks | None = None,
) -> tuple[float, dict[str, Array], list[Array]]:
    """Forward and backward pass of a micro-batch (section 5): J, every dW, db and dgamma, and dJ/dx of every sample.

    J and the gradients are sums over the samples.
    delta^l = (delta^(l+1) propagated back through layer l + 1, by the rule of that layer) ⊙ sigma'(z^l), for l = L - 1
    down to 1.
    """
    z, a = micro_batch_forward(layers, parameters, samples, masks)
    y = [np.zeros(z_n.shape) for z_n in z[-1]]
    for y_n, label in zip(y, labels, strict=True):
        y_n.flat[label] = 1
    last = activation_of(layers[-1])
    J = sum(loss_value(z_n, y_n, last, loss) for z_n, y_n in zip(z[-1], y, strict=True))
    delta = [output_delta(z_n, y_n, last, loss) for z_n, y_n in zip(z[-1], y, strict=True)]
    return J, *backward(layers, parameters, z, a, delta, masks)


def backward(
    layers: Sequence[Layer],
    parameters: Parameters,
    z: Sequence[Sequence[Array]],
    a: Sequence[Sequence[Array]],
    delta: list[Array],
    masks: Masks | None = None,
) -> tuple[dict[str, Array], list[Array]]:
    """The backward pass of a micro-batch from delta = dJ/dz of the last layer: every gradient, and dJ/dx."""
    gradients: dict[str, Array] = {}
    for at in reversed(range(len(layers))):
        of_layer = (masks or {}).get(at, ())
        if "residual" in layers[at]:
            found, delta = back_through_residual(layers[at]["residual"], parameters, at, a[at], delta, of_layer or None)
            gradients |= found
        else:
            gradients |= gradients_of(layers[at], parameters, at, a[at], delta)
            delta = delta_through(layers[at], parameters, at, a[at], delta, of_layer)
        if at > 0:
            sigma_before = activation_of(layers[at - 1])
            delta = [d_n * sigma_prime(z_n, sigma_before) for d_n, z_n in zip(delta, z[at - 1], strict=True)]
    return gradients, delta


def branches(
    options: Mapping[str, Any], parameters: Parameters, at: int
) -> tuple[tuple[Sequence[Layer], Parameters], tuple[Sequence[Layer], Parameters]]:
    """The two ways through a residual block, F and the shortcut: the layers and parameters of each.

    The shortcut has no layers, or a convolution with 1 x 1 kernels and the stride of F, and batch_norm if F has it.
    """
    prefix, F = f"layers.{at}.", options["layers"]
    inside = {name.removeprefix(prefix): value for name, value in parameters.items() if name.startswith(prefix)}
    of_F = {f"layers.{name}": value for name, value in inside.items() if not name.startswith("shortcut.")}
    of_shortcut = {
        f"layers.{0 if name.endswith('.W') else 1}.{name.removeprefix('shortcut.')}": value
        for name, value in inside.items()
        if name.startswith("shortcut.")
    }
    shortcut: list[Layer] = []
    if of_shortcut:
        shortcut = [{"conv": {"K": len(of_shortcut["layers.0.W"]), "F": 1, "S": stride_through(F)}}]
    if len(of_shortcut) > 1:
        shortcut.append({"batch_norm": {"eps": [eps for layer in F for eps in eps_in(layer)][-1]}})
    return (F, of_F), (shortcut, of_shortcut)


def stride_through(layers: Sequence[Layer]) -> int:
    """The stride of several layers: the product of theirs."""
    product = 1
    for layer in layers:
        [(kind, options)] = layer.items()
        if kind == "residual":
            product *= stride_through(options["layers"])
        elif kind == "pool":
            product *= stride_of(options)
        else:
            product *= int(options.get("S", 1))
    return product


def eps_in(layer: Layer) -> list[float]:
    """The eps of a batch_norm, or of all in a residual block."""
    [(kind, options)] = layer.items()
    if kind == "residual":
        return [eps for inner in options["layers"] for eps in eps_in(inner)]
    return [float(options.get("eps", EPS))] if kind == "batch_norm" else []


def back_through_residual(
    options: Mapping[str, Any],
    parameters: Parameters,
    at: int,
    a: Sequence[Array],
    delta: list[Array],
    masks: Masks | None,
) -> tuple[dict[str, Array], list[Array]]:
    """Every gradient in a residual block, and delta_prev: delta takes the ways through F and through the shortcut."""
    gradients: dict[str, Array] = {}
    ways = []
    for name, (layers, inside) in zip(("", "shortcut"), branches(options, parameters, at), strict=True):
        z, outputs = micro_batch_forward(layers, inside, a, masks)
        of_branch = delta
        if layers:
            sigma_last = activation_of(layers[-1])
            of_branch = [d_n * sigma_prime(z_n, sigma_last) for d_n, z_n in zip(delta, z[-1], strict=True)]
        found, through = backward(layers, inside, z, outputs, of_branch, masks)
        ways.append(through)
        for key, gradient in found.items():
            inner = f"shortcut.{key.split('.')[-1]}" if name else key.removeprefix("layers.")
            gradients[f"layers.{at}.{inner}"] = gradient
    return gradients, [delta_through_residual(*pair) for pair in zip(*ways, strict=True)]


def gradients_of(
    layer: Layer, parameters: Parameters, at: int, a: Sequence[Array], delta: Sequence[Array]
) -> dict[str, Array]:
    """dW, db and dgamma of a layer by name, summed over the samples."""
    [(kind, options)] = layer.items()
    pairs = list(zip(a, delta, strict=True))
    gradients: dict[str, Array] = {}
    if kind == "batch_norm":
        gradients = {"gamma": batch_norm_dgamma(a, delta, options.get("eps", EPS)), "b": batch_norm_db(delta)}
    elif kind == "conv":
        F, P, S = options["F"], options.get("P", 0), options.get("S", 1)
        gradients = {"W": np.sum([conv_dW(a_n, d_n, F, P, S) for a_n, d_n in pairs], axis=0)}
        gradients["b"] = np.sum([conv_db(d_n) for d_n in delta], axis=0)
    elif kind == "fc":
        gradients = {"W": np.sum([fc_dW(a_n.reshape(-1), d_n) for a_n, d_n in pairs], axis=0)}
        gradients["b"] = np.sum([fc_db(d_n) for d_n in delta], axis=0)
    return {f"layers.{at}.{key}": value for key, value in gradients.items() if f"layers.{at}.{key}" in parameters}


def delta_through(
    layer: Layer, parameters: Parameters, at: int, a: Sequence[Array], delta: Sequence[Array], masks: Sequence[Array]
) -> list[Array]:
    """Delta propagated back through a layer, by its rule: dJ/d input, for every sample."""
    [(kind, options)] = layer.items()
    pairs = list(zip(a, delta, strict=True))
    if kind == "batch_norm":
        return delta_through_batch_norm(parameters[f"layers.{at}.gamma"], a, delta, options.get("eps", EPS))
    if kind == "dropout":
        return [delta_through_dropout(mask, d_n) for mask, d_n in zip(masks, delta, strict=True)]
    if kind == "pool":
        keys = options["k"], stride_of(options), options["type"], options.get("P", 0)
        return [upsample(d_n, a_n, *keys) for a_n, d_n in pairs]
    W = parameters[f"layers.{at}.W"]
    if kind == "conv":
        P, S = options.get("P", 0), options.get("S", 1)
        return [delta_through_conv(W, d_n, a_n.shape, P, S) for a_n, d_n in pairs]
    return [delta_through_fc(W, d_n).reshape(a_n.shape) for a_n, d_n in pairs]


def sample_gradients(
    layers: Sequence[Layer], parameters: Parameters, x: Array, label: int, loss: str
) -> tuple[float, dict[str, Array], Array]:
    """Forward and backward pass of one sample (section 5): J, every dW and db by parameter name, and dJ/dx."""
    J, gradients, [dx] = micro_batch_gradients(layers, parameters, [x], [label], loss)
    return J, gradients, dx


def epoch(
    layers: Sequence[Layer], parameters: Parameters, samples: Array, labels: Sequence[int], alpha: float, loss: str
) -> dict[str, Array]:
    """One epoch over m samples (section 5): W = W - alpha sum_i dW_i, b = b - alpha sum_i db_i."""
    gradients = [sample_gradients(layers, parameters, *pair, loss)[1] for pair in zip(samples, labels, strict=True)]
    return {name: W - alpha * sum(dW[name] for dW in gradients) for name, W in parameters.items()}
