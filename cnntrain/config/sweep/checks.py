"""Checks of what varies: every value must be valid in some combination with the others."""

import itertools
import re
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items

from cnntrain.config.overrides import last_part
from cnntrain.config.schema.config import Config
from cnntrain.config.schema.sweep import SweepOptions
from cnntrain.config.shape_check import check_augmentation, check_shapes
from cnntrain.config.sweep.base import Base
from cnntrain.config.sweep.dimensions import Dimension
from cnntrain.config.yaml.nodes import Entry, Mark, Path
from cnntrain.config.yaml.problems import Problem, config_error
from cnntrain.errors import ConfigError, ShapeError
from cnntrain.types import Shape

MAX_COMBINATIONS = 64
"""Combinations with other keys in which a value is checked, at most."""


def unsuitable(options: SweepOptions, dimensions: Items[Dimension]) -> Iterator[Problem]:
    """Yield what the goal or the method does not allow."""
    for dimension in dimensions:
        if options.method == "grid" and dimension.values is None:
            yield Problem(dimension.mark, dimension.key, "method grid needs single values: add a step, or write a list")
        if dimension.key == "training.loss" and options.goal.minimize:
            sentence = "losses of different kinds cannot be compared; set 'goal: {maximize: validation.accuracy}'"
            yield Problem(dimension.mark, dimension.key, sentence)


def check_candidate_shapes(base: Base, dimensions: Items[Dimension], input_shape: Shape, classes: int) -> None:
    """Check each value again, once the shape of the images is known.

    Raises:
        ShapeError: A value gives a network that fits in no combination with the others.
    """
    if any(dimension.path[0] == "data" for dimension in dimensions):  # they may change the shape
        return

    def check(config: Config) -> None:
        misfits = check_shapes(config.network, input_shape, classes)
        misfits += check_augmentation(config.training.augmentation, input_shape)
        if misfits:
            raise ShapeError("\n".join(f"{config.where(misfit.path)}: {misfit.sentence}" for misfit in misfits))

    if problems := list(invalid_values(base, dimensions, check)):
        raise config_error(problems, ShapeError)


def invalid_values(
    base: Base, dimensions: Items[Dimension], check: Callable[[Config], None] = lambda _: None
) -> Iterator[Problem]:
    """Yield the problems of each value that is valid in no combination with the others."""
    for dimension in dimensions:
        others = [other for other in dimensions if other is not dimension]
        for node in dimension.candidates():
            entry = Entry(last_part(dimension.key), dimension.mark, node)
            problem = None
            for combination in combinations(others):
                try:
                    check(base.config({dimension.path: entry, **combination}))
                    break
                except ConfigError as error:
                    problem = problem or error
            else:
                if problem is not None:
                    yield from map(problem_of, str(problem).split("\n"))


def problem_of(line: str) -> Problem:
    """Return a line of a ConfigError as a problem with its position, to be sorted among others."""
    found = re.fullmatch(r"(.+?):(\d+):(\d+): (.*)", line)
    return Problem(Mark(found[1], int(found[2]), int(found[3])), "", found[4]) if found else Problem(Mark(""), "", line)


def combinations(dimensions: Items[Dimension]) -> Iterator[dict[Path, Entry]]:
    """Yield values of the other keys to try a value with: first those of the base config."""
    yield {}
    each = [[(of.path, Entry(last_part(of.key), of.mark, node)) for node in of.candidates()] for of in dimensions]
    for chosen in itertools.islice(itertools.product(*each), MAX_COMBINATIONS):
        yield dict(chosen)
