"""The base config of a sweep: as it was written, without defaults, since some of them depend on what varies."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from cnntrain.config import shipped
from cnntrain.config.aliases import with_canonical_names
from cnntrain.config.file import read_text
from cnntrain.config.loading import top_level
from cnntrain.config.overrides import overridden
from cnntrain.config.paths import with_absolute_paths, with_local_data
from cnntrain.config.rules import has_validation
from cnntrain.config.schema.config import Config
from cnntrain.config.validation import checked
from cnntrain.config.writer import dump
from cnntrain.config.yaml.nodes import Entry, Mark, Node, Origin, Path, find, nearest, plain, put
from cnntrain.config.yaml.problems import Problem, config_error
from cnntrain.config.yaml.reader import read_yaml


@dataclass(frozen=True)
class Base:
    """The config that all trials share, as a tree with positions."""

    root: Node
    name: str
    """Name of its file, without folder and suffix."""

    @classmethod
    def load(cls, path: str | FilePath) -> "Base":
        """Read a config file, or a bundled config by its name.

        Raises:
            ConfigError: It cannot be read.
        """
        path, _ = shipped.resolve_name(path)
        tree, problems = read_yaml(read_text(path), Origin(str(path)))
        root = top_level(tree, problems, Mark(str(path), 1, 1))
        folder = FilePath(path).parent
        root, doubled = with_canonical_names(root)
        root, odd = with_absolute_paths(with_local_data(root, folder), folder)
        if problems := [*problems, *doubled, *odd]:
            raise config_error(problems)
        return cls(root, FilePath(path).stem)

    def overridden(self, word: str) -> tuple["Base", list[Problem]]:
        """Return the base with one ``KEY=VALUE`` override, and the problems of the override."""
        root, problems = overridden(self.root, word)
        root, doubled = with_canonical_names(root)
        root, odd = with_absolute_paths(root, FilePath())
        return Base(root, self.name), [*problems, *doubled, *odd]

    def config(self, values: Mapping[Path, Entry]) -> Config:
        """Return the validated config with other values.

        Raises:
            ConfigError, ShapeError: It is invalid.
        """
        root = self.root
        for path, entry in values.items():
            root = put(root, path, entry)
        root, doubled = with_canonical_names(root)
        return checked(root, doubled, FilePath())

    def check(self) -> None:
        """Raise ConfigError unless this is a valid config with a validation split, as far as it can tell."""
        config = self.config({})
        if config.data is None:
            sentence = "a data section is needed here"
            raise config_error([Problem(self.root.mark, "", sentence)])
        if not has_validation(self.root):
            path: Path = ("data", "validation") if find(self.root, ("data", "validation")) else ("data",)
            sentence = "a sweep compares trials on validation samples, and none are held out; set 'validation: 0.1'"
            raise config_error([Problem(nearest(self.root, path), ".".join(map(str, path)), sentence)])

    def plain(self) -> dict[str, Any]:
        """Return the config as plain data: keys under their short names, paths absolute, no defaults."""
        data: dict[str, Any] = plain(self.root)
        return data

    def to_yaml(self) -> str:
        """Return the config as YAML text; loading it gives an equal base."""
        return dump(self.plain(), default_flow_style=None)
