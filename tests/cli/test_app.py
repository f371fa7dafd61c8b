import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from cnntrain.cli import app as module
from cnntrain.cli.app import app

COMMANDS = ["train", "eval", "gradcheck", "summary", "bench"]


def run(*words: str):
    return CliRunner().invoke(app, words)


def test_help_names_every_command():
    shown = run("--help")
    assert shown.exit_code == 0
    assert all(f"  {command} " in shown.stdout for command in COMMANDS)


def test_no_words_show_the_help():
    shown = run()
    assert shown.exit_code == 2
    assert "Commands:" in shown.output


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_its_words(command):
    shown = run(command, "--help")
    assert shown.exit_code == 0
    assert f"Example: cnntrain {command} " in shown.stdout
    options = shown.stdout.partition("Options:")[2].partition("Example:")[0]
    assert "--json" in options
    assert "╭" not in shown.stdout, "no frames"


def test_a_command_collects_garbage_rarely_and_starts_no_blas_threads_unless_the_user_wants_them():
    code = (
        "import atexit, gc, os; from cnntrain.cli.app import main\n"
        "enough = lambda: gc.get_threshold()[0] >= 10_000 and gc.get_freeze_count() > 1000\n"
        "atexit.register(lambda: print(enough(), os.environ['OPENBLAS_NUM_THREADS']))\n"
        "main()"
    )
    names = ("OPENBLAS_NUM_THREADS", "PYDANTIC_DISABLE_PLUGINS")
    unset = {name: value for name, value in os.environ.items() if name not in names}
    for given, threads in (({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")):
        done = subprocess.run(
            [sys.executable, "-c", code, "--version"], env=unset | given, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0
        assert done.stdout.splitlines()[-1] == f"True {threads}"


def test_data_of_one_kind_load_without_the_code_for_the_others():
    code = (
        "import sys; from cnntrain.data import load_data; load_data('digits')\n"
        "parts = ('image_folder.loader', 'formats.csv_file', 'downloads.fetch')\n"
        "print([part for part in parts if f'cnntrain.data.{part}' in sys.modules], 'numpy.ma' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[] False\n"


def test_version(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", {"cnntrain": "0.1.0"}.__getitem__)
    shown = run("--version")
    assert (shown.exit_code, shown.stdout) == (0, "cnntrain 0.1.0\n")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["trian"], "trian"),
        (["train"], "CONFIG"),
        (["train", "a.yaml", "--ouy", "x"], "--ou"),
        (["eval", "runs/a", "--split", "all"], "validation"),
        (["gradcheck", "a.yaml", "--samples", "0"], "or all, got '0'"),
        (["gradcheck", "a.yaml", "--samples", "[conv]"], "or all, got '[conv]'"),
    ],
)
def test_wrong_usage_is_told(words, hint):
    shown = run(*words)
    assert shown.exit_code == 2
    assert hint in shown.stderr
    assert shown.stdout == ""
    assert "Traceback" not in shown.stderr


def test_help_needs_no_heavy_imports():
    heavy = ["numpy", "pydantic", "yaml", "safetensors", "tqdm", "rich.live", "rich.console"]
    code = f"import sys, cnntrain.cli.app; print([name for name in {heavy} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_python_m_is_the_command():
    shown = subprocess.run([sys.executable, "-m", "cnntrain", "--help"], capture_output=True, text=True, check=True)
    assert "Commands:" in shown.stdout


def test_a_closed_stream_ends_no_command(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", sys.stderr)  # put back at the end: the command wraps it
    monkeypatch.setattr(sys, "argv", ["cnntrain", "--help"])
    with pytest.raises(SystemExit) as stop:
        module.main()
    sys.stdout.close()
    assert stop.value.code == 0
