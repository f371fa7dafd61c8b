"""Loading the data yields progress events."""

import threading

import pytest

import cnntrain
from cnntrain.data import Data
from cnntrain.errors import DataError, WorkerError
from cnntrain.training import load_data
from cnntrain.training.events import LoadingProgress, Note
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.load_data import load_events


def run(generator):
    """The events, and what is returned."""
    events = []
    while True:
        try:
            events.append(next(generator))
        except StopIteration as end:
            return events, end.value


def loader(monkeypatch, load):
    monkeypatch.setattr(load_data, "load_config_data", lambda config, run, reporter, scale: load(reporter))


def test_what_is_told_comes_as_events(monkeypatch, tiny_config):
    data = Data.__new__(Data)

    def load(reporter):
        reporter.progress(0, 5, "decoding")
        reporter.note("a note")
        reporter.progress(5, 5, "decoding")
        return data

    loader(monkeypatch, load)
    events, result = run(load_events(tiny_config()))
    assert events == [LoadingProgress(0, 5, "decoding"), Note("a note"), LoadingProgress(5, 5, "decoding")]
    assert result is data


def test_data_that_are_at_hand_tell_nothing(tiny_config):
    events, data = run(load_events(tiny_config()))
    assert events == []
    assert len(data.train) == 40


def test_errors_come_through(monkeypatch, tiny_config):
    def load(reporter):
        raise DataError("no such folder")

    loader(monkeypatch, load)
    with pytest.raises(DataError, match="no such folder"):
        run(load_events(tiny_config()))


def test_a_signal_stops_the_loading(monkeypatch, tiny_config):
    ended = threading.Event()
    interrupts = Interrupts()

    def load(reporter):
        try:
            while True:
                reporter.progress(1, 2, "decoding")
        finally:
            ended.set()

    loader(monkeypatch, load)
    events = load_events(tiny_config(), interrupts=interrupts)
    assert next(events) == LoadingProgress(1, 2, "decoding")
    interrupts.signal = 15
    with pytest.raises(KeyboardInterrupt) as caught:
        next(events)
    assert caught.value.args == (15,)
    assert ended.is_set()


def test_whoever_stops_listening_stops_the_loading(monkeypatch, tiny_config):
    before = threading.active_count()

    def load(reporter):
        while True:
            reporter.progress(1, 2, "decoding")

    loader(monkeypatch, load)
    events = load_events(tiny_config())
    next(events)
    events.close()
    assert threading.active_count() == before


def test_the_python_api_shows_no_bar_of_a_run_that_cannot_begin(tiny_config, tmp_path, capsys):
    (tmp_path / "kept.txt").touch()
    with pytest.raises(cnntrain.CnntrainError, match="not empty"):
        cnntrain.train(tiny_config(Max=1, workers=1), tmp_path, plots=False)
    assert capsys.readouterr().err == ""


def test_the_python_api_shows_how_far_the_data_are(monkeypatch, tiny_config, tmp_path, capsys):
    real = load_data.load_config_data

    def load(config, run, reporter, scale):
        reporter.progress(1, 2, "decoding")
        reporter.progress(3000, 0, "reading")
        return real(config, run, reporter, scale)

    monkeypatch.setattr(load_data, "load_config_data", load)
    cnntrain.train(tiny_config(Max=1, workers=1), tmp_path / "run", plots=False)
    shown = capsys.readouterr().err
    assert "decoding 1/2" in shown
    assert "reading 3,000" in shown
    assert "0batch " not in shown.rpartition("reading 3,000")[2].partition("\r")[2]  # how many there are is known then


def test_the_python_api_shows_notes_as_warnings(monkeypatch, tiny_config, tmp_path):
    real = load_data.load_config_data

    def load(config, run, reporter, scale):
        reporter.progress(1, 2, "decoding")
        reporter.note("skipped 2 hidden")
        return real(config, run, reporter, scale)

    monkeypatch.setattr(load_data, "load_config_data", load)
    with pytest.warns(UserWarning, match="skipped 2 hidden"):
        assert cnntrain.train(tiny_config(Max=1, workers=1), tmp_path / "run", plots=False)["epochs"] == 1


def test_a_process_that_may_start_no_thread_is_told(monkeypatch, tiny_config):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", start)
    with pytest.raises(WorkerError, match="allows no new thread; raise the limit of processes"):
        list(load_events(tiny_config()))
