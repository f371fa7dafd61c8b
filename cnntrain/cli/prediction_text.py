"""Predictions as text, piece by piece: aligned columns, JSON or CSV."""

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, final

from rich.cells import cell_len

from cnntrain.cli.terminal import finite
from cnntrain.cli.training_text import accuracy_text
from cnntrain.judging.names import visible

Entries = Sequence[dict[str, Any]]
_GAP = "   "
_WIDEST = 40
"""Columns that a class name gets at most; longer ones push the rest of their line to the right."""


class Form(ABC):
    """What is printed before the predictions, for each batch of them, and after them."""

    @abstractmethod
    def begin(self) -> str:
        """What comes first."""

    @abstractmethod
    def lines(self, entries: Entries) -> str:
        """What ``Model.predictions`` yields, as text."""

    def end(self, failures: int) -> str:  # noqa: ARG002
        """What comes last, where ``failures`` pictures could not be read."""
        return ""


@final
class Text(Form):
    """A line for each file, the name at its end: only so do the columns line up before all names are known."""

    def __init__(self, classes: Sequence[str], measure: str, top: int):
        self.measure, self.top = measure, min(top, len(classes))
        self.class_width = max([len("class"), *(min(cell_len(visible(name)), _WIDEST) for name in classes)])
        self.number_width = max(len(measure), len("-1.234e+10"))

    def begin(self) -> str:
        """The titles of the columns."""
        return _GAP.join([*[self._padded("class"), self.measure.rjust(self.number_width)] * self.top, "file"]) + "\n"

    def lines(self, entries: Entries) -> str:
        """A line each."""
        return "".join(self._line(entry) for entry in entries)

    def _line(self, entry: dict[str, Any]) -> str:
        cells = []
        for guess in guesses(entry):
            cells += [self._padded(visible(guess["class"])), self._number(guess).rjust(self.number_width)]
        return _GAP.join([*cells, visible(entry["file"])]) + "\n"

    def _number(self, guess: dict[str, Any]) -> str:
        return accuracy_text(guess["probability"]) if self.measure == "probability" else f"{guess['value']:.4g}"

    def _padded(self, text: str) -> str:
        return text + " " * (self.class_width - cell_len(text))


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
    """A header and a row for each file; with top K further columns ``class_2``, ``probability_2`` and so on."""

    def __init__(self, classes: Sequence[str], measure: str, top: int):
        self.measure, self.top = measure, min(top, len(classes))

    def begin(self) -> str:
        """The header."""
        more = [f"{name}_{place}" for place in range(2, self.top + 1) for name in ("class", self.measure)]
        return csv_text([["file", "class", self.measure, *more]])

    def lines(self, entries: Entries) -> str:
        """A row each."""
        return csv_text(
            [entry["file"], *(guess[key] for guess in guesses(entry) for key in ("class", self.measure))]
            for entry in entries
        )


def guesses(entry: dict[str, Any]) -> Entries:
    """The classes of one prediction, the most probable first."""
    top: Entries = entry.get("top", [entry])
    return top


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as comma-separated values."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
