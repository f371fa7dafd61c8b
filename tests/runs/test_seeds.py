import statistics

import pytest

from cnntrain.runs.seeds import seed_groups


def run(name, accuracy, stop="max", test=0.5):
    return {
        "run": name,
        "stop": stop,
        "best": {"validation_loss": 1 - accuracy, "validation_accuracy": accuracy},
        "test": None if test is None else {"loss": 1.0, "accuracy": test},
    }


def config(seed, **more):
    return {"training.seed": seed, "training.alpha": 0.1, "training.workers": "auto"} | more


def test_runs_that_differ_only_by_seed_have_mean_and_deviation():
    accuracies = [0.9, 0.95, 0.97]
    runs = [run(f"r{i}", accuracy) for i, accuracy in enumerate(accuracies)]
    configs = [config(0), config(1, **{"training.workers": 2}), config(2, **{"training.checkpoint_every": 9})]
    (group,) = seed_groups(runs, configs)
    assert (group["runs"], group["seeds"]) == (["r0", "r1", "r2"], [0, 1, 2])
    assert group["validation_accuracy"] == {
        "mean": pytest.approx(sum(accuracies) / 3), "std": pytest.approx(statistics.stdev(accuracies)),
    }  # fmt: skip
    assert group["test_accuracy"] == {"mean": 0.5, "std": 0.0}


def test_other_runs_are_no_group():
    runs = [run("a", 0.9), run("b", 0.9), run("c", 0.9, stop="interrupted"), run("d", 0.9)]
    configs = [config(0), config(1, **{"training.alpha": 0.2}), config(2), config(0)]
    assert seed_groups(runs, configs) == []
    assert seed_groups([run("a", 0.9)], [{}]) == []


def test_a_figure_that_a_run_lacks_is_left_out():
    (group,) = seed_groups([run("a", 0.9), run("b", 0.8, test=None)], [config(0), config(1)])
    assert "test_accuracy" not in group
    assert group["validation_accuracy"]["mean"] == pytest.approx(0.85)
