"""Chooses the values of a wave of trials with Optuna.

The choice depends on the sweep's seed, the number of the wave and the results of earlier waves, and on nothing else.
So it does not matter in which order trials end, or whether the sweep was stopped in between.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from cnntrain.config.sweep.dimensions import Choices, Dimension, Value
from cnntrain.config.sweep.sweep_file import Sweep

MAX_DRAWS = 20
"""Draws of values before the first combination that was not tried yet is taken."""
Values = dict[str, Value]
"""A value for each key that varies."""


def distribution(dimension: Dimension) -> BaseDistribution:
    """Return what varies in Optuna's terms."""
    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.values)
    if dimension.is_integer:
        step = 1 if dimension.step is None else int(dimension.step)
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.is_log, step=step)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.is_log, step=dimension.step)


def distributions(sweep: Sweep) -> dict[str, BaseDistribution]:
    """Return the search space in Optuna's terms, by key."""
    return {dimension.key: distribution(dimension) for dimension in sweep.dimensions}


def choose(sweep: Sweep, wave: int, count: int, earlier: Sequence[FrozenTrial]) -> list[Values]:
    """Return the values of the first ``count`` trials of a wave.

    Args:
        sweep: The sweep.
        wave: Number of the wave, from 0.
        count: Number of trials; more trials do not change the values of those before.
        earlier: All trials of earlier waves, in order, with their results.
    """
    if sweep.options.method == "grid":
        first = wave * sweep.options.wave
        return list(itertools.islice(grid(sweep), first, first + count))
    study = optuna.create_study(sampler=sampler(sweep, wave), direction=direction(sweep))
    for trial in earlier:
        study.add_trial(trial)
    space, chosen = distributions(sweep), list[Values]()
    tried = {key_of(trial.params) for trial in earlier}
    while len(chosen) < count:
        for _ in range(MAX_DRAWS):
            values = rounded(sweep, study.ask(space).params)
            if key_of(values) not in tried:
                break
        else:
            values = next((values for values in grid(sweep) if key_of(values) not in tried), values)
        tried.add(key_of(values))
        chosen.append(values)
    return chosen


def grid(sweep: Sweep) -> Iterator[Values]:
    """Yield all combinations of values, the last key varying fastest; none if there is no end of them."""
    keys = [dimension.key for dimension in sweep.dimensions]
    points = itertools.product(*(dimension.values or () for dimension in sweep.dimensions))
    return (dict(zip(keys, point, strict=True)) for point in points)


def key_of(values: Mapping[str, Value]) -> tuple[tuple[str, str], ...]:
    """Return what two trials have in common that are the same run."""
    return tuple(sorted((key, repr(value)) for key, value in values.items()))


def sampler(sweep: Sweep, wave: int) -> BaseSampler:
    """Return Optuna's sampler for one wave, seeded by the number of the wave."""
    seed = int(np.random.SeedSequence([sweep.options.seed, wave]).generate_state(1)[0])
    return RandomSampler(seed=seed) if sweep.options.method == "random" else TPESampler(seed=seed, constant_liar=True)


def direction(sweep: Sweep) -> Literal["minimize", "maximize"]:
    """Return ``minimize`` or ``maximize``."""
    return "minimize" if sweep.options.goal.minimize else "maximize"


def rounded(sweep: Sweep, params: Mapping[str, Value]) -> Values:
    """Return Optuna's values with few digits, in the order of the sweep's keys."""
    values: Values = {}
    for dimension in sweep.dimensions:
        value = params[dimension.key]
        is_number = not isinstance(dimension, Choices) and isinstance(value, int | float)
        values[dimension.key] = dimension.rounded(value) if is_number else value  # type: ignore[union-attr, arg-type]
    return values
