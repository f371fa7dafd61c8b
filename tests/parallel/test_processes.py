"""Worker processes: how they begin, and that none of them is left."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from cnntrain.errors import WorkerError
from cnntrain.parallel import processes
from cnntrain.parallel.mapping import SharedArrays
from cnntrain.parallel.processes import Processes

MODULE = '''
"""Does what it is told, and writes what it sees."""
import json, os, sys

def main():
    order = json.loads(sys.stdin.buffer.readline())
    exec(order["program"], {"os": os, "sys": sys})
    sys.stdin.buffer.read()
'''

posix = pytest.mark.skipif(os.name == "nt", reason="signals and descriptors of POSIX")


@pytest.fixture
def crew(tmp_path, monkeypatch):
    """Workers, two by default, that run a program."""
    (tmp_path / "obedient.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    arrays = SharedArrays({"a": ((1,), "int64")})

    def make(program, count=2):
        crew = Processes("obedient")
        for worker in range(1, count + 1):
            crew.start(arrays.handle)
            crew.send(worker, {"program": program})
        return crew

    yield make
    arrays.close()


def seen_by(crew, program, tmp_path):
    """What one worker answers."""
    answer = tmp_path / "answer"
    program = f"import json\nwith open({str(answer) + '.new'!r}, 'w') as file: json.dump({program}, file)\n"
    with crew(f"{program}os.replace({str(answer) + '.new'!r}, {str(answer)!r})", 1) as workers:
        until(answer.exists, workers)
    return json.loads(answer.read_text())


def until(condition, workers=None, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        if workers is not None:
            workers.check_alive()
        assert time.monotonic() < end
        time.sleep(0.005)


def test_none_is_left_at_the_end(crew):
    with crew("import time; time.sleep(60)") as workers:
        workers.check_alive()
        started = workers.processes
    assert None not in [process.returncode for process in started]


def test_none_is_left_after_an_error(crew):
    with pytest.raises(KeyboardInterrupt), crew("import time; time.sleep(60)") as workers:
        raise KeyboardInterrupt
    assert None not in [process.returncode for process in workers.processes]


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("raise MemoryError('no room')", r"worker 1 ended with status 1 \(MemoryError: no room\); the run is stopped"),
        ("raise ValueError('x' * 200)", r"status 1 \(ValueError: x{68}\);"),
        ("os._exit(3)", r"worker 1 ended with status 3; the run"),
        pytest.param("os.kill(os.getpid(), 9)", "killed by signal 9, as .* memory runs out", marks=posix),
        pytest.param("os.kill(os.getpid(), 11)", "worker 1 was killed by signal 11; the run", marks=posix),
    ],
)
def test_how_one_ended_is_told_in_a_sentence(crew, program, words):
    with crew(program, 1) as workers, pytest.raises(WorkerError, match=words):
        until(lambda: False, workers)


def test_one_that_cannot_begin_is_told_in_a_sentence(crew, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path[:-1])
    with crew("", 1) as workers, pytest.raises(WorkerError, match="No module named 'obedient'"):
        until(lambda: False, workers)


def test_one_that_ends_before_it_has_read_all_is_found_later(crew):
    with crew("os._exit(3)", 1) as workers:
        workers.processes[0].wait(10)
        for _ in range(20):
            workers.send(1, "x" * 100_000)
        with pytest.raises(WorkerError, match="status 3"):
            workers.check_alive()


def test_no_interpreter_is_told_in_a_sentence(crew, monkeypatch):
    for name, value in (("executable", ""), ("executable", None), ("frozen", True)):
        with monkeypatch.context() as patch, Processes("obedient") as workers:
            patch.setattr(sys, name, value, raising=False)
            with pytest.raises(WorkerError, match=r"no.*; use --workers 1"):
                workers.start(0)


def test_what_the_system_refuses_is_told_in_a_sentence(crew, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(11, "Resource temporarily unavailable")

    for module, name in ((subprocess, "Popen"), (tempfile, "TemporaryFile")):
        with monkeypatch.context() as patch, Processes("obedient") as workers:
            patch.setattr(module, name, refuse)
            with pytest.raises(
                WorkerError, match=r"worker 1 could not be started \(Resource temporarily unavailable\)"
            ):
                workers.start(0)


def test_modules_come_from_where_this_process_has_them(crew, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    here = tmp_path / "here"
    here.mkdir()
    for name in ("json", "signal", "random", "threading"):
        (here / f"{name}.py").write_text("raise SystemExit('not the one that was meant')")
    monkeypatch.chdir(here)
    assert seen_by(crew, "sys.path", tmp_path)[: len(sys.path) - 1] == sys.path[1:]


def test_cnntrain_is_found_though_its_folder_is_not_on_the_path(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "__file__", str(tmp_path / "lib" / "cnntrain" / "parallel" / "processes.py"))
    assert processes.search_path()[-1] == str(tmp_path / "lib")


def test_isolation_is_passed_on(crew, tmp_path):
    program = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from cnntrain.parallel.mapping import SharedArrays\n"
        "from cnntrain.parallel.processes import Processes\n"
        "with Processes('obedient') as crew:\n"
        "    crew.start(SharedArrays({'a': ((1,), 'int64')}).handle)\n"
        "    crew.send(1, {'program': 'sys.exit(str(sys.flags.ignore_environment))'})\n"
        "    crew.processes[0].wait(10)\n"
        "    print(crew.exit_reason(1))\n"
    )
    for option, expected in (("-I", "(1)"), ("-E", "(1)"), ("-P", "(0)")):
        done = subprocess.run([sys.executable, option, "-c", program], capture_output=True, text=True, timeout=30)
        assert expected in done.stdout, done.stderr


def test_products_run_on_one_thread_and_the_same_kernels(crew, tmp_path):
    program = "[library['architecture'], library['num_threads']] for library in threadpoolctl.threadpool_info()"
    program = f"[{program} if library.get('internal_api') == 'openblas']"
    import numpy as np  # noqa: F401 - so that it is loaded here
    import threadpoolctl

    (tmp_path / "answering.py").write_text(f"import numpy, threadpoolctl\nanswer = {program}")
    answers = seen_by(crew, "__import__('answering').answer", tmp_path)
    here = [x["architecture"] for x in threadpoolctl.threadpool_info() if x.get("internal_api") == "openblas"]
    assert [answer[1] for answer in answers] == [1] * len(answers)
    assert {answer[0] for answer in answers} <= set(here)


@posix
def test_a_wish_to_stop_is_for_rank_0(crew, tmp_path):
    program = "sorted(__import__('signal').pthread_sigmask(0, []))"
    assert seen_by(crew, program, tmp_path) == [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


@posix
def test_nothing_but_the_memory_is_passed_on(crew, tmp_path):
    with (tmp_path / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        opened = seen_by(crew, "sorted(map(int, os.listdir('/dev/fd')))", tmp_path)
        assert file.fileno() not in opened


@posix
@pytest.mark.parametrize("moment", [0.0, 0.1])
def test_workers_end_with_a_process_that_is_killed(tmp_path, crew, moment):
    reader, writer = os.pipe()  # it ends when nobody is left to write to it
    program = (
        f"import sys, time; sys.path[:] = {sys.path!r}\n"
        "from cnntrain.parallel.processes import Processes\n"
        "with Processes('obedient') as crew:\n"
        "    for worker in (1, 2):\n"
        f"        crew.start({writer})\n"
        "        crew.send(worker, {'program': ''})\n"
        "    print('started', flush=True)\n"
        "    time.sleep(60)\n"
    )
    first = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, pass_fds=(writer,))
    os.close(writer)
    with first:
        assert first.stdout.readline() == b"started\n"
        assert select.select([reader], [], [], moment)[0] == []
        first.kill()
    assert select.select([reader], [], [], 5.0)[0] == [reader]
    os.close(reader)
