"""Names of folders that say which split is in them, as people call them: ``train``, ``training_set``, ``seg_train``."""

import re

WORDS = {
    "train": ("train", "trains", "training", "trainings", "trn"),
    "validation": ("validation", "validations", "validate", "validating", "valid", "val", "vali", "dev", "eval",
                   "evaluation"),
    "test": ("test", "tests", "testing", "tst"),
}  # fmt: skip
SPLIT_OF = {word: split for split, words in WORDS.items() for word in words}
EITHER = {"eval", "evaluation"}
"""Words for a validation split that also mean a test split: beside one, they may be either."""
FILLERS = ("dataset", "datasets", "set", "sets", "data", "images", "image", "imgs", "img", "images", "pics", "photos",
           "folder", "folders", "files", "dir", "split")  # fmt: skip
"""What else such names hold; a folder of such a name alone is no class."""
LETTERS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")


def split_of(name: str) -> str | None:
    """``train``, ``validation`` or ``test`` if a folder's name says so, in any case, with whatever around it.

    A name that says two of them, such as ``train_val``, says none.
    """
    found = {SPLIT_OF[word] for word in _words(name) if word in SPLIT_OF}
    return found.pop() if len(found) == 1 else None


def is_either(name: str) -> bool:
    """Whether a name may say validation or test."""
    return not EITHER.isdisjoint(_words(name))


def is_wrapper(name: str, parent: str) -> bool:
    """Whether a folder alone in another looks like a mere wrapper: ``seg_train/seg_train``, ``train/images``."""
    return name.casefold() == parent.casefold() or name.lower() in FILLERS or split_of(name) is not None


def _words(name: str) -> list[str]:
    """The words of a name in small letters; ``trainset`` counts as ``train``."""
    words = [word.lower() for word in LETTERS.findall(name)]
    return [_without_filler(word) for word in words]


def _without_filler(word: str) -> str:
    return next((word.removesuffix(end) for end in FILLERS if word.removesuffix(end) in SPLIT_OF), word)
