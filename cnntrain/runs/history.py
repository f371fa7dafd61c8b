"""The figures of a run by epoch, kept by column: 8 bytes a number, so those of a million epochs fit into memory."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from math import isnan, nan
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

EPOCH = "epoch"
"""The only figure that is a whole number."""


class History(Sequence[dict[str, Any]]):
    """Lines of metrics.jsonl: a sequence of mappings from names to numbers, None for a missing one.

    Args:
        rows: The lines; their values are numbers or None.

    Raises:
        ValueError: A value is of another type.

    Examples:
        >>> history = History([{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.25}])
        >>> history[1], history.column("train_loss")
        ({'epoch': 2, 'train_loss': 0.25}, array([0.5 , 0.25]))
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()):
        self._columns: dict[str, array[float]] = {}
        self._count = 0
        for row in rows:
            self.add(row)

    @property
    def names(self) -> list[str]:
        """The names of all figures, in the order in which they appear."""
        return list(self._columns)

    def add(self, row: Mapping[str, Any]) -> None:
        """Add the figures of an epoch."""
        for name, value in row.items():
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = array("d")
            if len(column) < self._count:
                column.extend(repeat(nan, self._count - len(column)))
            try:
                column.append(nan if value is None else value)
            except (TypeError, OverflowError):
                raise ValueError(f"{name} of line {self._count + 1} is not a number") from None
        self._count += 1

    def column(self, name: str) -> NDArray[np.float64]:
        """Return one figure of all epochs, NaN for a missing one."""
        values = np.full(self._count, nan)
        found = self._columns.get(name, ())
        values[: len(found)] = found
        return values

    def table(self) -> Iterator[tuple[Any, ...]]:
        """Yield the figures of each epoch in the order of ``names``, None for a missing one."""
        if not self._columns:
            return repeat((), self._count)
        return zip(*map(self.values, self._columns), strict=True)

    def values(self, name: str) -> Iterator[Any]:
        """Yield one figure of all epochs as it was added, None for a missing one."""
        column = self._columns[name]
        return (_value(name, value) for value in chain(column, repeat(nan, self._count - len(column))))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        names = self.names
        return (dict(zip(names, values, strict=True)) for values in self.table())

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [self[i] for i in range(self._count)[index]]
        i = range(self._count)[index]
        columns = self._columns.items()
        return {name: _value(name, column[i]) if i < len(column) else None for name, column in columns}


def _value(name: str, value: float) -> float | None:
    """Return a number as it was added."""
    return None if isnan(value) else int(value) if name == EPOCH and value.is_integer() else value
