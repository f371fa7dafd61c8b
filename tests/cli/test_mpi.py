"""``mpiexec -n N cnntrain train``, with real MPI: the same bits, and no hang whatever happens to a rank."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnntrain
from cnntrain.errors import DivergedError, UsageError

MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
FAULT = Path(__file__).parents[1] / "support" / "mpi_fault.py"
NETWORK = [
    {"conv": {"K": 4, "F": 3}},
    {"batch_norm": {"activation": "relu"}},
    {"dropout": {"rate": 0.2}},
    {"fc": {"activation": "softmax"}},
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MPIEXEC is None, reason="needs mpich, which pip does not have for Windows"),
]


@pytest.fixture
def config(tmp_path):
    """A config of several micro-batches a batch, with everything that ranks exchange."""
    content = {
        "data": {"source": "digits", "validation": 0.1},
        "network": {"layers": NETWORK},
        "training": {"Max": 2, "batch_size": 200, "optimizer": "adam", "alpha": 0.01, "clip_norm": 1.0},
    }
    path = tmp_path / "net.yaml"
    path.write_text(json.dumps(content))
    return path


def started(ranks, *words, environment=None, fault=None):
    """Start a command as several ranks; ``fault`` is that of ``support/mpi_fault.py``."""
    program = ["-m", "cnntrain"] if fault is None else [FAULT, *fault]
    command = [MPIEXEC, "-launcher", "fork", "-n", ranks, sys.executable, *program, *words]
    return subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (environment or {}),
    )


def mpi(ranks, *words, **options):
    """Run a command as several ranks; return status, stdout and stderr."""
    process = started(ranks, *words, **options)
    try:
        out, errors = process.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, errors


def trained(tmp_path, config, *words, ranks=1, **options):
    """Train; return the run folder."""
    run = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
    shown = mpi(ranks, "train", config, "--out", run, "--no-plots", "--progress", "none", *words, **options)
    assert shown[0] == 0, shown
    return run


def files(run):
    """What must not depend on the number of ranks."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    metrics = [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
    return [(run / name).read_bytes() for name in ("weights.safetensors", "best.safetensors")], metrics


def alone(tmp_path, config, *overrides):
    """Train in this process; return the run folder."""
    run = tmp_path / "alone"
    cnntrain.train(cnntrain.load_config(config, ["training.workers=1", *overrides]), out=run, plots=False)
    return run


def test_three_ranks_give_the_bits_of_one_process(tmp_path, config):
    expected = files(alone(tmp_path, config))
    run = trained(tmp_path, config, ranks=3)
    assert files(run) == expected
    assert (run / "checkpoint.safetensors").exists()


def test_a_rank_that_raises_ends_the_job_and_the_run_resumes_on_another_number(tmp_path, config):
    run = tmp_path / "run"
    words = ("train", config, "training.checkpoint_every=1 batches", "--out", run, "--no-plots")
    status, out, errors = mpi(2, *words, fault=("raise", 1, 12))
    assert (status, out) == (7, "")
    assert "error: rank 1 on " in errors
    assert "ValueError: injected" in errors
    status, out, errors = mpi(3, "resume", run, "--no-plots", "--progress", "none", "--json")
    assert status == 0, errors
    assert json.loads(out)["epochs"] == 2
    assert files(run) == files(alone(tmp_path, config))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("eval", "runs/a"), "only train and resume run as several; start eval once"),
        (("train", "digits", "--dry-run"), "start train --dry-run once"),
        (("train", "digits", "--workers", "2"), "these are the processes of the run"),
    ],
)
def test_what_cannot_run_as_ranks_is_refused_once(words, sentence):
    status, out, errors = mpi(2, *words)
    assert (status, out) == (2, "")
    assert errors.startswith("error: ")
    assert sentence in errors
    assert errors.count("\n") == 1


LAUNCHES = {
    "Open MPI": {f"OMPI_COMM_WORLD_{name}": value for name, value in (("SIZE", "2"), ("RANK", "0"))},
    "srun": {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0"},
}


@pytest.mark.parametrize("launcher", LAUNCHES)
def test_a_launcher_of_another_mpi_than_the_library_is_refused(launcher, tmp_path):
    shown = subprocess.run(
        [sys.executable, "-m", "cnntrain", "train", "digits"],
        capture_output=True,
        text=True,
        env=os.environ | LAUNCHES[launcher],
        cwd=tmp_path,
        timeout=60,
    )
    assert (shown.returncode, shown.stdout, list(tmp_path.iterdir())) == (2, "", [])
    assert shown.stderr.startswith("error: ")
    assert "MPICH" in shown.stderr
    assert "2 ranks" in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_without_mpi4py_the_message_names_the_extra(tmp_path):
    (tmp_path / "mpi4py.py").write_text("raise ImportError('no such thing')\n")
    status, out, errors = mpi(2, "train", "digits", environment={"PYTHONPATH": str(tmp_path)})
    assert (status, out) == (2, "")
    assert errors == "error: mpiexec started 2 ranks, which needs mpi4py: pip install 'cnntrain[mpi]'\n"


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(
    ("fault", "status"), [("exit", (5, 7)), ("SIGKILL", (9, 9)), ("SIGSTOP", (7, 7)), ("memory", (8, 8))]
)
def test_every_fault_ends_the_job(tmp_path, config, fault, status, rank):
    run = tmp_path / "run"
    words = ("train", config, "training.Max=500", "--out", run, "--no-plots", "--timeout", "3")
    began = time.monotonic()
    found, _, errors = mpi(2, *words, fault=(fault, rank, 30))
    assert found == status[rank], errors
    assert time.monotonic() - began < 60
    if fault == "SIGSTOP":
        assert f"error: rank {rank} on " in errors
        assert "no sign of life for 3 s (--timeout)" in errors
    for _ in range(50):  # mpiexec may end a moment before the other ranks
        try:
            result = cnntrain.resume(run, ["training.Max=6", "training.workers=1"], plots=False)
            break
        except UsageError:
            time.sleep(0.1)
    assert result["epochs"] == 6


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_the_run(tmp_path, config, number, status):
    run = tmp_path / "run"
    process = started(2, "train", config, "training.Max=100000", "--out", run, "--no-plots", "--json")
    for _ in range(600):
        if (run / "metrics.jsonl").exists():
            break
        time.sleep(0.1)
    process.send_signal(number)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == status, errors
    assert json.loads(out.splitlines()[-1])["stop"] == "interrupted"  # mpiexec has its say before
    done = len((run / "metrics.jsonl").read_text().splitlines()) + 2
    assert mpi(3, "resume", run, f"training.Max={done}", "--no-plots")[0] == 0
    assert files(run) == files(alone(tmp_path, config, f"training.Max={done}"))


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A config of image files, whose decoded images are mapped into memory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for i in range(40):
            pixels = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{i}.png")
    content = {
        "data": {"source": "images", "path": str(tmp_path / "photos"), "size": [8, 8], "validation": 0.2},
        "network": {"layers": NETWORK},
        "training": {"Max": 1, "batch_size": 40},
    }
    path = tmp_path / "photos.yaml"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.slow
def test_machines_without_the_file_of_images_get_them_from_rank_0(tmp_path, photos):
    expected = files(alone(tmp_path, photos))
    two_machines = {"MPIR_CVAR_NUM_CLIQUES": "2"}  # MPICH takes the first half of the ranks for another machine
    assert files(trained(tmp_path, photos, ranks=2)) == expected
    assert files(trained(tmp_path, photos, ranks=4, environment=two_machines)) == expected
    assert files(trained(tmp_path, photos, ranks=4, environment=two_machines, fault=("no-file", 3, 0))) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*rolling back:UserWarning")
def test_rollback_and_verify_begin_new_loops_on_all_ranks(tmp_path, config):
    words = ["training.alpha=1e18", "training.optimizer=sgd", "training.on_divergence=rollback", "training.clip_norm=0"]
    run = tmp_path / "run"
    status = mpi(2, "train", config, *words, "--out", run, "--no-plots", "--json")
    with pytest.raises(DivergedError):
        alone(tmp_path, config, *words)
    assert status[0] == 6, status
    assert json.loads(status[1])["rollbacks"] == 3
    steady = trained(tmp_path, config, "training.Max=3", "training.checkpoint_every=3 batches", ranks=2)
    status, _, errors = mpi(3, "resume", steady, "training.Max=4", "--verify", "--no-plots")
    assert status == 0, errors
    assert "gave the same bits" in errors
    assert files(steady) == files(alone(tmp_path / "more", config, "training.Max=4"))


@pytest.mark.slow
def test_ranks_that_compute_otherwise_or_have_nothing_to_do_are_reported(tmp_path, config):
    words = ("train", config, "training.batch_size=64", "training.workers=3", "training.Max=1", "--no-plots")
    config.write_text(config.read_text().replace('"Max": 2', '"Max": 1, "workers": 3'))
    words = ("train", config, "training.batch_size=64", "--out", tmp_path / "run", "--no-plots")
    status, _, errors = mpi(3, *words, fault=("other-numpy", 2, 0))
    assert status == 0
    warnings = [line for line in errors.splitlines() if line.startswith("warning: ")]
    assert any(line.startswith(f"warning: NumPy of the ranks differ: {np.__version__} on ") for line in warnings)
    assert any("of 3 ranks have nothing to do in a step" in line for line in warnings)
    assert any(line == "warning: training.workers: 3 is not used: there are 3 MPI ranks" for line in warnings)
    assert "3 MPI ranks, float32" in errors


@pytest.mark.slow
def test_a_rank_that_cannot_start_mpi_does_not_leave_the_others_waiting(tmp_path):
    (tmp_path / "mpi4py.py").write_text(
        "import os, sys\n"
        "if os.environ['PMI_RANK'] == '1':\n"
        "    raise ImportError('not on this machine')\n"
        "sys.path.remove(os.path.dirname(__file__))\n"
        "del sys.modules['mpi4py']\n"
        "import mpi4py\n"
    )
    status, out, _ = mpi(2, "train", "digits", environment={"PYTHONPATH": str(tmp_path)})
    assert (status, out) == (2, "")
