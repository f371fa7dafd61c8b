"""The arrays that the work on a slice of n samples overwrites: their shapes are known before any of them is made.

They are made when they are first used. Slices of several sizes take turns in one memory: that of the largest, of which
the others have views.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.types import Array, Shape

Use = Literal["evaluation", "training", "delta"]


class workspace:
    """An array of a ``Workspaces``; what it decorates returns the shape.

    Args:
        shape: From the ``Workspaces``.
        dtype: By default that of the ``Workspaces``.
        use: What needs it: evaluation and training; training alone; or only dJ/d the input of the layer, which
            training does not want of the first one.
    """

    def __init__(self, shape: Callable[[Any], Shape], dtype: DTypeLike | None = None, use: Use = "evaluation"):
        self.shape, self.dtype, self.use = shape, dtype, use
        self.__doc__ = shape.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: "Workspaces", owner: type) -> Array: ...

    def __get__(self, instance: "Workspaces | None", owner: type) -> "Self | Array":
        if instance is None:
            return self
        shape, dtype = self.shape(instance), self.dtype_in(instance)
        if instance.largest is None:
            array: Array = np.empty(shape, dtype)
        else:
            array = getattr(instance.largest, self.name).ravel()[: math.prod(shape)].reshape(shape)
        instance.__dict__[self.name] = array  # found there from now on, before this descriptor
        return array

    def dtype_in(self, instance: "Workspaces") -> np.dtype[Any]:
        """Return the type of its items."""
        return np.dtype(self.dtype or instance.dtype)

    def nbytes(self, instance: "Workspaces") -> int:
        """Return the bytes of the array, which need not be there."""
        return math.prod(self.shape(instance)) * self.dtype_in(instance).itemsize


class Workspaces:
    """Arrays for slices of n samples, declared with ``workspace``.

    Attributes:
        n: Samples.
        dtype: Of the arrays, where they do not say another.
        largest: The same arrays for more samples, whose memory these use; None: they have their own.
    """

    largest: "Workspaces | None" = None

    def __init__(self, n: int, dtype: DTypeLike):
        self.n, self.dtype = n, np.dtype(dtype)

    def reclaim(self) -> None:
        """Take note that slices of another size have used the memory."""
        return

    @classmethod
    def declared(cls) -> Iterator[workspace]:
        """The arrays, as they are declared."""
        for name in dir(cls):
            if isinstance(found := getattr(cls, name), workspace):
                yield found
