"""Counts and messages about files that are skipped in image folders."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cnntrain.data.image_folder.file_types import how_to_read
from cnntrain.errors import visible

MAX_EXTENSIONS = 8
"""Maximum number of file extensions to list."""


@dataclass
class SkippedFiles:
    """Counts of skipped files and folders, by kind."""

    files: Counter[str] = field(default_factory=Counter)
    """Files that are not images, by extension."""
    unread: Counter[str] = field(default_factory=Counter)
    """Images in unsupported formats, by format."""
    unassigned: Counter[Path] = field(default_factory=Counter)
    """Images outside any class folder, by folder."""
    hidden: int = 0
    beside: int = 0
    """Other files outside any class folder."""
    links: int = 0
    """Links to folders that are already read."""
    runs: int = 0
    """Run folders."""

    def count(self, name: str, unread: str | None) -> None:
        """Count a skipped file; ``unread``: its format, if it is an image in an unsupported format."""
        ending = os.path.splitext(name)[1].lower()
        if unread:
            self.unread[unread] += 1
        else:
            self.files[ending if len(ending) <= 8 and ending.isprintable() else ""] += 1

    def sentences(self) -> Iterator[str]:
        """Yield one message for each kind of skipped file."""
        for name, count in sorted(self.unread.items()):
            yield f"{_several(count, f'{name} image')} cannot be read: {how_to_read(name, count)}"
        for folder, count in sorted(self.unassigned.items()):
            are = "is" if count == 1 else "are"
            yield f"{_several(count, 'image')} in {visible(str(folder))} {are} not in a class folder and cannot be used"
        text = self.text()
        if text:
            yield text

    def text(self) -> str:
        """Return ``skipped 3 files that are not images (.txt 2, .csv 1), 4 hidden``; "" if nothing was skipped."""
        others = {kind or "others": count for kind, count in sorted(self.files.items()) if count}
        texts = []
        if others:
            total = sum(others.values())
            most = sorted(others.items(), key=lambda item: -item[1])[:MAX_EXTENSIONS]
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in most)
            are = "s that are not images" if total > 1 else " that is not an image"
            texts.append(f"{total:,} file{are} ({kinds})")
        if self.hidden:
            texts.append(f"{self.hidden:,} hidden")
        if self.beside:
            texts.append(f"{_several(self.beside, 'other file')} next to the class folders")
        if self.links:
            texts.append(f"{_several(self.links, 'link')} to {'a folder' if self.links == 1 else 'folders'} that "
                         f"{'is' if self.links == 1 else 'are'} already read")  # fmt: skip
        if self.runs:
            texts.append(f"{_several(self.runs, 'folder')} of training runs")
        return f"skipped {', '.join(texts)}" if texts else ""


def _several(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
