"""Where the values of a config are written."""

from dataclasses import dataclass, field
from pathlib import Path as FilePath

from cnntrain.config.tree import Node, Path, nearest, place


@dataclass(frozen=True, slots=True)
class Places:
    """Knows where each value of a config is written; nothing, if the config is from no file.

    Any two are equal: where its values stand is no part of what a config says.
    """

    root: Node | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """Name of the file, without folder and ending; ``run`` where there is none."""
        if self.root is None or self.root.mark.line is None:
            return "run"
        return FilePath(self.root.mark.source).stem

    def where(self, path: Path) -> str:
        """Return position and place of a value: ``configs/a.yaml:12:15: layers[3].conv``."""
        written = [] if self.root is None else [str(nearest(self.root, path))]
        called = [place(self.root, path)] if path else []
        return ": ".join(written + called) or "the config"
