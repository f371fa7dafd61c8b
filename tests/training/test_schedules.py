"""Schedules: where they begin and end, that they never jump but where they should, and their formulas."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntrain.config.schema.training import TrainingOptions
from cnntrain.training.schedules import alpha_of

SCHEDULES = ["constant", "step", "cosine", "one_cycle"]


def alphas(options, steps):
    """Alpha of every step of a run."""
    return np.array([alpha_of(t, steps, options) for t in range(1, options.Max * steps + 1)])


@st.composite
def runs(draw, schedules=SCHEDULES):
    """Options, and how many steps an epoch has."""
    Max = draw(st.integers(1, 12))
    keys = {"schedule": draw(st.sampled_from(schedules)), "Max": Max, "alpha": draw(st.floats(1e-6, 10))}
    if draw(st.booleans()):
        keys["warmup"] = draw(st.floats(0, Max))
    return TrainingOptions(**keys), draw(st.integers(1, 9))


@given(runs())
@settings(max_examples=100)
def test_alpha_rises_to_its_value_and_never_rises_again(run):
    options, steps = run
    values = alphas(options, steps)
    assert (values > 0).all()
    assert (values <= options.alpha * (1 + 1e-12)).all()
    warm = math.ceil(options.warmup * steps)
    assert (np.diff(values[:warm]) > 0).all()
    assert (np.diff(values[warm:]) <= 0).all()


@given(runs(["constant", "cosine", "one_cycle"]))
@settings(max_examples=50)
def test_alpha_does_not_jump(run):
    """Between two steps it changes by no more than the maximum slope of its curve."""
    options, steps = run
    warm = options.warmup * steps
    rest = options.Max * steps - warm
    # At the end of the warm-up a step may lie partly on each side.
    steepest = (1 / warm if warm else 0) + (math.pi / 2 / rest if rest else 0)
    values = alphas(options, steps)
    assert (np.abs(np.diff(values)) <= options.alpha * steepest * (1 + 1e-9)).all()


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [1, 2.5])
def test_the_schedule_begins_at_alpha_where_the_warm_up_ends(schedule, warmup):
    options = TrainingOptions(schedule=schedule, Max=10, alpha=0.2, warmup=warmup)
    values = alphas(options, 4)
    warm = int(4 * warmup)
    assert values[warm] == 0.2
    first = 0.2 / 25 if schedule == "one_cycle" else 0.2 / (warm + 1)
    np.testing.assert_allclose(values[: warm + 1], np.linspace(first, 0.2, warm + 1), rtol=1e-12)


def test_constant_alpha_is_the_very_number():
    assert set(alphas(TrainingOptions(alpha=0.1, Max=5), 3)) == {0.1}


def test_steps_come_every_so_many_iterations_after_the_warm_up():
    options = TrainingOptions(schedule="step", alpha=0.4, Max=7, step_every=2, step_factor=0.5, warmup=1)
    expected = [0.4 * factor for factor in (1, 1, 0.5, 0.5, 0.25, 0.25)]
    np.testing.assert_allclose(alphas(options, 3)[3:], np.repeat(expected, 3), rtol=1e-15)


@pytest.mark.parametrize(("Max", "every"), [(1, 1), (3, 1), (10, 4), (30, 10), (31, 11)])
def test_alpha_falls_to_a_tenth_every_third_of_Max(Max, every):
    options = TrainingOptions(schedule="step", Max=Max)
    assert (options.step_every, options.step_factor) == (every, 0.1)
    drops = np.flatnonzero(np.diff(alphas(options, 5))) + 1
    np.testing.assert_array_equal(drops, np.arange(5 * every, 5 * Max, 5 * every))


def test_cosine_is_half_way_in_the_middle_and_next_to_nothing_at_the_end():
    values = alphas(TrainingOptions(schedule="cosine", alpha=0.3, Max=10), 100)
    assert values[0] == 0.3
    assert values[500] == pytest.approx(0.15)
    assert values[250] == pytest.approx(0.15 * (1 + math.sqrt(0.5)))
    assert values[-1] == pytest.approx(0.15 * (1 - math.cos(math.pi / 1000)))


def test_one_cycle_peaks_after_three_tenths_and_ends_at_a_ten_thousandth():
    options = TrainingOptions(schedule="one_cycle", alpha=0.5, Max=10)
    values = alphas(options, 100)
    assert options.warmup == 3
    assert values[0] == 0.5 / 25
    assert values[150] == pytest.approx((0.5 + 0.5 / 25) / 2)
    assert np.argmax(values) == 300
    assert values[650] == pytest.approx((0.5 + 0.5e-4) / 2)
    assert values[-1] == pytest.approx(0.5e-4, rel=0.1)
    assert values[-1] > 0.5e-4


def test_a_warm_up_may_take_the_whole_run():
    for schedule in SCHEDULES:
        values = alphas(TrainingOptions(schedule=schedule, alpha=1.0, Max=2, warmup=2), 4)
        assert values[-1] < 1
        assert (np.diff(values) > 0).all()


def test_a_Max_that_no_run_reaches_is_no_trouble():
    for schedule in SCHEDULES:
        options = TrainingOptions(schedule=schedule, alpha=1.0, Max=10**400)
        assert 0 < alpha_of(1, 10, options) <= 1
