"""Common names of split folders: ``train``, ``training_set``, ``seg_train``."""

import re

WORDS = {
    "train": ("train", "trains", "training", "trainings", "trn"),
    "validation": ("validation", "validations", "validate", "validating", "valid", "val", "vali", "dev", "eval",
                   "evaluation"),
    "test": ("test", "tests", "testing", "tst"),
}  # fmt: skip
SPLIT_OF = {word: split for split, words in WORDS.items() for word in words}
EITHER = {"eval", "evaluation"}
"""Words for a validation split that may also mean the test split."""
FILLERS = ("dataset", "datasets", "set", "sets", "data", "images", "image", "imgs", "img", "images", "pics", "photos",
           "folder", "folders", "files", "dir", "split")  # fmt: skip
"""Other words in such names; a single folder with such a name is not a class."""
LETTERS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")


def split_of(name: str) -> str | None:
    """Return ``train``, ``validation`` or ``test`` if the name contains a word for it, in any case.

    A name with words for two splits, such as ``train_val``, stands for none.
    """
    found = {SPLIT_OF[word] for word in _words(name) if word in SPLIT_OF}
    return found.pop() if len(found) == 1 else None


def is_either(name: str) -> bool:
    """Return whether a name may mean validation or test."""
    return not EITHER.isdisjoint(_words(name))


def is_wrapper(name: str, parent: str) -> bool:
    """Return whether a single subfolder only wraps the data: ``seg_train/seg_train``, ``train/images``."""
    return name.casefold() == parent.casefold() or name.lower() in FILLERS or split_of(name) is not None


def _words(name: str) -> list[str]:
    """Return the lowercase words of a name; ``trainset`` counts as ``train``."""
    words = [word.lower() for word in LETTERS.findall(name)]
    return [_without_filler(word) for word in words]


def _without_filler(word: str) -> str:
    return next((word.removesuffix(end) for end in FILLERS if word.removesuffix(end) in SPLIT_OF), word)
