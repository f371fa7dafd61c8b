"""Activations, elementwise: a = sigma(z) in place, and delta ⊙ sigma'(z) with sigma' written in terms of a.

All of them are monotone, so max pooling may run before them.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, final

import numpy as np

from cnntrain.types import Array


class Activation(ABC):
    """One sigma. Forward and backward pass may overwrite their inputs."""

    kinked = False
    """Whether sigma' is discontinuous at z = 0, where finite differences are meaningless."""
    in_place = True
    """Whether ``forward`` may write a into z."""
    onnx_operator: ClassVar[str | None]
    """The ONNX operator; None for the identity."""
    onnx_attributes: ClassVar[Mapping[str, float]] = {}

    @abstractmethod
    def forward(self, z: Array, a: Array, zeros: Array) -> None:
        """Write a = sigma(z).

        Args:
            z: The input; overwritten.
            a: The output; may be ``z`` if ``in_place``.
            zeros: Zeros that broadcast along z's first axes: NumPy compares arrays faster than array and scalar.
        """

    @abstractmethod
    def backward(self, delta: Array, a: Array, zeros: Array) -> Array:
        """Return delta ⊙ sigma'(z) in the memory of ``delta`` or of ``a``; both are overwritten."""


INTEGERS = {size: (np.dtype(f"i{size}"), np.array(8 * size - 1, f"i{size}")) for size in (4, 8)}
"""By the size of a float: the integer of that size, and the number of its bits after the first, as an array."""


def positive_bits(a: Array) -> Array:
    """Overwrite ``a`` with a mask, all bits 1 where a > 0 and all bits 0 elsewhere, and return it as integers.

    The bits of a float, read as an integer, are positive exactly where the float is (-0.0 must not occur); the sign bit
    of the negated integer then fills the item. This needs no boolean array and no mixed types.
    """
    integer, all_but_one = INTEGERS[a.itemsize]
    mask = a.view(integer)
    np.negative(mask, mask)
    np.right_shift(mask, all_but_one, mask)
    return mask


@final
class Identity(Activation):
    """sigma(z) = z."""

    onnx_operator = None

    def forward(self, z: Array, a: Array, zeros: Array) -> None:
        if a is not z:
            np.copyto(a, z)

    def backward(self, delta: Array, a: Array, zeros: Array) -> Array:
        return delta


@final
class ReLU(Activation):
    """sigma(z) = max(z, 0); sigma'(z) = 1 for z > 0, else 0."""

    onnx_operator = "Relu"
    kinked = True

    def forward(self, z: Array, a: Array, zeros: Array) -> None:
        np.maximum(z, zeros, out=a)

    def backward(self, delta: Array, a: Array, zeros: Array) -> Array:
        mask = positive_bits(a)
        np.bitwise_and(mask, delta.view(mask.dtype), mask)
        return a


@final
class LeakyReLU(Activation):
    """sigma(z) = max(z, 0.01 z); sigma'(z) = 1 for z > 0, else 0.01."""

    onnx_operator = "LeakyRelu"
    kinked = True
    in_place = False
    slope = 0.01
    onnx_attributes: ClassVar[Mapping[str, float]] = {"alpha": slope}

    def forward(self, z: Array, a: Array, zeros: Array) -> None:
        np.multiply(z, self.slope, out=a)
        np.maximum(z, a, out=a)
        a += 0  # -0.0 becomes 0.0

    def backward(self, delta: Array, a: Array, zeros: Array) -> Array:
        mask = positive_bits(a)
        one, slope = np.array([1, self.slope], a.dtype).view(mask.dtype)
        np.bitwise_and(mask, one ^ slope, out=mask)
        np.bitwise_xor(mask, slope, out=mask)
        a *= delta
        return a


@final
class Sigmoid(Activation):
    """sigma(z) = 1 / (1 + e^-z); sigma' = a (1 - a)."""

    onnx_operator = "Sigmoid"

    def forward(self, z: Array, a: Array, zeros: Array) -> None:
        np.negative(z, out=a)
        with np.errstate(over="ignore"):  # 1 / (1 + inf) is 0, as it should be
            np.exp(a, out=a)
        a += 1
        np.reciprocal(a, out=a)

    def backward(self, delta: Array, a: Array, zeros: Array) -> Array:
        delta *= a
        np.subtract(1, a, out=a)
        a *= delta
        return a


@final
class Tanh(Activation):
    """sigma(z) = tanh z; sigma' = 1 - a²."""

    onnx_operator = "Tanh"

    def forward(self, z: Array, a: Array, zeros: Array) -> None:
        np.tanh(z, out=a)

    def backward(self, delta: Array, a: Array, zeros: Array) -> Array:
        a *= a
        np.subtract(1, a, out=a)
        a *= delta
        return a


@final
class Softplus(Activation):
    """sigma(z) = ln(1 + e^z), computed as max(z, 0) + ln(1 + e^-|z|); sigma' = 1 - e^-a."""

    onnx_operator = "Softplus"
    in_place = False

    def forward(self, z: Array, a: Array, zeros: Array) -> None:
        np.absolute(z, out=a)
        np.negative(a, out=a)
        np.exp(a, out=a)
        np.log1p(a, out=a)
        np.maximum(z, zeros, out=z)
        a += z

    def backward(self, delta: Array, a: Array, zeros: Array) -> Array:
        np.negative(a, out=a)
        np.expm1(a, out=a)
        np.negative(a, out=a)
        a *= delta
        return a


@final
class ELU(Activation):
    """sigma(z) = z for z > 0, else e^z - 1; sigma' = 1 for z > 0, else a + 1."""

    onnx_operator = "Elu"
    onnx_attributes: ClassVar[Mapping[str, float]] = {"alpha": 1.0}
    kinked = True
    in_place = False

    def forward(self, z: Array, a: Array, zeros: Array) -> None:
        np.minimum(z, zeros, out=a)
        np.expm1(a, out=a)
        np.maximum(z, zeros, out=z)
        a += z

    def backward(self, delta: Array, a: Array, zeros: Array) -> Array:
        np.minimum(a, zeros, out=a)
        a += 1
        a *= delta
        return a


ACTIVATIONS: dict[str, Activation] = {
    "identity": Identity(),
    "relu": ReLU(),
    "leaky_relu": LeakyReLU(),
    "sigmoid": Sigmoid(),
    "tanh": Tanh(),
    "softplus": Softplus(),
    "elu": ELU(),
}
