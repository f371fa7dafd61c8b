"""What an explanation consists of: matrices, and equations whose numbers the textbook recomputes.

An equation holds the operands that are shown, the value of the engine, and the value that ``textbook/`` computes from
the same operands. The two may differ by rounding only.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cnntrain.errors import ExplanationError
from cnntrain.types import Array

TOLERANCE = 1e-12
"""Largest difference between engine and textbook, relative to the sum of the terms' magnitudes, or to 1."""

Term = tuple[float, ...]
"""The factors of one product."""


@dataclass(frozen=True, slots=True)
class Group:
    """Some of the terms of a sum, such as those of one channel."""

    label: str
    """A key of the dictionary, such as ``channel``."""
    number: int | None
    terms: tuple[Term, ...]
    shown: bool = True
    """Whether to write out the terms, or their sum only."""
    names: tuple[str, ...] = ()
    """The name of each term, where a table of them helps."""

    @property
    def value(self) -> float:
        """The sum of the products."""
        return float(sum(math.prod(term) for term in self.terms))

    @property
    def magnitude(self) -> float:
        """The sum of the products' magnitudes."""
        return float(sum(abs(math.prod(term)) for term in self.terms))


@dataclass(frozen=True, slots=True)
class Equation:
    """``name = formula``, with numbers."""

    name: str
    formula: str
    value: float
    """The value of the engine."""
    textbook: float
    """The value that the textbook computes from the operands."""
    groups: tuple[Group, ...] = ()
    """A sum of products, by group."""
    operands: tuple[tuple[str, float], ...] = ()
    """Other operands by name, such as b, which is added to the sum."""
    size: float = 0.0
    """Magnitude of what cancels inside the operands, to which rounding is proportional, too."""

    @property
    def magnitude(self) -> float:
        """The size to which the difference is relative."""
        return max(
            1.0,
            self.size,
            abs(self.value) if math.isfinite(self.value) else 1.0,
            sum(group.magnitude for group in self.groups) + sum(abs(value) for _, value in self.operands),
        )

    @property
    def difference(self) -> float:
        """The difference between engine and textbook, relative to ``magnitude``."""
        if self.value == self.textbook:
            return 0.0
        return abs(self.value - self.textbook) / self.magnitude

    def to_plain(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**asdict(self), "difference": self.difference}


@dataclass(frozen=True, slots=True)
class Matrix:
    """Numbers to show as a table, with the position of the first row and column where it is a part of a larger one."""

    name: str
    values: tuple[tuple[float, ...], ...]
    marked: tuple[tuple[int, int], ...] = ()
    """Rows and columns of the values to emphasize."""
    rows: tuple[int, int] | None = None
    """First row, and number of rows of the whole; None if nothing is left out."""
    columns: tuple[int, int] | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Part:
    """One aspect of a layer, such as its forward pass."""

    title: str
    """A key of the dictionary."""
    formula: str
    sections: str = ""
    """Section of the article."""
    matrices: tuple[Matrix, ...] = ()
    equations: tuple[Equation, ...] = ()
    remarks: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Keys of sentences in the dictionary, with what to fill in."""

    def to_plain(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "title": self.title,
            "formula": self.formula,
            "section": self.sections,
            "matrices": [matrix.to_plain() for matrix in self.matrices],
            "equations": [equation.to_plain() for equation in self.equations],
            "remarks": [{"text": key, **values} for key, values in self.remarks],
        }


@dataclass(frozen=True, slots=True)
class Recomputation:
    """How many numbers the textbook recomputed, and the largest difference from the engine."""

    numbers: int
    largest_difference: float
    name: str = ""
    """The equation with the largest difference."""
    tolerance: float = field(default=TOLERANCE)


def recomputation(parts: Sequence[Part]) -> Recomputation:
    """Compare every equation with the textbook.

    Raises:
        ExplanationError: A number of the engine differs from the textbook's by more than rounding.
    """
    equations = list(equations_of(parts))
    if not equations:
        return Recomputation(0, 0.0)
    worst = max(equations, key=lambda equation: (math.isnan(equation.difference), equation.difference))
    if not worst.difference <= TOLERANCE:
        raise ExplanationError(
            f"{worst.name} is {worst.value!r} in the engine, but the textbook computes {worst.textbook!r} from the "
            f"same numbers: a difference of {worst.difference:.1e}, where {TOLERANCE:g} is allowed; please report this"
        )
    return Recomputation(len(equations), worst.difference, worst.name)


def equations_of(parts: Sequence[Part]) -> Iterator[Equation]:
    """Yield the equations of all parts."""
    for part in parts:
        yield from part.equations


def cut(name: str, values: Array, marked: Sequence[tuple[int, ...]] = (), most: int = 8) -> Matrix:
    """Return a matrix of at most ``most`` rows and columns, around the marked entries.

    Args:
        name: The name to show.
        values: ``(rows, columns)``.
        marked: Entries to emphasize.
        most: Maximum number of rows and of columns.
    """
    starts = []
    for axis, count in enumerate(values.shape):
        inside = [entry[axis] for entry in marked] or [0]
        middle = (min(inside) + max(inside)) // 2
        starts.append(int(np.clip(middle - most // 2, 0, max(0, count - most))))
    top, left = starts
    part = values[top : top + most, left : left + most]
    rows, columns = part.shape
    return Matrix(
        name,
        tuple(tuple(row) for row in part.tolist()),
        tuple((r - top, c - left) for r, c in marked if 0 <= r - top < rows and 0 <= c - left < columns),
        (top, len(values)) if rows < len(values) else None,
        (left, values.shape[1]) if columns < values.shape[1] else None,
    )


def products(*factors: Array) -> tuple[Term, ...]:
    """Return the products of arrays of one shape, entry by entry."""
    return tuple(zip(*(factor.ravel().tolist() for factor in factors), strict=True))
