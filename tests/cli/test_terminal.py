import errno
import io
import json
import signal
import sys

import pytest
import typer

from cnntrain import errors
from cnntrain.cli.options import ProgressMode
from cnntrain.cli.views import terminal
from cnntrain.cli.views.console import CommandConsole

CLASSES = [
    (errors.CnntrainError, 2),
    (errors.ConfigError, 2),
    (errors.ShapeError, 2),
    (errors.UsageError, 2),
    (errors.GradientError, 3),
    (errors.DataError, 4),
    (errors.WeightsError, 5),
    (errors.DivergedError, 6),
]


@pytest.mark.parametrize(("kind", "status"), CLASSES)
def test_an_error_is_a_sentence_and_an_exit_status(kind, status, capsys):
    with pytest.raises(typer.Exit) as stop, terminal.errors_as_messages():
        raise kind("layers[3]: [conv] does not fit :smile: [/red]")
    assert stop.value.exit_code == status
    assert capsys.readouterr() == ("", "error: layers[3]: [conv] does not fit :smile: [/red]\n")


def test_each_fault_has_a_line_that_is_not_wrapped(capsys):
    faults = [f"a.yaml:{n}:1: {'long ' * 60}end" for n in range(3)]
    with pytest.raises(typer.Exit), terminal.errors_as_messages():
        raise errors.ConfigError("\n".join(faults))
    assert capsys.readouterr().err.splitlines() == [f"error: {fault}" for fault in faults]


def test_control_characters_in_an_error_reach_no_terminal(capsys):
    terminal.print_error("runs/\x1b[2Jα\udc80: no such folder")
    assert capsys.readouterr().err == "error: runs/\\x1b[2Jα\\udc80: no such folder\n"


def test_colour_is_for_terminals_only(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    terminal.print_error("red")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal.print_error("plain")
    coloured, plain = sys.stderr.getvalue().splitlines()
    assert "\x1b[1;31merror:" in coloured
    assert "31m" not in plain


@pytest.mark.parametrize(
    ("stop", "status"),
    [(KeyboardInterrupt(), 130), (KeyboardInterrupt(signal.SIGINT), 130), (KeyboardInterrupt(signal.SIGTERM), 143)],
)
def test_a_stop_says_so(stop, status, capsys):
    with pytest.raises(typer.Exit) as exit_, terminal.errors_as_messages():
        raise stop
    assert exit_.value.exit_code == status
    assert capsys.readouterr().err == "stopped\n"


def test_a_full_disk_is_a_sentence(capsys):
    with pytest.raises(typer.Exit) as stop, terminal.errors_as_messages():
        raise OSError(errno.ENOSPC, "No space left on device", "runs/a/metrics.jsonl")
    assert stop.value.exit_code == 2
    assert capsys.readouterr().err == "error: runs/a/metrics.jsonl: No space left on device\n"


def test_an_error_of_the_system_may_lack_a_path(capsys):
    with pytest.raises(typer.Exit), terminal.errors_as_messages():
        raise OSError(errno.ENOSPC, "No space left on device")
    assert capsys.readouterr().err == "error: No space left on device\n"


@pytest.mark.parametrize("bug", [ZeroDivisionError("a bug"), OSError("a bug")])
def test_a_bug_keeps_its_traceback(bug):
    with pytest.raises(type(bug)), terminal.errors_as_messages():
        raise bug


def test_a_reader_who_left_hears_nothing(capsys):
    with pytest.raises(typer.Exit) as stop, terminal.errors_as_messages():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
    assert stop.value.exit_code == 141
    assert capsys.readouterr() == ("", "")


def test_json_is_one_line_without_numbers_that_json_lacks(capsys):
    terminal.print_json({"loss": float("nan"), "list": [1.5, float("inf"), {"deep": float("-inf")}], "name": "α"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"loss": None, "list": [1.5, None, {"deep": None}], "name": "α"}
    assert out.count("\n") == 1


@pytest.mark.parametrize(
    ("mode", "is_terminal", "kind", "live"),
    [
        (ProgressMode.AUTO, True, "xterm", True),
        (ProgressMode.AUTO, True, "dumb", False),
        (ProgressMode.AUTO, False, "xterm", False),
        (ProgressMode.RICH, False, "xterm", True),
        (ProgressMode.PLAIN, True, "xterm", False),
        (ProgressMode.NONE, True, "xterm", False),
    ],
)
def test_a_bar_moves_on_a_terminal_only(mode, is_terminal, kind, live, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    monkeypatch.setenv("TERM", kind)
    assert terminal.is_live(mode) is live


def test_a_limit_of_threads_is_a_sentence(capsys):
    with pytest.raises(typer.Exit) as stop, terminal.errors_as_messages():
        raise RuntimeError("can't start new thread")
    assert stop.value.exit_code == 7
    assert capsys.readouterr().err.startswith("error: the system lets this process start no more threads")


def test_sentences_break_between_words_and_paths_stay_whole():
    stream = io.StringIO()
    console = CommandConsole(stream)
    console.width = 20
    console.print_sentence("these words are in a/very/long/path/that/is/wider and more")
    assert stream.getvalue().splitlines() == ["these words are in", "a/very/long/path/that/is/wider", "and more"]
