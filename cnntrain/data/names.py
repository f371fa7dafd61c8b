"""Names of classes and files: validity, Unicode forms and formatting.

Unicode can write one name in two ways: ``ü`` as one character or, as macOS archives have it, as ``u`` and two dots.
Names are compared in the first form (NFC). File names on disk stay unchanged.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

from cnntrain.errors import can_be_shown, visible

MAX_SHOWN = 80
"""Characters of a list of names in a message."""


def nfc(name: str) -> str:
    """Return a name in NFC, the form in which names are compared."""
    return unicodedata.normalize("NFC", name)


def unicode_forms(name: str) -> set[str]:
    """Return the Unicode forms in which a name may be stored on disk."""
    return {name, nfc(name), unicodedata.normalize("NFD", name)}


def is_allowed(name: str) -> bool:
    """Return whether a name is valid for a class: printable and visible."""
    return can_be_shown(name) and bool(_visible_part(name))


def similar_names(names: Iterable[str]) -> list[list[str]]:
    """Group names that differ only in case, spaces or invisible characters."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[_visible_part(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def match_names(wanted: Iterable[str], existing: Iterable[str]) -> Mapping[str, str]:
    """Match each wanted name to an existing one, exactly or in its other Unicode form."""
    exact = set(existing)
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


def _visible_part(name: str) -> str:
    """Return a name without case, spaces and invisible characters."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in folded if unicodedata.category(c) not in ("Zs", "Cf"))
