"""Installed fonts for names in any script: which files have the characters that Matplotlib's own font lacks.

Matplotlib is imported when they are first needed.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

OWN = "DejaVuSans.ttf"
"""The font that comes with Matplotlib: Latin, Greek, Cyrillic, Arabic, mathematics."""
PREFERRED = ("NotoSansCJK", "NotoSans", "msyh", "PingFang", "Hiragino", "wqy", "SourceHan", "simhei", "Arial Unicode")
"""Beginnings of file names to try first."""
EXCLUDED = ("LastResort", "Emoji")
"""Parts of the names of files that draw boxes, or colors only."""
MAX_FILES = 1_000
"""Maximum number of font files that are opened."""


class Fonts(NamedTuple):
    """Fonts for a text."""

    files: tuple[str, ...]
    """Font files, in the order in which a character is searched; the first one comes with Matplotlib."""
    missing: str
    """Characters that no installed font has."""


def fonts_for(texts: Iterable[str]) -> Fonts:
    """Return the fonts that draw all ``texts``, and the characters that none of them has."""
    return _fonts_for("".join(sorted({c for text in texts for c in text if c.isprintable()})))


def missing_note(texts: Iterable[str]) -> str | None:
    """Return a sentence on the characters of ``texts`` that no installed font has; None if there are none."""
    missing = fonts_for(texts).missing
    if not missing:
        return None
    shown = missing if len(missing) <= 10 else f"{missing[:10]}..."
    return f"no installed font has {shown}: plots show boxes instead; a font such as Noto Sans CJK has most scripts"


@cache
def _fonts_for(characters: str) -> Fonts:
    import matplotlib

    own = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / OWN)
    files, needed = [own], set(characters) - _characters(own)
    if needed:
        from matplotlib.font_manager import findSystemFonts

        for file in sorted(findSystemFonts(), key=_preference)[:MAX_FILES]:
            found = set() if any(part in file for part in EXCLUDED) else needed & _characters(file)
            if found:
                files.append(file)
                needed -= found
            if not needed:
                break
    return Fonts(tuple(files), "".join(sorted(needed)))


def _preference(file: str) -> tuple[int, bool, str]:
    name = Path(file).name
    rank = next((rank for rank, begin in enumerate(PREFERRED) if name.startswith(begin)), len(PREFERRED))
    return rank, "regular" not in name.lower(), file


@cache
def _characters(file: str) -> frozenset[str]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(file).get_charmap()))
    except (OSError, RuntimeError, ValueError):  # damaged, or of an unknown format
        return frozenset()
