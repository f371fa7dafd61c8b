import pytest
from optuna.trial import TrialState, create_trial

from cnntrain.config.sweep.sweep_file import load_sweep
from cnntrain.sweep.space import choose, distributions

WORDS = ("training.alpha=1e-4..1", "training.batch_size=8..64..8", "layers.0.conv.K=4,8", "training.l2=0..1")


def told(sweep, values):
    """Trials of earlier waves, with results."""
    return [
        create_trial(value=i / 7 % 1, params=of, distributions=distributions(sweep), state=TrialState.COMPLETE)
        for i, of in enumerate(values)
    ]


@pytest.mark.parametrize("method", ["tpe", "random"])
def test_values_follow_from_seed_wave_and_results(method):
    sweep = load_sweep("digits", [*WORDS, f"method={method}"])
    earlier = told(sweep, [values for wave in range(3) for values in choose(sweep, wave, 6, ())])
    chosen = choose(sweep, 3, 6, earlier)
    assert choose(sweep, 3, 6, earlier) == chosen
    assert choose(sweep, 3, 2, earlier) == chosen[:2], "more trials do not change those before"
    assert choose(sweep, 4, 6, earlier) != chosen
    assert choose(load_sweep("digits", [*WORDS, f"method={method}", "seed=1"]), 3, 6, earlier) != chosen


def test_tpe_learns_and_random_does_not():
    for method, learns in (("tpe", True), ("random", False)):
        sweep = load_sweep("digits", [*WORDS, f"method={method}"])
        points = [values for wave in range(3) for values in choose(sweep, wave, 6, ())]
        assert (choose(sweep, 3, 6, told(sweep, points)) != choose(sweep, 3, 6, told(sweep, points[::-1]))) == learns


@pytest.mark.parametrize("method", ["tpe", "random"])
def test_values_are_those_of_the_sweep(method):
    sweep = load_sweep("digits", [*WORDS, f"method={method}"])
    for values in choose(sweep, 0, 50, ()):
        assert list(values) == [dimension.key for dimension in sweep.dimensions]
        assert 1e-4 <= values["training.alpha"] <= 1
        assert values["training.batch_size"] in range(8, 65, 8)
        assert values["network.layers.0.conv.K"] in (4, 8)
        assert len(f"{values['training.alpha']:g}".replace("0.", "").lstrip("0")) <= 8
        sweep.config(values)


def test_a_grid_has_all_combinations_in_order():
    sweep = load_sweep("digits", ["layers.0.conv.K=4,8", "training.batch_size=8..24..8", "method=grid", "wave=4"])
    assert sweep.trials == 6
    points = [*choose(sweep, 0, 4, ()), *choose(sweep, 1, 2, ())]
    assert [tuple(values.values()) for values in points] == [(K, size) for K in (4, 8) for size in (8, 16, 24)]


@pytest.mark.parametrize("method", ["tpe", "random"])
def test_no_combination_is_tried_twice(method):
    words = ["training.batch_size=8,16,32", "layers.0.conv.K=4..8..2", "wave=4", f"method={method}"]
    sweep = load_sweep("digits", words)
    assert (sweep.points, sweep.trials) == (9, 9)
    assert load_sweep("digits", [*words, "trials=5"]).trials == 5
    points = []
    for wave, count in enumerate((4, 4, 1)):
        points += choose(sweep, wave, count, told(sweep, points))
    assert len({tuple(values.values()) for values in points}) == 9


def test_values_that_are_no_single_words():
    sweep = load_sweep("digits", ["training.class_weights=[balanced, [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]]"])
    weights = {sweep.config(values).training.class_weights for values in choose(sweep, 0, 2, ())}
    assert weights == {"balanced", (1.0,) * 9 + (2.0,)}
