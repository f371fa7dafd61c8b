"""How values and choices are put into a sentence."""

import difflib
import unicodedata
from collections.abc import Iterable
from itertools import islice

from cnntrain.config.yaml.nodes import Mapping, Node, Scalar, word
from cnntrain.config.yaml.scalars import is_long_number

WIDTH = 80
"""Characters of a value that are shown at most."""
LOOKALIKES = str.maketrans("АВЕКМНОРСТХаеорсухАΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEKMHOPCTXaeopcyxAABEZHIKMNOPTYXo")
"""Letters of Cyrillic and Greek that look like Latin ones."""


def truncate(text: str) -> str:
    """Return ``text``, or its first 80 characters and an ellipsis."""
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def quoted(text: str) -> str:
    """Return ``text`` in quotes, cut at 80 characters, with what a terminal would act on made harmless."""
    return truncate(repr(text[: WIDTH + 1]))


def shown(node: Node) -> str:
    """Return a value for a sentence, as it was written, cut at 80 characters; never more than that is put together."""
    if isinstance(node, Scalar) and node.value is None:
        return "nothing"
    if isinstance(node, Scalar) and node.text == node.value and is_long_number(node.text):
        return f"a number of {len(node.text.lstrip('-+')):,} digits"
    return truncate(_flow(node, WIDTH + 1))


def _flow(node: Node, room: int) -> str:
    """Return at least ``room`` characters of the value on one line, or all of it."""
    if isinstance(node, Scalar):
        return repr(node.value[:room]) if isinstance(node.value, str) else node.text[:room]
    parts: list[tuple[str, Node]]
    if isinstance(node, Mapping):
        parts = [(f"{word(entry.name)}: ", entry.node) for entry in islice(node.entries.values(), room)]
    else:
        parts = [("", item) for item in node.items[:room]]
    text = ""
    for key, part in parts:
        if len(text) > room:
            break
        text += (", " if text else "") + key
        text += _flow(part, max(room - len(text), 0))
    return f"{{{text}}}" if isinstance(node, Mapping) else f"[{text}]"


def either(words: Iterable[str]) -> str:
    """Return ``a, b or c``."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def near(word: str, words: Iterable[str]) -> str | None:
    """Return the one of ``words`` that ``word`` was probably meant to be, whatever the case of its letters."""
    by_lower = {known.lower(): known for known in words}
    latin = unicodedata.normalize("NFKC", word).translate(LOOKALIKES).lower()
    found = difflib.get_close_matches(latin, by_lower, n=1) if len(word) <= WIDTH else []
    return by_lower[found[0]] if found else None


def odd_letters(text: str) -> str:
    """Return which letters of a word are none of ASCII, nothing if all are: some look alike in print."""
    odd = [f"U+{ord(c):04X} {unicodedata.name(c, '')}".strip() for c in dict.fromkeys(text[:WIDTH]) if not c.isascii()]
    return f" ({', '.join(odd[:3])}{', …' if len(odd) > 3 else ''})" if odd else ""


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return ``; did you mean 'kernel'?``, or nothing where no word comes near."""
    known = near(word, words)
    return f"; did you mean '{known}'?" if known else ""
