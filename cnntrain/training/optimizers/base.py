"""What all optimizers have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from cnntrain.types import Array

CHUNK = 2**14
"""Entries that are stepped at a time: they stay in the cache, and what is made on the way is small."""


class Optimizer(ABC):
    """Steps entries of theta along their gradient, each by itself: the bits do not depend on how they are shared out.

    It remembers nothing but what lies in ``states``, so that a run can go on from a copy of them.
    """

    @abstractmethod
    def step(self, theta: Array, gradient: Array, alpha: float, t: int) -> None:
        """Take step t = 1, 2, ... since the states began at 0, of size ``alpha``; ``gradient`` is overwritten."""


def chunks(count: int) -> Iterator[slice]:
    """Cut ``count`` entries into chunks."""
    for start in range(0, count, CHUNK):
        yield slice(start, min(start + CHUNK, count))
