import csv

import pytest
from optuna.trial import TrialState, create_trial

from cnntrain.config import load_config
from cnntrain.config.sweep.sweep_file import load_sweep
from cnntrain.sweep.journal import TrialRecord
from cnntrain.sweep.result import best_of, importances, write_table
from cnntrain.sweep.space import distributions
from cnntrain.sweep.trial_result import TrialResult


@pytest.fixture
def sweep():
    return load_sweep("digits", ["training.alpha=1e-3..1", "training.l2=0,0.1"])


def trial(number, loss, accuracy=0.5, state="complete"):
    result = None if loss is None else TrialResult(4, 2, loss, accuracy, True)
    return TrialRecord(number, {"training.alpha": 0.1 + number / 100, "training.l2": 0.1}, state, result, None, {})


def test_the_best_is_complete_and_the_first_of_equals(sweep):
    trials = [trial(0, None, state="failed"), trial(1, 0.3), trial(2, 0.1, state="stopped"), trial(3, 0.3)]
    assert best_of(trials, sweep).number == 1
    assert best_of([trials[0], trials[2]], sweep) is None
    by_accuracy = load_sweep("digits", ["training.alpha=1e-3..1", "goal=validation.accuracy"])
    assert best_of([trial(0, 0.1, 0.8), trial(1, 0.3, 0.9)], by_accuracy).number == 1


def test_the_table_and_the_best_config(sweep, tmp_path):
    write_table(tmp_path, [trial(0, 0.5), trial(1, 0.3), trial(2, None, state="running")], sweep)
    rows = list(csv.DictReader((tmp_path / "trials.csv").read_text().splitlines()))
    assert [(row["trial"], row["value"], row["training.alpha"]) for row in rows] == [
        ("0", "0.5", "0.1"),
        ("1", "0.3", "0.11"),
    ]
    assert load_config(tmp_path / "best.yaml") == sweep.config({"training.alpha": 0.11, "training.l2": 0.1})


def test_the_key_that_matters_has_the_largest_share(sweep):
    space = distributions(sweep)
    frozen = [
        create_trial(
            state=TrialState.COMPLETE, value=(0.001 * 1.3**i - 0.05) ** 2, distributions=space,
            params={"training.alpha": 0.001 * 1.3**i, "training.l2": (0, 0.1)[i % 2]},
        )
        for i in range(20)
    ]  # fmt: skip
    shares = importances(frozen, sweep)
    assert next(iter(shares)) == "training.alpha"
    assert sum(shares.values()) == pytest.approx(1)
    assert importances(frozen, sweep) == shares
    assert importances(frozen[:9], sweep) is None, "of so few trials it would be chance"
