"""Every view with every order of events: resumed at each batch, interrupted, diverged, gone back, empty."""

import io
import signal
import warnings
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from cnntrain.builder import build
from cnntrain.cli.views.console import CommandConsole
from cnntrain.cli.views.training_text import epoch_line
from cnntrain.cli.views.training_view import PlainView, RichView, SilentView, TimeLeft
from cnntrain.config import config_from_dict
from cnntrain.errors import DivergedError
from cnntrain.training.api import show_run
from cnntrain.training.diagnostics import LayerDiagnostics
from cnntrain.training.events import (
    BatchEnded,
    DiagnosticsComputed,
    EpochEnded,
    LoadingProgress,
    Note,
    StepsVerified,
    TrainingEnded,
    TrainingStarted,
    WarningIssued,
)
from cnntrain.training.fit import fit
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.resume import resume_run


def console(stream, width=80):
    console = CommandConsole(stream, live=True)
    console.width = width
    return console


def show(events, seconds=0.07, width=80):
    """Feed all views, between whose events time goes by; return what each has shown."""
    shown = []
    for kind in (SilentView, PlainView, RichView):
        stream, clock = io.StringIO(), count(100, seconds)
        options = () if kind is SilentView else (console(stream, width), lambda clock=clock: next(clock))
        with kind(*options) as view:
            for event in events:
                view.show(event)
        assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h"), "the cursor is back"
        shown.append(stream.getvalue())
        assert "\\n" not in shown[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        show_run(lambda interrupts: iter(events))
    return shown


@pytest.mark.parametrize("batch_size", [16, "all"])
def test_runs_that_are_resumed_at_each_batch(tiny_config, record, tmp_path, batch_size):
    Max, batches = 2, 1 if batch_size == "all" else 3
    for number, (epoch, batch) in enumerate((i, b) for i in range(1, Max + 1) for b in range(1, batches + 1)):
        stop = Interrupts()

        def on_batch(event, stop=stop, place=(epoch, batch)):
            stop.signal = signal.SIGINT if (event.epoch, event.batch) == place else None

        run = record(tiny_config(Max=Max, batch_size=batch_size), tmp_path / f"{number}", on_batch, interrupts=stop)
        assert run.result["stop"] == "interrupted"
        show(run.events)
        resumed = list(resume_run(tmp_path / f"{number}", verify=True, plots=False))
        assert resumed[-1].result["stop"] == "max"
        ended = [event for event in resumed if type(event).__name__ == "EpochEnded"]
        started = next(event for event in resumed if type(event).__name__ == "TrainingStarted")
        for text in show(resumed)[1:]:
            assert all(epoch_line(event, started) in text for event in ended)
        show(list(resume_run(tmp_path / f"{number}", plots=False)))  # Max is reached at once


@pytest.mark.parametrize("on_divergence", ["stop", "rollback"])
def test_runs_that_diverge_and_go_back(tiny_config, tmp_path, on_divergence):
    events = []

    def train():
        for event in fit(
            tiny_config(alpha=1e30, on_divergence=on_divergence), tmp_path / "run", diagnostics=True, plots=False
        ):
            events.append(event)

    with pytest.raises(DivergedError):
        train()
    assert any(isinstance(event, WarningIssued) for event in events) == (on_divergence == "rollback")
    with np.errstate(over="ignore", invalid="ignore"):  # the network is as the run left it
        show(events)


def test_a_rollback_past_where_a_run_was_resumed(started, batch, epoch):
    """The bar's estimate had divided by the epochs since then: none."""
    events = [started(epochs_before=10), batch(11, 4), epoch(11), batch(6, 4), epoch(6)]
    for number in range(7, 12):
        events += [batch(number, 4), epoch(number)]
    show([*events, TrainingEnded({})])


def every_event():
    """Each kind of event, in several forms."""
    network = config_from_dict({"network": {"input": [1, 8, 8], "layers": [{"fc": {"units": 3}}]}}, "a test")
    start = TrainingStarted(
        run=Path("runs/a"),
        network=build(network),
        source="digits",
        samples={"train": 10, "validation": 0, "test": 0},
        classes=("0", "1", "2"),
        cores=1,
        workers=1,
        batches=2,
        Max=3,
        epsilon=0.0,
        alpha_varies=False,
        layers=network.network.layers,
    )
    ended = EpochEnded(1, 0.5, 0.5, None, None, 0.1, 0.0, 0.1)
    return [
        start,
        replace(start, batches=1, Max=1, epsilon=0.1, alpha_varies=True),
        replace(start, batches=0, Max=0),
        replace(start, epochs_before=3, batches_before=1),
        *(BatchEnded(epoch, batch, 5, 0.5, 0.0) for epoch, batch in ((1, 1), (1, 2), (2, 1), (3, 2), (9, 9))),
        *(replace(ended, epoch=number) for number in (1, 2, 3, 9)),
        DiagnosticsComputed(1, [LayerDiagnostics("layers.0", "fc", 0.1, 0.1, None, 0.5, None)]),
        DiagnosticsComputed(1, []),
        LoadingProgress(1, 2, "decoding"),
        Note("a note"),
        WarningIssued("a warning"),
        StepsVerified(1),
        TrainingEnded({}),
    ]


@given(st.lists(st.sampled_from(every_event()), max_size=30), st.sampled_from([0.0, 0.07, 5.0]), st.integers(20, 200))
@settings(max_examples=60)
def test_any_order_of_events(events, seconds, width):
    show([LoadingProgress(0, 0, "loading"), *events], seconds, width)


def test_time_left_is_measured_from_where_a_run_began_or_went_back(started):
    left = TimeLeft(started(epochs_before=10, batches_before=2, batches=4, Max=20), 100.0)
    assert left.seconds(11, 2, 100.0) is None
    assert left.seconds(11, 4, 110.0) == pytest.approx(180)
    assert left.seconds(6, 4, 115.0) is None  # a rollback
    assert left.seconds(7, 4, 116.0) == pytest.approx(13)
    assert left.seconds(20, None, 129.0) == 0
    assert left.seconds(30, None, 139.0) == 0


def test_a_log_says_how_long_the_run_still_takes(started, epoch):
    stream, clock = io.StringIO(), count(100, 30.0)
    with PlainView(Console(file=stream, width=1000, markup=False, highlight=False), lambda: next(clock)) as view:
        view.show(started(Max=30))
        for number in range(1, 31):
            view.show(epoch(number))
    lines = stream.getvalue().splitlines()
    times = {lines[place - 1].split()[0]: line.strip() for place, line in enumerate(lines) if "left" in line}
    assert times == {
        "1/30": "about 14:30 left", "3/30": "about 13:30 left", "6/30": "about 12:00 left", "9/30": "about 10:30 left",
        "12/30": "about 9:00 left", "15/30": "about 7:30 left", "18/30": "about 6:00 left", "21/30": "about 4:30 left",
        "24/30": "about 3:00 left", "27/30": "about 1:30 left",
    }  # fmt: skip
