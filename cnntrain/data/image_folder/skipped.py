"""What is left out of folders of images, counted, and said in sentences."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cnntrain.data.image_folder.file_types import how_to_read
from cnntrain.errors import visible

NAMED = 8
"""Kinds of files that are named."""


@dataclass
class SkippedFiles:
    """How many files and folders of which kind are left out."""

    files: Counter[str] = field(default_factory=Counter)
    """Those that are no images, by their ending."""
    unread: Counter[str] = field(default_factory=Counter)
    """Images in formats that are not read here."""
    unassigned: Counter[Path] = field(default_factory=Counter)
    """Images that lie in no class's folder, by the folder that they lie in."""
    hidden: int = 0
    beside: int = 0
    """Other files that lie in no class's folder."""
    links: int = 0
    """Links to folders that are read already."""
    runs: int = 0
    """Folders of training runs."""

    def count(self, name: str, unread: str | None) -> None:
        """Count a file that is not read; ``unread`` is its format if it is an image all the same."""
        ending = os.path.splitext(name)[1].lower()
        if unread:
            self.unread[unread] += 1
        else:
            self.files[ending if len(ending) <= 8 and ending.isprintable() else ""] += 1

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each kind of thing that the user should know."""
        for name, count in sorted(self.unread.items()):
            yield f"{_several(count, f'{name} image')} cannot be read: {how_to_read(name, count)}"
        for folder, count in sorted(self.unassigned.items()):
            lie = "lies" if count == 1 else "lie"
            yield f"{_several(count, 'image')} in {visible(str(folder))} {lie} in no class folder and cannot be used"
        text = self.text()
        if text:
            yield text

    def text(self) -> str:
        """``skipped 3 files that are no images (.txt 2, .csv 1), 4 hidden``; empty if nothing was."""
        others = {kind or "others": count for kind, count in sorted(self.files.items()) if count}
        texts = []
        if others:
            total = sum(others.values())
            most = sorted(others.items(), key=lambda item: -item[1])[:NAMED]
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in most)
            are = "s that are no images" if total > 1 else " that is no image"
            texts.append(f"{total:,} file{are} ({kinds})")
        if self.hidden:
            texts.append(f"{self.hidden:,} hidden")
        if self.beside:
            texts.append(f"{_several(self.beside, 'other file')} beside the class folders")
        if self.links:
            texts.append(f"{_several(self.links, 'link')} to {'a folder' if self.links == 1 else 'folders'} that "
                         f"{'is' if self.links == 1 else 'are'} read already")  # fmt: skip
        if self.runs:
            texts.append(f"{_several(self.runs, 'folder')} of training runs")
        return f"skipped {', '.join(texts)}" if texts else ""


def _several(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
