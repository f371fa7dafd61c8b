"""Makes ``data.path`` and all other paths of a config absolute."""

import os
from pathlib import Path
from typing import Any, get_args

from cnntrain.backbones.spec import BACKBONES
from cnntrain.config.schema.config import SOURCES, NetworkOptions
from cnntrain.config.schema.training import TrainingOptions
from cnntrain.config.shipped import CHECKOUT
from cnntrain.config.yaml.nodes import Entry, Node, Scalar, entry_at, find, place, put
from cnntrain.config.yaml.nodes import Path as Place
from cnntrain.config.yaml.problems import Problem
from cnntrain.config.yaml.wording import shown


def is_path(kind: Any) -> bool:
    """Return whether a key of this type accepts a path."""
    return kind is Path or any(map(is_path, get_args(kind)))


PATHS = tuple(
    dict.fromkeys(
        (section, key)
        for section, models in (
            ("data", SOURCES.values()),
            ("network", [NetworkOptions]),
            ("training", [TrainingOptions]),
        )
        for options in models
        for key, field in options.model_fields.items()
        if is_path(field.annotation)
    )
)
"""All keys that accept a path, of any source."""
SWITCH_OR_PATH = {("training", "tensorboard")}
"""Those that also accept true and false."""
SWITCHES = {
    "yes": "true",
    "on": "true",
    "no": "false",
    "off": "false",
    "none": "false",
    "null": "false",
    "~": "false",
    "": "false",
}
"""What many programs read as true or false, and what it means."""
BACKBONE = ("data", "features", "backbone")
"""The key that accepts a name or a path."""


def with_absolute_paths(root: Node, folder: Path) -> tuple[Node, list[Problem]]:
    """Return the tree with absolute paths, and a problem for each that cannot be a path.

    Paths in a file are relative to ``folder``, others to the current folder; ``~`` is the home directory.
    """
    problems: list[Problem] = []
    for path in PATHS:
        root, more = with_absolute_path(root, path, folder)
        problems += more
    backbone = find(root, BACKBONE)
    if isinstance(backbone, Scalar) and backbone.value not in BACKBONES:
        root, more = with_absolute_path(root, BACKBONE, folder)
        problems += more
    return root, problems


def with_local_data(root: Node, folder: Path) -> Node:
    """Return the tree of a config in the repository with a ``data.path`` to local files, if there are any.

    With files in ``../data/mnist``, for example, nothing is downloaded.
    """
    source = find(root, ("data", "source"))
    if not isinstance(source, Scalar) or not is_download(source.text) or find(root, ("data", "path")):
        return root
    local = (CHECKOUT.parent / "data" / source.text).resolve()
    if folder.resolve() != CHECKOUT or not local.is_dir():
        return root
    return put(root, ("data", "path"), Entry("path", source.mark, Scalar(source.mark, str(local), str(local))))


def is_download(source: str) -> bool:
    """Return whether a source is downloaded if ``path`` is not given."""
    return source in SOURCES and "mirrors" in SOURCES[source].model_fields


def with_absolute_path(root: Node, path: Place, folder: Path) -> tuple[Node, list[Problem]]:
    """Return the tree with one path absolute."""
    entry = entry_at(root, path)
    if entry is None or not isinstance(entry.node, Scalar) or not isinstance(entry.node.value, str):
        return root, []
    text, mark = entry.node.value, entry.node.mark
    if path in SWITCH_OR_PATH and text.strip().lower() in SWITCHES:
        meant = SWITCHES[text.strip().lower()]
        sentence = f"expected true, false or a folder, got {shown(entry.node)}; write {meant}, or ./{text.strip()}"
        return root, [Problem(mark, place(root, path), f"{sentence} for a folder of that name")]
    if text and is_text(text):
        base = "" if mark.line is None else folder
        absolute = os.path.realpath(os.path.join(base, os.path.expanduser(text)))
        if is_text(absolute):
            return put(root, path, entry._replace(node=Scalar(mark, absolute, absolute))), []
    if text and "\0" not in text and is_file_name(text):
        sentence = (
            f"the path {shown(entry.node)} is not UTF-8 and cannot be kept in a config; rename the folder or file"
        )
        return root, [Problem(mark, place(root, path), sentence)]
    return root, [Problem(mark, place(root, path), f"expected the path of a file or folder, got {shown(entry.node)}")]


def is_file_name(path: str) -> bool:
    """Return whether the system can have a file of this name, though it may not be text."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def is_text(path: str) -> bool:
    """Return whether a path can be opened and stored in a text file."""
    try:
        return b"\0" not in path.encode()
    except UnicodeEncodeError:
        return False
