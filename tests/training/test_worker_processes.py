"""Whole programs with worker processes: signals, and what is left when one of them is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import cnntrain
from cnntrain.parallel.processes import Processes
from cnntrain.training import workers
from cnntrain.training.interrupts import Interrupts

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")]


def children(process):
    numbers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(number) for number in numbers]


def children_of_this():
    return [int(word) for path in Path("/proc/self/task").iterdir() for word in (path / "children").read_text().split()]


def is_running(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def command(tmp_path):
    """``cnntrain train`` on 3 workers, for long, in a process group of its own as a terminal makes one."""
    (tmp_path / "long.yaml").write_text(
        "data: {source: digits}\n"
        "network: {layers: [conv: {K: 8, F: 3, activation: relu}, fc: {activation: softmax}]}\n"
        "training: {Max: 10000, workers: 3}\n"
    )
    words = [sys.executable, "-m", "cnntrain", "train", "long.yaml", "--out", "run", "--progress", "plain"]
    with subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["at the start", "later"])
def test_a_signal_to_all_stops_after_the_batch(command, tmp_path, number, moment):
    until(lambda: len(children(command)) == 2)
    until(lambda: moment == "at the start" or (tmp_path / "run" / "metrics.jsonl").exists())
    started = children(command)
    os.killpg(command.pid, number)
    _, messages = command.communicate(timeout=20)
    assert command.returncode == 128 + number
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["stop"] == "interrupted"
    cnntrain.load(tmp_path / "run")
    assert not any(is_running(child) for child in started)
    assert "error" not in messages


def test_a_killed_worker_is_told_in_one_sentence(command, tmp_path):
    until(lambda: (tmp_path / "run" / "metrics.jsonl").exists())
    started = children(command)
    os.kill(started[1], signal.SIGKILL)
    killed = time.monotonic()
    result, messages = command.communicate(timeout=20)
    assert time.monotonic() - killed < 10
    assert command.returncode == 7
    errors = [line for line in messages.splitlines() if "error" in line]
    assert len(errors) == 1
    assert errors[0].startswith("error: worker 2 was killed by signal 9")
    assert "a worker process ended unexpectedly" in result
    assert "Traceback" not in messages
    assert not any(is_running(child) for child in started)
    cnntrain.load(tmp_path / "run")


def test_a_worker_that_is_stopped_keeps_no_run_that_is_to_end(command, tmp_path):
    until(lambda: (tmp_path / "run" / "metrics.jsonl").exists())
    started = children(command)
    os.kill(started[1], signal.SIGSTOP)
    command.send_signal(signal.SIGTERM)
    command.communicate(timeout=20)
    assert command.returncode == 128 + signal.SIGTERM
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["stop"] == "interrupted"
    assert not any(is_running(child) for child in started)


def test_a_worker_that_is_stuck_keeps_no_run_that_is_to_end(tiny_config, monkeypatch, tmp_path, record):
    monkeypatch.setattr(Processes, "wake", lambda self: None)  # nothing wakes one that the kernel does not let go
    monkeypatch.setattr(workers, "STOP_TIMEOUT", 0.1)
    interrupts = Interrupts()

    def on_batch(event):
        os.kill(children_of_this()[0], signal.SIGSTOP)
        threading.Timer(0.1, setattr, [interrupts, "signal", signal.SIGTERM]).start()

    with pytest.raises(KeyboardInterrupt) as stop:
        record(tiny_config(workers=2, Max=1000), tmp_path / "run", on_batch, interrupts=interrupts)
    assert stop.value.args == (signal.SIGTERM,)
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("moment", ["at the start", "later"])
def test_workers_end_with_rank_0(command, tmp_path, moment):
    until(lambda: len(children(command)) == 2)
    until(lambda: moment == "at the start" or (tmp_path / "run" / "metrics.jsonl").exists())
    started = children(command)
    command.kill()
    until(lambda: not any(is_running(child) for child in started))


def test_workers_end_with_rank_0_though_a_process_forked_from_it_lives(tmp_path):
    program = (
        "import os, sys, time, cnntrain\n"
        "from cnntrain.training.fit import fit\n"
        "for event in fit(cnntrain.load_config(sys.argv[1], ['training.workers=2', 'training.Max=1000']), 'run'):\n"
        "    if type(event).__name__ == 'BatchEnded' and not os.path.exists('forked'):\n"
        "        open('forked', 'w').close()\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(60)\n"
    )
    config = Path(__file__).parents[2] / "configs" / "digits.yaml"
    with subprocess.Popen([sys.executable, "-c", program, config], cwd=tmp_path) as process:
        until(lambda: len(children(process)) == 2)
        worker, forked = children(process)
        process.kill()
    until(lambda: not is_running(worker))
    assert is_running(forked)
    os.kill(forked, signal.SIGKILL)
