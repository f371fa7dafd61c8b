import csv

import pytest

from cnntrain.errors import UsageError
from cnntrain.runs.columns import csv_text, order


def run(name, loss, accuracy, epochs=3):
    best = None if loss is None else {"epoch": 2, "validation_loss": loss, "validation_accuracy": accuracy}
    return {
        "run": name, "source": "digits", "stop": "max", "epochs": epochs, "best": best, "train": None, "test": None,
        "seconds": 1.5, "rollbacks": 0, "started": "2026-01-01", "problem": None,
    }  # fmt: skip


RUNS = [run("a", 0.5, 0.8), run("b", None, None), run("c", 0.4, 0.8), run("d", 0.6, 0.9)]
CONFIGS = [
    {"training.alpha": 0.1, "network.layers.0.conv.K": 8, "training.batch_size": "all"},
    {"training.alpha": 0.01, "training.batch_size": 16},
    {"training.alpha": 0.1, "network.layers.0.conv.K": 4, "training.batch_size": 16},
    {},
]


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("validation.loss", "cadb"),
        ("-validation.loss", "dacb"),
        ("validation.accuracy", "dacb"),
        ("-validation.accuracy", "acdb"),
        ("run", "abcd"),
        ("-run", "dcba"),
        ("training.alpha", "bacd"),
        ("-training.alpha", "acbd"),
        ("layers.0.conv.K", "cabd"),
        ("network.layers.0.conv.K", "cabd"),
        ("training.batch_size", "bcad"),
        ("test.accuracy", "abcd"),
    ],
)
def test_runs_are_sorted_and_those_without_a_value_come_last(key, names):
    assert "".join(RUNS[index]["run"] for index in order(key, RUNS, CONFIGS)) == names


def test_an_unknown_key_is_a_sentence():
    with pytest.raises(UsageError, match=r"--sort training.alfa: no run has this key; it is one of run, source, .*"):
        order("training.alfa", RUNS, CONFIGS)


def test_a_table_for_other_programs():
    text = csv_text(RUNS[:2], CONFIGS[:2], {"training.alpha": [0.1, 0.01], "training.batch_size": ["all", 16]})
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["run"] for row in rows] == ["a", "b"]
    assert rows[0]["validation.loss"] == "0.5"
    assert rows[1]["validation.loss"] == ""
    assert [row["training.batch_size"] for row in rows] == ["all", "16"]


def test_names_with_odd_characters_stay_one_cell():
    (row,) = csv.DictReader(csv_text([run('a,"\n', 0.5, 0.5)], [{}], {}).splitlines(keepends=True))
    assert row["run"] == 'a,"\n'
