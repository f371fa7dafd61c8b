"""Predictions as text, piece by piece: aligned columns, JSON or CSV."""

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, final

from rich.cells import cell_len

from cnntrain.cli.views.tables import truncate
from cnntrain.cli.views.terminal import finite
from cnntrain.cli.views.training_text import accuracy_text
from cnntrain.evaluation.display_names import visible

Entries = Sequence[dict[str, Any]]
_GAP = "   "
_MAX_WIDTH = 40
"""Columns that a class name gets at most; longer ones push the rest of their line to the right."""

SHORTEST_FILE = 12
"""Columns that the name of a file gets at least on a terminal."""


class Form(ABC):
    """What is printed before the predictions, for each batch of them, and after them."""

    @abstractmethod
    def begin(self) -> str:
        """What comes first."""

    @abstractmethod
    def lines(self, entries: Entries) -> str:
        """What ``Model.predictions`` yields, as text."""

    def end(self, failures: int) -> str:  # noqa: ARG002
        """What comes last, where ``failures`` images could not be read."""
        return ""


@final
class Text(Form):
    """A line for each file. Its name is at the end: only so do columns line up before all names are known.

    On a terminal of ``width`` columns it comes first, cut to what the classes leave, so that lines are not wrapped.
    """

    def __init__(self, classes: Sequence[str], measure: str, top: int, width: int | None = None):
        self.measure, self.top = measure, min(top, len(classes))
        self.class_width = max([len("class"), *(min(cell_len(visible(name)), _MAX_WIDTH) for name in classes)])
        self.number_width = max(len(measure), len("-1.234e+10"))
        self.gap, self.file_width = _GAP, 0
        if width is not None:
            self._fit(width)

    def _fit(self, width: int) -> None:
        """Choose gaps and columns for a terminal: names of files are shortened first, then names of classes."""
        self.gap = "  "
        if self.top > 1 and self.measure == "probability":
            self.measure, self.number_width = "prob.", len("100.00 %")
        room = width - SHORTEST_FILE - self.top * (self.number_width + 2 * len(self.gap))
        self.class_width = max(len("class"), min(self.class_width, room // self.top))
        self.file_width = max(SHORTEST_FILE, width - self.top * (self.class_width + self.number_width + 4))

    def begin(self) -> str:
        """The titles of the columns."""
        return self._joined("file", ["class".ljust(self.class_width), self.measure.rjust(self.number_width)] * self.top)

    def lines(self, entries: Entries) -> str:
        """A line each."""
        return "".join(self._line(entry) for entry in entries)

    def _line(self, entry: dict[str, Any]) -> str:
        cells = []
        for guess in guesses(entry):
            name = truncate(guess["class"], self.class_width) if self.file_width else visible(guess["class"])
            cells += [padded(name, self.class_width), self._number(guess).rjust(self.number_width)]
        sample = f"[{entry['sample']}]" if "sample" in entry else ""
        return self._joined(visible(entry["file"]) + sample, cells)

    def _joined(self, file: str, cells: list[str]) -> str:
        if not self.file_width:
            return self.gap.join([*cells, file]) + "\n"
        return self.gap.join([padded(truncate(file, self.file_width), self.file_width), *cells]) + "\n"

    def _number(self, guess: dict[str, Any]) -> str:
        return f"{guess['value']:.4g}" if guess["probability"] is None else accuracy_text(guess["probability"])


def padded(text: str, width: int) -> str:
    """Return text with blanks behind it, as wide as a column."""
    return text + " " * (width - cell_len(text))


@final
class Json(Form):
    """One object, written as it grows: ``{"predictions": [...], "failed": n}``."""

    def __init__(self) -> None:
        self.comma = ""

    def begin(self) -> str:
        """Up to the list."""
        return '{"predictions": ['

    def lines(self, entries: Entries) -> str:
        """A line each."""
        text = []
        for entry in entries:
            text += [self.comma, "\n", json.dumps(finite(entry), allow_nan=False)]
            self.comma = ","
        return "".join(text)

    def end(self, failures: int) -> str:
        """The end of the list, and what comes behind it."""
        return f'\n], "failed": {failures}}}\n'


@final
class Csv(Form):
    """A header and a row for each file; with top K further columns ``class_2``, ``probability_2`` and so on.

    With ``samples``, a column has the index of an image in a file of many.
    """

    def __init__(self, classes: Sequence[str], measure: str, top: int, samples: bool = False):
        self.measure, self.top = measure, min(top, len(classes))
        self.whence = ["file", "sample"] if samples else ["file"]

    def begin(self) -> str:
        """The header."""
        more = [f"{name}_{rank}" for rank in range(2, self.top + 1) for name in ("class", self.measure)]
        return csv_text([[*self.whence, "class", self.measure, *more]])

    def lines(self, entries: Entries) -> str:
        """A row each."""
        return csv_text(
            [
                *(entry.get(key, "") for key in self.whence),
                *(guess[key] for guess in guesses(entry) for key in ("class", self.measure)),
            ]
            for entry in entries
        )


def guesses(entry: dict[str, Any]) -> Entries:
    """The classes of one prediction, the most probable first."""
    top: Entries = entry.get("top", [entry])
    return top


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as comma-separated values."""
    text = io.StringIO(newline="")
    plain, quoted = (csv.writer(text, lineterminator="\n", quoting=how) for how in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    for row in rows:  # Python before 3.13 puts a carriage return into no quotes, and could not read it
        (quoted if any("\r" in str(cell) for cell in row) else plain).writerow(row)
    return text.getvalue()
