"""Positions of the values of a config in its file."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from cnntrain.config.yaml.nodes import Node, Path, nearest, place
from cnntrain.errors import visible


@dataclass(frozen=True, slots=True)
class Locations:
    """The position of each value of a config; empty if the config is from no file.

    Any two are equal: positions do not matter when configs are compared.
    """

    root: Node | None = field(default=None, compare=False)
    text: str | None = field(default=None, compare=False)
    """The file as it was read, with all its comments."""
    overrides: tuple[str, ...] = field(default=(), compare=False)

    @property
    def name(self) -> str:
        """Name of the file, without folder and ending; ``run`` where there is none."""
        if self.root is None or self.root.mark.line is None:
            return "run"
        return FilePath(self.root.mark.source).stem

    @property
    def original(self) -> str | None:
        """The file as its author wrote it, with a last comment that has the overrides; None if there is no file."""
        if self.text is None or not self.overrides:
            return self.text
        end = "" if self.text.endswith("\n") or not self.text else "\n"
        return f"{self.text}{end}# overrides: {' '.join(visible(shlex.quote(word)) for word in self.overrides)}\n"

    def where(self, path: Path) -> str:
        """Return position and path of a value: ``configs/a.yaml:12:15: layers[3].conv``."""
        written = [] if self.root is None else [str(nearest(self.root, path))]
        called = [place(self.root, path)] if path else []
        return ": ".join(written + called) or "the config"
