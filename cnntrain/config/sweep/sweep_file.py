"""Loads a sweep from a sweep file, or from a base config and words; every mistake at once, with its position."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from cnntrain.config import shipped
from cnntrain.config.file import read_text
from cnntrain.config.schema.config import Config
from cnntrain.config.schema.sweep import HalvingOptions, SweepOptions
from cnntrain.config.sweep.base import Base
from cnntrain.config.sweep.checks import invalid_values, unsuitable
from cnntrain.config.sweep.dimensions import Dimension, Value, without_positions
from cnntrain.config.sweep.options import checked_options
from cnntrain.config.sweep.search import searched_dimensions, with_words
from cnntrain.config.sweep.words import is_option, with_option, with_whole_goal
from cnntrain.config.writer import dump
from cnntrain.config.yaml.nodes import Entry, Mapping, Mark, Node, Origin, Scalar, find, nearest, put
from cnntrain.config.yaml.problems import Problem, config_error
from cnntrain.config.yaml.reader import read_yaml
from cnntrain.errors import ConfigError

DEFAULT_TRIALS = 30
SWEEP_FILE, BASE_FILE = "sweep.yaml", "base.yaml"


@dataclass(frozen=True)
class Sweep:
    """A sweep, fully settled."""

    name: str
    """Name of the file that it was loaded from, without folder and suffix."""
    base: Base
    options: SweepOptions
    dimensions: tuple[Dimension, ...]

    @property
    def trials(self) -> int:
        """Number of trials; no two of them have the same values."""
        points, wanted = self.points, self.options.trials
        if points is None:
            return wanted or DEFAULT_TRIALS
        return min(points, wanted or (points if self.options.method == "grid" else DEFAULT_TRIALS))

    @property
    def points(self) -> int | None:
        """Number of combinations of values; None if there is no end of them."""
        counts = [None if dimension.values is None else len(dimension.values) for dimension in self.dimensions]
        return None if None in counts else math.prod(count or 0 for count in counts)

    def config(self, values: dict[str, Value]) -> Config:
        """Return the config of a trial.

        Args:
            values: A value for each dimension, by its key.

        Raises:
            ConfigError, ShapeError: The values do not go together.
        """
        base = Base(without_positions(self.base.root), self.base.name)
        return base.config({of.path: of.entry(values[of.key]) for of in self.dimensions})

    def settled(self) -> dict[str, Any]:
        """Return the sweep as plain data, all defaults filled in: the content of ``sweep.yaml`` in its folder."""
        options = self.options
        halving = options.halving
        return {
            "base": BASE_FILE,
            "search": {dimension.key: dimension.to_plain() for dimension in self.dimensions},
            "goal": options.goal.model_dump(exclude_none=True),
            "trials": self.trials,
            "method": options.method,
            "halving": halving.model_dump() if isinstance(halving, HalvingOptions) else False,
            "wave": options.wave,
            "seed": options.seed,
        }

    def to_yaml(self) -> str:
        """Return ``settled`` as YAML text."""
        return dump(self.settled(), default_flow_style=None)


def load_sweep(path: str | FilePath, words: Sequence[str] = ()) -> Sweep:
    """Load a sweep.

    Args:
        path: A sweep file; the folder of a sweep; or a base config, if the words say what varies.
        words: ``training.alpha=1e-4..1e-1`` or ``training.batch_size=16,32`` let a key vary, ``training.Max=20`` sets a
            key of the base config, and ``trials=60`` a key of the sweep.

    Raises:
        ConfigError: The file or a word is invalid; the message lists all problems, one per line.
    """
    if os.path.isfile(FilePath(path) / SWEEP_FILE):
        path = FilePath(path) / SWEEP_FILE
    file, _ = shipped.resolve_name(path)
    tree, problems = read_yaml(read_text(file), Origin(str(file)))
    if isinstance(tree, Mapping) and {"base", "search"} & tree.entries.keys():
        root: Node = tree
    else:  # a base config; its own loader reports its problems
        problems, mark = [], Mark(str(path))
        root = Mapping(mark, {"base": Entry("base", mark, Scalar(mark, str(path), str(path))),
                              "search": Entry("search", mark, Mapping(mark))})  # fmt: skip
    for word in filter(is_option, words):
        root, more = with_option(root, word)
        problems += more
    root = with_whole_goal(root)
    options, wrong = checked_options(SweepOptions, root)
    problems += wrong
    base = load_base(root, FilePath(file).parent, problems)
    if base is None:
        raise config_error(problems)
    if options is not None:
        base = with_best_by(base, options)
    base, found = with_words(base, [word for word in words if not is_option(word)], problems)
    if not problems:
        base.check()
    dimensions = tuple(searched_dimensions(base, root, found, problems))
    if not problems and not dimensions:
        sentence = "nothing varies; give a key several values, as in training.alpha=1e-4..1e-1"
        problems.append(Problem(nearest(root, ("search",)), "", sentence))
    problems += invalid_values(base, dimensions)
    if options is not None:
        problems += unsuitable(options, dimensions)
    if options is None or problems:
        raise config_error(problems)
    name = FilePath(file).stem
    return Sweep(name if name != "sweep" else base.name, base, options, dimensions)


def with_best_by(base: Base, options: SweepOptions) -> Base:
    """Return the base with ``training.best_by: accuracy`` if the goal is accuracy, unless it says something else."""
    path = ("training", "best_by")
    if options.goal.minimize or find(base.root, path) is not None:
        return base
    mark = nearest(base.root, ("training",))
    return Base(put(base.root, path, Entry("best_by", mark, Scalar(mark, "accuracy", "accuracy"))), base.name)


def load_base(root: Node, folder: FilePath, problems: list[Problem]) -> Base | None:
    """Return the base config that a sweep names, None if it names none; problems are added."""
    node = find(root, ("base",))
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
        return None
    if node.mark.line is None:  # from the command line
        return Base.load(node.value)
    path = folder / os.path.expanduser(node.value)
    if not path.exists() and node.value in shipped.shipped():
        path = FilePath(node.value)
    try:
        return Base.load(path)
    except ConfigError as error:
        if path.exists():
            raise
        problems.append(Problem(node.mark, "base", str(error)))
        return None
