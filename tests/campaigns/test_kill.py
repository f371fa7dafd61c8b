"""Twenty kills at random moments: the results have the same bytes as an uninterrupted run."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the campaign finds workers in /proc")
def test_killed_runs_give_the_same_bytes():
    words = ["configs/digits.yaml", "training.Max=3", "training.checkpoint_every=9 batches", "--no-plots"]
    command = [sys.executable, "tests/campaigns/kill.py", "--kills", "20", "--workers", "1,1,1,1,1,2", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("20 kills")
