"""Loads a ``Config`` from a file or from plain data, with overrides."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnntrain.config import shipped
from cnntrain.config.aliases import with_canonical_names
from cnntrain.config.file import read_text
from cnntrain.config.overrides import overridden
from cnntrain.config.schema.config import Config
from cnntrain.config.validation import checked
from cnntrain.config.yaml import nodes
from cnntrain.config.yaml.from_dict import tree_of
from cnntrain.config.yaml.nodes import Mark, Node, Origin
from cnntrain.config.yaml.problems import Problem, config_error
from cnntrain.config.yaml.reader import read_yaml
from cnntrain.config.yaml.wording import shown
from cnntrain.errors import ConfigError

ConfigLike = Config | str | os.PathLike[str] | Mapping[str, Any]
"""A config, the path of a YAML file, the name of a bundled config, or nested dicts with the keys of a file."""
DICT_NAME = "config"
"""What messages call a config that is given as a dict."""


def load_config(path: str | os.PathLike[str] | Mapping[str, Any], overrides: Sequence[str] = ()) -> Config:
    """Load and validate a config from a YAML file, or from a dict.

    Args:
        path: Path of the file, or name of a bundled config such as ``digits``, or nested dicts with the keys of a file.
            A ``data.path`` in a file is relative to the file's folder, one in a dict to the current folder.
        overrides: ``KEY=VALUE`` strings such as ``training.alpha=0.01``. A ``data.path`` among them is relative to the
            current folder.

    Returns:
        The validated config, with all defaults filled in.

    Raises:
        ConfigError: The file or an override is invalid; the message lists all problems, one per line.
        ShapeError: A layer does not fit ``network.input``, and there is no other problem.

    Examples:
        >>> config = load_config("digits", ["training.alpha=0.01"])
        >>> config.training.alpha
        0.01
        >>> [layer.kind for layer in config.network.layers]
        ['conv', 'pool', 'conv', 'pool', 'fc']
    """
    if isinstance(path, Mapping) and not isinstance(path, os.PathLike):  # a run is both
        return config_from_dict(path, DICT_NAME, overrides)
    if not isinstance(path, str | os.PathLike):
        raise ConfigError(f"{DICT_NAME}: expected a path, a name such as digits, or a dict, got {path!r:.80}")
    path, _ = shipped.resolve_name(os.fspath(path))
    text = read_text(path)
    found, problems = read_yaml(text, Origin(str(path)))
    root = top_level(found, problems, Mark(str(path), 1, 1))
    config = with_overrides(root, problems, overrides, Path(path).parent)
    config._locations = replace(config._locations, text=text, overrides=tuple(overrides))
    return config


def as_config(config: ConfigLike) -> Config:
    """Return a config as it is, or load it; see ``load_config``."""
    return config if isinstance(config, Config) else load_config(config)


def config_from_dict(data: Mapping[str, Any], name: str, overrides: Sequence[str] = ()) -> Config:
    """Return a config from plain data, such as the JSON in a weights file; validated like a file.

    Args:
        data: Nested dicts and lists, as returned by ``Config.resolved``.
        name: What to call the data in error messages.
        overrides: As for ``load_config``.

    Raises:
        ConfigError: The data are no config; the message lists all problems, each beginning with ``name``.
    """
    mark = Mark(name)
    found, problems = tree_of(data, mark)
    return with_overrides(top_level(found, problems, mark), problems, overrides, Path())


def with_overrides(root: Node, problems: list[Problem], overrides: Sequence[str], folder: Path) -> Config:
    """Return the validated config of a tree with overrides.

    Long names are replaced first, so that a value can be overridden under either name.
    """
    root, doubled = with_canonical_names(root)
    problems = [*problems, *doubled]
    for word in overrides:
        root, more = overridden(root, word)
        problems += more
    if overrides:  # a value such as {learning_rate: 0.1} may hold long names, too
        root, doubled = with_canonical_names(root)
        problems += doubled
    return checked(root, problems, folder)


def top_level(root: Node | None, problems: list[Problem], begin: Mark) -> Node:
    """Return the tree if it is a mapping.

    Raises:
        ConfigError: It is not.
    """
    if isinstance(root, nodes.Mapping):
        return root
    if root is not None:
        problems = [
            *problems,
            Problem(root.mark, "", f"expected the keys data, network and training, got {shown(root)}"),
        ]
    elif not problems:
        problems = [Problem(begin, "", "the config is empty; it needs the keys data, network and training")]
    raise config_error(problems)
