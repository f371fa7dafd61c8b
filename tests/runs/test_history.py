"""The figures of a run by epoch: what was added comes out, in little memory."""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.runs import metrics_file
from cnntrain.runs.history import History
from cnntrain.runs.metrics_file import read_metrics, write_metrics_table

NUMBERS = st.none() | st.floats(allow_nan=False) | st.integers(-(2**53), 2**53)
ROWS = st.lists(st.dictionaries(st.sampled_from(["epoch", "loss", "accuracy"]), NUMBERS), max_size=6)


@given(ROWS)
def test_a_history_is_a_sequence_of_what_was_added(rows):
    history = History(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    whole = [{name: row.get(name) for name in names} for row in rows]
    assert history.names == names
    assert list(history) == [history[i] for i in range(len(history))] == history[:] == whole
    assert history[::2] == whole[::2]
    assert [tuple(row.values()) for row in whole] == list(history.table())
    for name in [*names, "unknown"]:
        values = [np.nan if row.get(name) is None else float(row[name]) for row in rows]
        assert np.array_equal(history.column(name), values, equal_nan=True)


def test_epochs_are_whole_numbers_and_other_figures_are_not():
    history = History([{"epoch": 1, "train_accuracy": 1.0}])
    assert repr(history[0]) == repr(next(iter(history))) == "{'epoch': 1, 'train_accuracy': 1.0}"
    with pytest.raises(IndexError):
        history[1]


@pytest.mark.parametrize("value", ["1", [1], {}, 10**400])
def test_what_is_no_number_is_refused(tmp_path, value):
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n' + json.dumps({"epoch": value}) + "\n")
    with pytest.raises(ValueError, match=r"^epoch of line 2 is not a number$"):
        read_metrics(tmp_path)


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    """A run folder of 20,000 epochs."""
    folder = tmp_path_factory.mktemp("run")
    names = ["train_loss", "train_accuracy", "validation_loss", "max_change", "seconds", "alpha", "monitor_loss"]
    rng = np.random.default_rng(0)
    rows = [{"epoch": i + 1, **dict(zip(names, rng.random(7).tolist(), strict=True))} for i in range(20_000)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_the_figures_of_an_epoch_take_eight_bytes_each(long_run):
    tracemalloc.start()
    try:
        history = read_metrics(long_run)
        size, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(history) == 20_000
    assert size < 1.3 * 8 * 8 * len(history)
    assert peak < size + 300_000


def test_too_many_lines_or_figures_are_an_error(long_run, tmp_path, monkeypatch):
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps({f"figure {i}": 1}) + "\n" for i in range(17)))
    with pytest.raises(OSError, match="at most 4,000,000 lines are read, and 16 different figures in them"):
        read_metrics(tmp_path)
    monkeypatch.setattr(metrics_file, "MAX_ROWS", 19_999)
    with pytest.raises(OSError, match="at most 19,999 lines are read"):
        read_metrics(long_run)


def test_the_table_is_that_of_the_lines(long_run, tmp_path):
    write_metrics_table(tmp_path, read_metrics(long_run, without=["seconds"]))
    titles, *lines = (tmp_path / "metrics.csv").read_text().splitlines()
    rows = [json.loads(line) for line in (long_run / "metrics.jsonl").read_text().splitlines()]
    assert titles == ",".join(name for name in rows[0] if name != "seconds")
    assert lines == [",".join(json.dumps(row[name]) for name in titles.split(",")) for row in rows]
