"""The article's formulas, as literally as Python allows: one sample, loops over pixels, float64, no tricks.

This file is the specification in code. The engine is tested against it and nothing in training calls it, so it is
slow on purpose. Section numbers are the article's; docs/notation.md lists its misprints, none of which is copied.

Shapes of one sample, with indices counted from 0 where the article counts from 1:

- an image ``a`` is ``(C, H, W)``, a vector ``(features,)``; ``z`` and ``delta`` = dJ/dz have the shape of their ``a``;
- conv: ``W`` is ``(K, C, F, F)``, ``b`` ``(K,)``; fc: ``W`` is ``(units, features)``, ``b`` ``(units,)``;
- ``y`` is the label as a vector, 1 at the class and 0 elsewhere, of the shape of the output.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy import ndindex
from numpy.typing import NDArray

Array = NDArray[np.float64]
Layer = Mapping[str, Mapping[str, Any]]  # as in the YAML file: {"conv": {"K": 2, "F": 3, "activation": "relu"}}
Parameters = Mapping[str, Array]  # {"layers.0.W": ..., "layers.0.b": ...}, numbered by the layer's place


def fc_forward(W: Array, b: Array, a: Array) -> Array:
    """z_u = sum_v W_uv a_v + b_u, that is z = W a + b (section 5). ``a`` (features,) -> ``z`` (units,)."""
    return np.array([sum(W[u, v] * a[v] for v in range(len(a))) + b[u] for u in range(len(b))])


def conv_forward(W: Array, b: Array, a: Array, P: int = 0, S: int = 1) -> Array:
    """z_kij = sum_cpq W_kcpq a_c,Si+p-P,Sj+q-P + b_k, that is z = a * W + b (section 3).

    ``a`` (C, H, W) -> ``z`` (K, OH, OW) with OH = (H + 2P - F) // S + 1. Pixels outside the image are 0. The kernel is
    not flipped: the article's ``*`` is what mathematics calls a cross-correlation.
    """
    (K, C, F, _), a = W.shape, np.pad(a, ((0, 0), (P, P), (P, P)))
    z = np.zeros((K, (a.shape[1] - F) // S + 1, (a.shape[2] - F) // S + 1))
    for k, i, j in ndindex(z.shape):
        z[k, i, j] = sum(W[k, c, p, q] * a[c, S * i + p, S * j + q] for c, p, q in ndindex(C, F, F)) + b[k]
    return z


def pool_forward(a: Array, k: int, S: int, type: str) -> Array:
    """z_cij = max or average of the k x k region of a_c whose first pixel is Si, Sj (section 5).

    ``a`` (C, H, W) -> ``z`` (C, OH, OW) with OH = (H - k) // S + 1: regions that do not fit are left out.
    """
    C, H, width = a.shape
    z = np.zeros((C, (H - k) // S + 1, (width - k) // S + 1))
    for c, i, j in ndindex(z.shape):
        region = [a[c, S * i + p, S * j + q] for p, q in ndindex(k, k)]
        z[c, i, j] = max(region) if type == "max" else sum(region) / k**2
    return z


def rot180(W: Array) -> Array:
    """W upside down, then left to right: each kernel turned by 180 degrees (section 3)."""
    return W[..., ::-1, :][..., ::-1]


def true_convolution(x: Array, w: Array) -> Array:
    """The convolution of mathematics, x_i-p,j-q w_pq summed over p and q. ``x`` (H, W) -> (H + F - 1, W + F - 1).

    It is what the article writes as (x with F - 1 zeros around it) * rot180(w): why its section 3 turns the kernel.
    """
    result = np.zeros(np.add(x.shape, w.shape) - 1)
    for i, j, p, q in ndindex(*x.shape, *w.shape):
        result[i + p, j + q] += x[i, j] * w[p, q]
    return result


def delta_through_fc(W: Array, delta: Array) -> Array:
    """dJ/da_v = sum_u W_uv delta_u, that is W^T delta (section 1). ``delta`` (units,) -> (features,)."""
    return np.array([sum(W[u, v] * delta[u] for u in range(len(delta))) for v in range(W.shape[1])])


def delta_through_conv(W: Array, delta: Array, a_shape: tuple[int, ...], P: int = 0, S: int = 1) -> Array:
    """dJ/da = delta * rot180(W) (section 3). ``delta`` (K, OH, OW) -> ``a_shape`` (C, H, W).

    delta is spread out, S - 1 zeros between its values, and F - 1 zeros go around it (more at the end where a stride
    leaves rows or columns unread). The flipped kernels turn it into dJ/d(padded a), whose padding is then cut off.
    """
    (K, C, F, _), (_, H, width) = W.shape, a_shape
    spread = np.zeros((K, H + 2 * P + F - 1, width + 2 * P + F - 1))
    for k, i, j in ndindex(delta.shape):
        spread[k, F - 1 + S * i, F - 1 + S * j] = delta[k, i, j]
    padded = conv_forward(rot180(W).swapaxes(0, 1), np.zeros(C), spread)  # a sum over the K filters
    return padded[:, P : P + H, P : P + width]


def upsample(delta: Array, a: Array, k: int, S: int, type: str) -> Array:
    """dJ/da = upsample(delta) (section 3). ``delta`` (C, OH, OW), the pool's input ``a`` (C, H, W) -> (C, H, W).

    Max puts a value where the maximum was found: one position, in a tie the first, row by row. Average puts 1 / k^2 of
    it on each pixel of its region. Where regions overlap, they add up; a pixel in no region gets 0.
    """
    result = np.zeros(a.shape)
    for c, i, j in ndindex(delta.shape):
        region = [(c, S * i + p, S * j + q) for p, q in ndindex(k, k)]
        if type == "max":
            result[max(region, key=lambda pixel: a[pixel])] += delta[c, i, j]
        else:
            for pixel in region:
                result[pixel] += delta[c, i, j] / k**2
    return result


def fc_dW(a: Array, delta: Array) -> Array:
    """dJ/dW_uv = delta_u a_v, that is delta a^T (section 1). ``delta`` (units,) -> (units, features)."""
    return np.array([[delta_u * a_v for a_v in a] for delta_u in delta])


def fc_db(delta: Array) -> Array:
    """dJ/db = delta (section 1)."""
    return delta.copy()


def conv_dW(a: Array, delta: Array, F: int, P: int = 0, S: int = 1) -> Array:
    """dJ/dW_kcpq = sum_ij delta_kij a_c,Si+p-P,Sj+q-P, that is a * delta, not flipped (section 4).

    ``a`` (C, H, W), ``delta`` (K, OH, OW) -> (K, C, F, F).
    """
    (K, OH, OW), a = delta.shape, np.pad(a, ((0, 0), (P, P), (P, P)))
    dW = np.zeros((K, len(a), F, F))
    for k, c, p, q in ndindex(dW.shape):
        dW[k, c, p, q] = sum(delta[k, i, j] * a[c, S * i + p, S * j + q] for i, j in ndindex(OH, OW))
    return dW


def conv_db(delta: Array) -> Array:
    """dJ/db_k = sum_uv delta_kuv (section 4). ``delta`` (K, OH, OW) -> (K,)."""
    return np.array([sum(delta_k[u, v] for u, v in ndindex(delta_k.shape)) for delta_k in delta])


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^-z), written e^z / (1 + e^z) where z < 0 so that nothing overflows."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


Function = Callable[[Array], Array]
SIGMA: dict[str, tuple[Function, Function]] = {  # sigma(z) and sigma'(z), each pixel by itself
    "identity": (lambda z: z, lambda z: np.ones_like(z)),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1.0, 0.01)),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 4 * sigmoid(2 * z) * sigmoid(-2 * z)),  # 1 - tanh^2 without its cancellation
    "softplus": (lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))), sigmoid),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))), lambda z: np.exp(np.minimum(z, 0))),
}


def softmax(z: Array) -> Array:
    """a_i = e^z_i / sum_j e^z_j (section 5), the greatest z first taken off, which changes nothing but overflow."""
    e = np.exp(z - z.max())
    return np.asarray(e / e.sum())


def sigma(z: Array, activation: str) -> Array:
    """a = sigma(z), an activation of SIGMA or softmax (section 5)."""
    return softmax(z) if activation == "softmax" else SIGMA[activation][0](z)


def sigma_prime(z: Array, activation: str) -> Array:
    """sigma'(z), of the shape of z (section 1); at 0 relu and leaky_relu take the slope of their left side."""
    return SIGMA[activation][1](z)


def loss_value(z: Array, y: Array, activation: str, loss: str) -> float:
    """J of one sample: cross_entropy -sum_i y_i log a_i with a = Softmax(z), or mse 1/2 |a - y|^2."""
    if loss == "cross_entropy":
        z = z - z.max()
        return float((y * (np.log(np.exp(z).sum()) - z)).sum())  # finite even where a is 0
    return float(((sigma(z, activation) - y) ** 2).sum() / 2)


def output_delta(z: Array, y: Array, activation: str, loss: str) -> Array:
    """delta^L = dJ/da ⊙ sigma'(z^L) (section 1), of the shape of z.

    - cross_entropy on softmax: a - y
    - mse on softmax, where every a depends on every z: delta_i = sum_j (a_j - y_j) a_j ([i = j] - a_i)
    - mse on any other: (a - y) ⊙ sigma'(z)
    """
    a = sigma(z, activation)
    if loss == "cross_entropy":
        return a - y
    if activation == "softmax":
        return np.array([sum((a[j] - y[j]) * a[j] * ((i == j) - a[i]) for j in range(len(a))) for i in range(len(a))])
    return (a - y) * sigma_prime(z, activation)


def forward(layers: Sequence[Layer], parameters: Parameters, x: Array) -> tuple[list[Array], list[Array]]:
    """One sample forward (section 5): the z of every layer, and x and the a of every layer."""
    z, a = [], [x]
    for at, layer in enumerate(layers):
        [(kind, options)] = layer.items()
        if kind == "pool":
            z.append(pool_forward(a[at], options["k"], options.get("S", options["k"]), options["type"]))
        else:
            W, b = parameters[f"layers.{at}.W"], parameters[f"layers.{at}.b"]
            if kind == "conv":
                z.append(conv_forward(W, b, a[at], options.get("P", 0), options.get("S", 1)))
            else:
                z.append(fc_forward(W, b, a[at].reshape(-1)))  # an image is read in C, H, W order
        a.append(sigma(z[at], activation_of(layer)))
    return z, a


def activation_of(layer: Layer) -> str:
    """The layer's activation; identity if it names none, and for pool, where sigma(z) = z (section 2)."""
    [options] = layer.values()
    return str(options.get("activation", "identity"))


def sample_gradients(
    layers: Sequence[Layer], parameters: Parameters, x: Array, label: int, loss: str
) -> tuple[float, dict[str, Array], Array]:
    """One sample forward and back (section 5): J, the dW and db of every layer by parameter name, and dJ/dx.

    delta^l = (delta^(l+1) taken through layer l + 1, by the rule of that layer) ⊙ sigma'(z^l), for l = L - 1 down to 1.
    """
    z, a = forward(layers, parameters, x)
    y = np.zeros(z[-1].shape)
    y.flat[label] = 1
    delta, gradients = output_delta(z[-1], y, activation_of(layers[-1]), loss), {}
    for at in reversed(range(len(layers))):
        [(kind, options)] = layers[at].items()
        if kind == "pool":
            delta = upsample(delta, a[at], options["k"], options.get("S", options["k"]), options["type"])
        else:
            W, b = f"layers.{at}.W", f"layers.{at}.b"
            if kind == "conv":
                P, S = options.get("P", 0), options.get("S", 1)
                gradients[W], gradients[b] = conv_dW(a[at], delta, options["F"], P, S), conv_db(delta)
                delta = delta_through_conv(parameters[W], delta, a[at].shape, P, S)
            else:
                gradients[W], gradients[b] = fc_dW(a[at].reshape(-1), delta), fc_db(delta)
                delta = delta_through_fc(parameters[W], delta).reshape(a[at].shape)
        if at > 0:
            delta = delta * sigma_prime(z[at - 1], activation_of(layers[at - 1]))
    return loss_value(z[-1], y, activation_of(layers[-1]), loss), gradients, delta


def iteration(
    layers: Sequence[Layer], parameters: Parameters, samples: Array, labels: Sequence[int], alpha: float, loss: str
) -> dict[str, Array]:
    """One iteration over m samples (section 5): W = W - alpha sum_i dW_i, b = b - alpha sum_i db_i."""
    gradients = [sample_gradients(layers, parameters, *pair, loss)[1] for pair in zip(samples, labels, strict=True)]
    return {name: W - alpha * sum(dW[name] for dW in gradients) for name, W in parameters.items()}
