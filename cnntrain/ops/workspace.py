"""Workspaces: the arrays that the work on a micro-batch of n samples overwrites.

Their shapes are known before any of them is allocated; each is allocated on first use. Micro-batches of several sizes
share the memory of the largest: the others use views of it.
"""

import math
from collections.abc import Callable
from typing import Any, Generic, Literal, Self, TypeVar, overload

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.ops.counter_rng import SampleIds
from cnntrain.types import Array, Shape

T = TypeVar("T")

CACHE_LINE = 64
"""Bytes in a cache line, and in the widest SIMD register."""


def aligned_empty(shape: Shape, dtype: DTypeLike) -> Array:
    """Return a new array that begins at a cache line: operations on it are up to a third faster.

    NumPy's large arrays begin 16 bytes after one, so that most SIMD loads and stores touch two lines.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + CACHE_LINE, np.uint8)
    start = -memory.__array_interface__["data"][0] % CACHE_LINE
    return memory[start : start + size].view(dtype).reshape(shape)


Use = Literal["evaluation", "training", "delta"]


class workspace:
    """A descriptor for one array of a ``Workspaces``; the decorated method returns its shape.

    Args:
        shape: The decorated method.
        dtype: The type of the items; by default that of the ``Workspaces``.
        use: What needs the array: ``evaluation`` (and training), ``training`` only, or ``delta``, the gradient with
            respect to the layer's input, which training does not compute for the first layer.
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
        shape = self.shape(instance)
        if instance.largest is None:
            array = aligned_empty(shape, self.dtype or instance.dtype)
        else:
            array = getattr(instance.largest, self.name).ravel()[: math.prod(shape)].reshape(shape)
        instance.__dict__[self.name] = array  # from now on attribute lookup finds it there, before this descriptor
        return array

    def nbytes(self, instance: "Workspaces") -> int:
        """Return the size of the array in bytes, without allocating it."""
        return math.prod(self.shape(instance)) * np.dtype(self.dtype or instance.dtype).itemsize


class ViewsOf(Generic[T]):
    """Views of an array, made again only for another array: a step meets the same arrays as the step before.

    Args:
        make: Makes the views of an array.

    Examples:
        >>> halves = ViewsOf(lambda x: (x[:2], x[2:]))
        >>> x = np.zeros(4)
        >>> halves(x) is halves(x)
        True
    """

    def __init__(self, make: Callable[[Array], T]):
        self.make = make
        self.array: Array | None = None

    def __call__(self, array: Array) -> T:
        """Return the views of ``array``."""
        if array is not self.array:
            self.array, self.views = array, self.make(array)
        return self.views


class Workspaces:
    """Arrays for micro-batches of n samples, declared with ``workspace``.

    Attributes:
        n: Number of samples.
        dtype: Default type of the arrays.
        largest: The workspaces for more samples, whose memory these share; None if these own theirs.
    """

    largest: "Workspaces | None" = None

    def __init__(self, n: int, dtype: DTypeLike):
        self.n, self.dtype = n, np.dtype(dtype)

    def share(self, largest: Any) -> None:
        """Use the memory of the workspaces for more samples."""
        self.largest = largest

    def sizes(self, want_delta: bool = True) -> list[tuple[Use, int]]:
        """Return the use and the bytes of each array; without ``want_delta``, only of those needed then."""
        return [(array.use, array.nbytes(self)) for array in self.declared() if want_delta or array.use != "delta"]

    def reclaim(self) -> None:
        """Prepare for use after a micro-batch of another size has used the memory; by default do nothing."""
        return

    def free(self) -> None:
        """Forget all arrays: views that refer to these workspaces would keep them until the next garbage collection."""
        vars(self).clear()

    def set_sample_ids(self, sample_ids: SampleIds) -> None:
        """Keep the ids of the micro-batch's samples, which the caller updates; by default they are not needed."""
        return

    @classmethod
    def declared(cls) -> list[workspace]:
        """Return the declared arrays."""
        attributes = {name: value for owner in reversed(cls.__mro__) for name, value in vars(owner).items()}
        return [value for value in attributes.values() if isinstance(value, workspace)]
