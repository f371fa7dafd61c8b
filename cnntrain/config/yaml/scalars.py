"""What an unquoted word of a config means.

YAML 1.1, which PyYAML implements, reads ``no`` as false, ``017`` as 15, ``1:30`` as 90 and ``1e-3`` as text. Here
``1e-3`` is a number, as in YAML 1.2, and the others are text; only ``true`` and ``false`` are truth values. ``017`` is
text because readers of YAML disagree whether it is 17 or 15.
"""

import re

MAX_LENGTH = 1_000
"""Characters of a number, at most; longer words are text."""
DIGITS = 40
"""Digits of a whole number, at most: Python's own limit is 4,300, and none here needs even 40."""

WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+")


def is_long_number(text: str) -> bool:
    """Return whether this is a whole number, but of so many digits that it counts as text."""
    return len(text) > DIGITS and INTEGER.fullmatch(text) is not None and len(text.lstrip("-+")) > DIGITS


def value_of(text: str) -> str | int | float | bool | None:
    """Return the number, truth value, nothing or text that an unquoted word stands for."""
    if text in WORDS:
        return WORDS[text]
    if len(text) > MAX_LENGTH:
        return text
    if INTEGER.fullmatch(text) and not is_long_number(text):
        return int(text)
    return float(text) if FLOAT.fullmatch(text) else text
