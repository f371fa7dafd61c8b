"""The base class of the optimizers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from cnntrain.types import Array

CHUNK = 2**17
"""Entries per chunk: a chunk stays in the cache, and its temporary arrays are small."""


class Optimizer(ABC):
    """Steps each entry of theta along its gradient, independently, so the bits do not depend on how ranks share theta.

    Its whole state is in ``states``: a run resumes from a copy of theta and ``states``.

    Args:
        states: State of shape ``(state_rows(...), entries)``; zeros at the beginning of a run.
        W_count: Number of entries that belong to a W; they come first.
        hyperparameters: A value for each of ``keys``.
    """

    default_alpha: ClassVar[float] = 0.001
    """Default of ``training.alpha``."""
    keys: ClassVar[tuple[str, ...]] = ()
    """Keys of ``training`` that it takes."""

    @abstractmethod
    def __init__(self, states: Array, W_count: int = 0, **hyperparameters: Any):
        pass

    @classmethod
    @abstractmethod
    def state_rows(cls, hyperparameters: Mapping[str, Any]) -> int:
        """Return the number of vectors of theta's size that it keeps between steps."""

    @abstractmethod
    def step(self, theta: Array, gradient: Array, alpha: float, t: int) -> None:
        """Update ``theta`` in place.

        Args:
            theta: Parameters, ``(entries,)``.
            gradient: dJ/d theta, ``(entries,)``; overwritten.
            alpha: Step size.
            t: Number of the step since ``states`` was 0, from 1.
        """


def chunks(count: int) -> Iterator[slice]:
    """Yield slices of at most ``CHUNK`` entries that cover ``count`` entries."""
    for start in range(0, count, CHUNK):
        yield slice(start, min(start + CHUNK, count))
