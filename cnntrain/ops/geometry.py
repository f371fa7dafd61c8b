"""Index arithmetic of convolutions: which pixels meet which kernel entries, for every F, P and S."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from cnntrain.ops.phases import Move, moves, phases


@dataclass(frozen=True)
class Geometry:
    """A convolution's sizes: image H x W of C channels, K filters of F x F, padding P, stride S."""

    H: int
    C: int
    W: int
    K: int
    F: int
    P: int
    S: int

    @cached_property
    def OH(self) -> int:
        """Rows of the output."""
        return (self.H + 2 * self.P - self.F) // self.S + 1

    @cached_property
    def OW(self) -> int:
        """Columns of the output."""
        return (self.W + 2 * self.P - self.F) // self.S + 1

    @cached_property
    def Q(self) -> int:
        """Phases of the image's columns; see ``cnntrain.ops.phases``."""
        return phases(self.W)

    @cached_property
    def OQ(self) -> int:
        """Phases of the output's columns."""
        return phases(self.OW)

    @cached_property
    def OV(self) -> int:
        """Columns of a phase of the output."""
        return self.OW // self.OQ

    @cached_property
    def image(self) -> tuple[int, int, int, int]:
        """The image in memory, without its samples: rows, phases, channels, columns of a phase."""
        return self.H, self.Q, self.C, self.W // self.Q

    @cached_property
    def columns(self) -> list[tuple[slice, slice]]:
        """For each kernel column j, the output columns whose pixel S*ow + j - P lies in the image, and those pixels."""
        return columns(self.W, self.OW, self.F, self.P, self.S)

    @cached_property
    def moves(self) -> list[tuple[int, Move]]:
        """The pairs of ``columns`` with their kernel column j, by phase."""
        return list(moves_of(self.columns, self.OQ, self.Q))

    @cached_property
    def center(self) -> int | None:
        """The kernel column that maps every output column to the image column of the same index, if there is one."""
        return self.P if self.S == 1 and self.OW == self.W else None

    @cached_property
    def row_groups(self) -> list["RowGroup"]:
        """The image rows, grouped by the kernel rows through which delta reaches them."""
        groups: list[RowGroup] = []
        for residue in range(self.S):
            for h in range((residue - self.P) % self.S, self.H, self.S):
                low = max(0, -((self.F - 1 - h - self.P) // self.S))
                high = min(self.OH - 1, (h + self.P) // self.S)
                if low > high:  # a row that no kernel reads
                    continue
                m, kernel_row = high - low + 1, h + self.P - self.S * low
                last = groups[-1] if groups else RowGroup(0, 0, 0, 0, 0)
                next_of_last = (last.h + self.S * last.count, last.low + last.count, last.m, last.kernel_row)
                if next_of_last == (h, low, m, kernel_row):
                    groups[-1] = RowGroup(last.h, last.count + 1, last.low, m, kernel_row)
                else:
                    groups.append(RowGroup(h, 1, low, m, kernel_row))
        return groups

    @cached_property
    def unread_rows(self) -> list[int]:
        """The image rows that no kernel reads."""
        read = {h for group in self.row_groups for h in range(group.h, group.h + self.S * group.count, self.S)}
        return [h for h in range(self.H) if h not in read]


def columns(W: int, count: int, F: int, P: int, S: int) -> list[tuple[slice, slice]]:
    """Return for each column j of a window of F columns the windows o whose pixel S*o + j - P is in the image.

    Args:
        W: Columns of the image.
        count: Number of windows.
        F: Columns of a window.
        P: Padding.
        S: Stride.

    Returns:
        F pairs of slices: of the windows, and of their pixels.
    """
    pairs = []
    for j in range(F):
        first = max(0, -((j - P) // S))
        last = min(count - 1, (W - 1 + P - j) // S)
        if first > last:  # this column sees only padding
            pairs.append((slice(0, 0), slice(0, 0)))
            continue
        left, right = S * first + j - P, S * last + j - P
        pairs.append((slice(first, last + 1), slice(left, right + 1, S)))
    return pairs


def moves_of(pairs: list[tuple[slice, slice]], Q_windows: int, Q_pixels: int) -> Iterator[tuple[int, Move]]:
    """Yield the pairs of ``columns``, split by phase, with their column j of the window."""
    for j, (windows, pixels) in enumerate(pairs):
        for move in moves(windows, pixels, Q_windows, Q_pixels):
            yield j, move


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Image rows h, h + S, ... (``count`` of them), reached by m output rows from ``low`` on, one further each time.

    Output row ``low`` reaches them through row ``kernel_row`` of the kernel, each next one through the row S above.
    """

    h: int
    count: int
    low: int
    m: int
    kernel_row: int
