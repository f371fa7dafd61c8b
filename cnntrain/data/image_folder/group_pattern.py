"""Regular expressions of a config, which may come from a stranger, limited to those that end soon on any path."""

import math
import re
import time
from collections.abc import Iterable, Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

from cnntrain.errors import DataError

MAX_PATTERN = 500
"""Characters."""
MAX_REPEAT = 1_000
"""Times that ``{m}`` or ``{m,n}`` repeat, at most."""
MAX_STEPS = 200_000_000
"""Steps of a search through one path, at most: a few seconds."""
MAX_SECONDS = 20.0
"""Processor time of all searches, at most."""
REPEATS = {_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT}


class GroupPattern:
    """A compiled regular expression with one group in parentheses.

    Args:
        pattern: The regular expression.
        where: What it is, to begin a message with.

    Raises:
        DataError: It is no such expression, or backtracking could take very long.
    """

    def __init__(self, pattern: str, where: str) -> None:
        if len(pattern) > MAX_PATTERN:
            raise DataError(f"{where} has {len(pattern):,} characters; at most {MAX_PATTERN} are allowed")
        self._where = where
        self._open_ended, self._choices = 1, 1  # a search begins anywhere
        try:
            tree = _parser.parse(pattern)
            if tree.data and tree.data[0] == (_constants.AT, _constants.AT_BEGINNING):
                self._open_ended = 0
            self._walk(tree, False)
            self.expression = re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise DataError(f"{where} is not a regular expression: {_reason(error)}") from None
        if self.expression.groups != 1:
            raise DataError(f"{where} has {self.expression.groups} groups in parentheses, but exactly one is needed")

    def check_length(self, length: int) -> None:
        """Check that a search through a path of so many characters ends soon.

        Raises:
            DataError: It might not.
        """
        steps = self._choices * math.comb(length + self._open_ended, self._open_ended)
        if steps > MAX_STEPS:
            raise DataError(
                f"{self._where} could take very long on a path of {length:,} characters; use fewer of * + ? | {{m,n}}"
            )

    def search_all(self, paths: Iterable[str]) -> Iterator[re.Match[str] | None]:
        """Search every path.

        Raises:
            DataError: Together it takes too long.
        """
        begin = time.process_time()
        for path in paths:
            yield self.expression.search(path)
            if time.process_time() - begin > MAX_SECONDS:
                raise DataError(f"{self._where} takes longer than {MAX_SECONDS:.0f} s; use fewer of * + ? | {{m,n}}")

    def _walk(self, part: Any, is_repeated: bool) -> None:
        """Count what a search can try; ``part`` is a node of the tree, or a list of nodes."""
        if isinstance(part, _parser.SubPattern | list):
            for node in part:
                self._walk(node, is_repeated)
        elif isinstance(part, tuple):
            kind, argument = (part[0], part[1]) if len(part) == 2 else (None, part)
            if kind in REPEATS:
                least, most, body = argument
                self._count_repeat(least, most, body, is_repeated)
            elif kind is _constants.BRANCH:
                if is_repeated:
                    raise DataError(f"{self._where} has | within a repetition, which could take very long")
                self._choices *= len(argument[1])
                self._walk(argument[1], is_repeated)
            elif kind in (_constants.GROUPREF, _constants.GROUPREF_EXISTS):
                raise DataError(f"{self._where} refers back to a group, which could take very long")
            elif isinstance(argument, tuple | list | _parser.SubPattern):
                self._walk(
                    [item for item in argument if isinstance(item, tuple | list | _parser.SubPattern)], is_repeated
                )

    def _count_repeat(self, least: int, most: int, body: Any, is_repeated: bool) -> None:
        many = most is _constants.MAXREPEAT or most > MAX_REPEAT
        if least > MAX_REPEAT or (many and most is not _constants.MAXREPEAT):
            raise DataError(f"{self._where} repeats more than {MAX_REPEAT:,} times")
        if is_repeated:
            raise DataError(f"{self._where} has a repetition within a repetition, which could take very long")
        if many:
            self._open_ended += 1
        else:
            self._choices *= most - least + 1
        self._walk(body, is_repeated or many or most > 1)


def _reason(error: BaseException) -> str:
    """Why an expression cannot be compiled: words of ``re`` are about the expression itself."""
    if isinstance(error, re.error):
        place = "" if error.pos is None else f" at character {error.pos + 1}"
        return f"{error.msg}{place}"
    return "it is too deep or too large"
