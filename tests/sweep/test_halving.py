import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.config.schema.sweep import HalvingOptions
from cnntrain.sweep.halving import promoted, rungs


@pytest.mark.parametrize(
    ("first", "factor", "Max", "expected"),
    [(5, 3, 50, [5, 15, 45]), (5, 3, 45, [5, 15]), (1, 2, 9, [1, 2, 4, 8]), (5, 3, 5, []), (6, 2, 5, [])],
)
def test_trials_stop_before_Max(first, factor, Max, expected):
    assert rungs(HalvingOptions(first=first, factor=factor), Max) == expected


def test_without_halving_there_are_no_comparisons():
    assert rungs(False, 100) == []


@given(
    st.dictionaries(st.integers(0, 99), st.sampled_from([0.1, 0.2, 0.3]), min_size=1), st.integers(2, 5), st.booleans()
)
def test_the_best_share_goes_on(values, factor, minimize):
    ahead = promoted(values, factor, minimize)
    assert len(ahead) == max(1, len(values) // factor)
    sign = 1 if minimize else -1
    worst = max((sign * values[n], n) for n in ahead)
    assert all((sign * values[n], n) > worst for n in values.keys() - ahead), "of equals the earlier continues"
