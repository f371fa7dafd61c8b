"""From a file to a ``Config``, with overrides, and from plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnntrain.config import shipped
from cnntrain.config.aliases import with_canonical_names
from cnntrain.config.overrides import overridden
from cnntrain.config.schema.config import Config
from cnntrain.config.validation import checked
from cnntrain.config.yaml import nodes
from cnntrain.config.yaml.file import read_text
from cnntrain.config.yaml.from_dict import tree_of
from cnntrain.config.yaml.nodes import Mark, Node, Origin
from cnntrain.config.yaml.problems import Problem, config_error
from cnntrain.config.yaml.reader import read_yaml
from cnntrain.config.yaml.wording import shown


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Load a config from a YAML file.

    Args:
        path: The file, or the name of a config that comes with cnntrain. A ``data.path`` in it is relative to the
            file's own folder.
        overrides: ``KEY=VALUE`` words such as ``training.alpha=0.01``. A ``data.path`` among them is relative to the
            current folder.

    Raises:
        ConfigError: Something is wrong with the file or an override: all faults, one on a line.
        ShapeError: Nothing is, but a layer does not fit ``network.input``.
    """
    path, _ = shipped.resolve_name(path)
    text = read_text(path)
    found, faults = read_yaml(text, Origin(str(path)))
    root = top_level(found, faults, Mark(str(path), 1, 1))
    config = with_overrides(root, faults, overrides, Path(path).parent)
    config._places = replace(config._places, text=text, overrides=tuple(overrides))
    return config


def config_from_dict(data: Mapping[str, Any], name: str, overrides: Sequence[str] = ()) -> Config:
    """Make a config of plain data, such as the JSON text in a weights file; it is trusted no more than a file is.

    Args:
        data: What ``Config.resolved`` returns.
        name: What to call it in errors.
        overrides: As for ``load_config``.

    Raises:
        ConfigError: The data are no config: all faults, one on a line, each beginning with ``name``.
    """
    mark = Mark(name)
    found, faults = tree_of(data, mark)
    return with_overrides(top_level(found, faults, mark), faults, overrides, Path())


def with_overrides(root: Node, faults: list[Problem], overrides: Sequence[str], folder: Path) -> Config:
    """Return the config of a tree, once the overrides have taken their places in it.

    Long names become short first, so that a value can be overridden under either name.
    """
    root, doubled = with_canonical_names(root)
    faults = [*faults, *doubled]
    for word in overrides:
        root, more = overridden(root, word)
        faults += more
    if overrides:  # a value such as {learning_rate: 0.1} may hold long names, too
        root, doubled = with_canonical_names(root)
        faults += doubled
    return checked(root, faults, folder)


def top_level(root: Node | None, faults: list[Problem], begin: Mark) -> Node:
    """Return the tree if it is a mapping; raise what is wrong with it if not."""
    if isinstance(root, nodes.Mapping):
        return root
    if root is not None:
        faults = [*faults, Problem(root.mark, "", f"expected the keys data, network and training, got {shown(root)}")]
    elif not faults:
        faults = [Problem(begin, "", "nothing is in it; a config has the keys data, network and training")]
    raise config_error(faults)
