"""Problems of a config, collected so that all are reported at once, each with its position."""

from collections.abc import Iterable
from typing import NamedTuple

from cnntrain.config.yaml.nodes import Mark
from cnntrain.errors import ConfigError

SHOWN = 100
"""Maximum number of problems in a message; the rest is counted."""


class Problem(NamedTuple):
    """One thing that is wrong: where it is written, where it belongs, and a sentence."""

    mark: Mark
    place: str
    sentence: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.mark), self.place, self.sentence) if part)

    def order(self) -> tuple[bool, int, int]:
        """Return a key that sorts problems by their lines in the file, problems elsewhere last."""
        return self.mark.line is None, self.mark.line or 0, self.mark.column or 0


def config_error(problems: Iterable[Problem], error: type[ConfigError] = ConfigError) -> ConfigError:
    """Return one error that lists all ``problems``, one per line, in the order of the file."""
    lines = [str(problem) for problem in sorted(dict.fromkeys(problems), key=Problem.order)]
    if len(lines) > SHOWN:
        lines = [*lines[:SHOWN], f"and {len(lines) - SHOWN:,} more"]
    return error("\n".join(lines))
