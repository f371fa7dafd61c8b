"""Finding the pictures of ``source: images``: which files there are, of which class, of which split.

::

    folder/cat/1.jpg                  a folder for each class, or
    folder/train/cat/1.jpg            such folders in train/, validation/ (also val/, valid/) and test/

Files are found however deep they lie in a class's folder. Only names and a few first bytes are read here.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from cnntrain.data.folder import entries
from cnntrain.data.labels import to_class_names
from cnntrain.data.listing import listing
from cnntrain.data.pictures.files import is_hidden
from cnntrain.data.pictures.walk import FOLDER, HIDDEN, LINK, LINKS, OUTSIDE, Walk
from cnntrain.errors import DataError

SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
    "testing": "test",
}
"""Names of folders, in small letters, that are splits."""


class Picture(NamedTuple):
    """A file that is to be decoded."""

    name: str
    """Its path in the folder, with slashes."""
    label: int
    split: str
    """``train``, ``validation`` or ``test``; empty where the folder has no splits."""
    size: int
    """Bytes."""
    mtime_ns: int


class Found(NamedTuple):
    """What a folder holds."""

    pictures: list[Picture]
    classes: tuple[str, ...]
    splits: frozenset[str]
    """The splits that have a folder of their own."""
    skipped: Counter[str]
    """How many files and folders of which kind are left out."""
    empty: list[str]
    """Folders that could be classes, but hold no pictures."""


def find(root: Path) -> Found:
    """Look through the folder ``root``.

    Raises:
        DataError: There is no such folder, it has fewer than two classes, or its splits contradict each other.
    """
    walk = Walk(root)
    tops = walk.folders(root)
    parts = _split_folders(root, tops)
    trees = {split: walk.folders(folder) for split, folder in parts.items()} if parts else {"": tops}
    if parts:
        walk.skipped[OUTSIDE] += len(tops) - len(parts)
    held = walk.pictures(trees)
    train = "train" if parts else ""
    names = sorted(name for name, pictures in held[train].items() if pictures)
    empty = sorted(f"{split}/{name}".lstrip("/") for split in held for name, files in held[split].items() if not files)
    if len(names) < 2:
        raise DataError(_too_few(root / train if parts else root, names, walk))
    for split, pictures in held.items():
        unknown = sorted(name for name, files in pictures.items() if files and name not in names)
        if unknown:
            raise DataError(f"{parts[split]} holds classes that {parts['train']} does not have: {listing(unknown)}")
    classes = to_class_names(names, str(root))
    number = {name: label for label, name in enumerate(classes)}
    found = [
        Picture(name, number[class_name], split, size, mtime)
        for split, pictures in held.items()
        for class_name in sorted(pictures)
        for name, size, mtime in sorted(pictures[class_name])
    ]
    return Found(found, classes, frozenset(held) - {""}, walk.skipped, empty)


def _too_few(folder: Path, names: list[str], walk: Walk) -> str:
    there = f"only one, {names[0]!r}" if names else "none"
    more = f"; {walk.loose:,} pictures lie in no such folder" if walk.loose else ""
    if len(names) == 1:
        more += _hint(folder / names[0])
    elif walk.skipped:
        more += f"; {skipped_text(walk.skipped)}"
    return f"{folder}: two classes are needed, each a subfolder that holds its pictures, and there is {there}{more}"


def _hint(only: Path) -> str:
    """What was probably meant where a folder holds a single one."""
    inside = [path.name for path in entries(only, FOLDER) if path.is_dir() and not is_hidden(path.name)]
    if only.name.lower() in SPLITS and SPLITS[only.name.lower()] != "train":
        return "; beside it there must be a folder 'train'"
    return f"; was {only} meant, which holds {listing(map(repr, inside))}?" if len(inside) > 1 else ""


def _split_folders(root: Path, tops: dict[str, Path]) -> dict[str, Path]:
    """The folders that are splits; none where ``train`` is just the name of a class, beside ``bus`` and ``car``."""
    by_split: dict[str, list[Path]] = {}
    for name, folder in tops.items():
        if name.lower() in SPLITS:
            by_split.setdefault(SPLITS[name.lower()], []).append(folder)
    if "train" not in by_split or (len(by_split) == 1 and len(tops) > 1):
        return {}
    if len(tops) == 1 and not any(entry.is_dir() for entry in by_split["train"][0].iterdir()):
        return {}
    for split, folders in by_split.items():
        if len(folders) > 1:
            raise DataError(f"{root} holds {listing(f.name for f in folders)}, and only one can be the {split} split")
    return {split: by_split[split][0] for split in ("train", "validation", "test") if split in by_split}


def skipped_text(skipped: Counter[str]) -> str:
    """``skipped 3 files that are no pictures (.txt 2, .heic 1), 4 hidden``; empty if nothing was."""
    places = {kind: count for kind, count in skipped.items() if count and kind in (HIDDEN, OUTSIDE, LINKS)}
    others = {
        kind or "others": count for kind, count in sorted(skipped.items()) if kind not in (HIDDEN, OUTSIDE, LINKS)
    }
    texts = [f"{count:,} {LINK if kind == LINKS and count == 1 else kind}" for kind, count in places.items()]
    if others:
        total = sum(others.values())
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(others.items(), key=lambda item: -item[1])[:8])
        texts.insert(0, f"{total:,} file{'s that are no pictures' if total > 1 else ' that is no picture'} ({kinds})")
    return f"skipped {', '.join(texts)}" if texts else ""
