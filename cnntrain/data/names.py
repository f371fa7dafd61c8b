"""Names of classes and files: which are allowed, and which are the same.

Unicode can write one name in two ways: ``ü`` as one character or, as macOS archives have it, as ``u`` and two dots.
Names are compared in the first form (NFC). The name of a file on the disk stays as it is.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

from cnntrain.errors import can_be_shown, visible

MAX_SHOWN = 80
"""Characters of a list of names in a message."""


def nfc(name: str) -> str:
    """Return a name in the form in which names are compared."""
    return unicodedata.normalize("NFC", name)


def unicode_forms(name: str) -> set[str]:
    """Return the ways in which a name may be written on a disk."""
    return {name, nfc(name), unicodedata.normalize("NFD", name)}


def is_allowed(name: str) -> bool:
    """Whether a class may have a name: it can be shown, and there is something to see."""
    return can_be_shown(name) and bool(_seen(name))


def similar_names(names: Iterable[str]) -> list[list[str]]:
    """The names that differ only in what is easily overlooked: capital letters, spaces, invisible characters."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[_seen(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def match_names(wanted: Iterable[str], there: Iterable[str]) -> Mapping[str, str]:
    """Which of the names that are ``there`` each ``wanted`` name means: itself, or else the one in its other form."""
    exact = set(there)
    by_form = {nfc(name): name for name in exact}
    pairs = ((name, name if name in exact else by_form.get(nfc(name))) for name in wanted)
    return {name: found for name, found in pairs if found is not None}


def join_names(names: Iterable[str], sort: bool = True) -> str:
    """Join names for a message, cut at 80 characters; sorted, unless their order matters."""
    shown = map(visible, names)
    return truncate(", ".join(sorted(shown) if sort else shown) or "nothing")


def truncate(text: str) -> str:
    """Cut a text at 80 characters."""
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def _seen(name: str) -> str:
    """What remains of a name without differences that are easily overlooked."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in folded if unicodedata.category(c) not in ("Zs", "Cf"))
