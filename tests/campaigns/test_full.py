"""A disk that is full at random moments: clean exits, intact checkpoints, and the same bytes at the end."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of other processes, and file systems in memory")
def test_runs_on_a_full_disk_exit_cleanly_and_resume(tmp_path):
    words = ["configs/digits.yaml", "training.Max=4", "training.checkpoint_every=9 batches"]
    command = [sys.executable, "tests/campaigns/full.py", "--moments", "4", "--no-plots", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 times")
