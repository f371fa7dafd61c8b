import os
import signal
import threading

import pytest

from cnntrain.training.interrupts import Interrupts

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
HANGUP = getattr(signal, "SIGHUP", signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, HANGUP])
def test_the_first_signal_is_noted_and_told(number):
    told = []
    with Interrupts(on_signal=lambda: told.append("stopping")) as interrupts:
        assert interrupts.signal is None
        os.kill(os.getpid(), number)
        assert interrupts.signal == number
    assert told == ["stopping"]


def test_the_second_signal_stops_at_once():
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt) as stop:
            os.kill(os.getpid(), signal.SIGTERM)
    assert stop.value.args == (signal.SIGTERM,)
    assert interrupts.signal == signal.SIGINT


@posix
@pytest.mark.parametrize("first", [signal.SIGTERM, HANGUP])
def test_a_hangup_is_never_a_second_signal(first):
    with Interrupts() as interrupts:
        os.kill(os.getpid(), first)
        os.kill(os.getpid(), HANGUP)
        assert interrupts.signal == first


@posix
def test_a_signal_that_comes_twice_at_once_is_one(monkeypatch):
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.signal == signal.SIGTERM
        monkeypatch.setattr("cnntrain.training.interrupts.ECHO_SECONDS", 0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


@posix
def test_nohup_stays():
    before = signal.signal(HANGUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), HANGUP)
            assert interrupts.signal is None
    finally:
        signal.signal(HANGUP, before)


def test_the_old_handlers_come_back():
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    with Interrupts():
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before


def test_outside_the_main_thread_nothing_is_installed():
    before, during = signal.getsignal(signal.SIGINT), []

    def run() -> None:
        with Interrupts() as interrupts:
            during.extend([signal.getsignal(signal.SIGINT), interrupts.signal])

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert during == [before, None]
