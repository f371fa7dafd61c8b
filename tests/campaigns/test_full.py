"""Runs that find no room at random moments: clean ends, whole checkpoints, and in the end the same bytes."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of other processes, and file systems in memory")
def test_runs_without_room_end_clean_and_go_on(tmp_path):
    words = ["configs/digits.yaml", "training.Max=4", "training.checkpoint_every=9 batches"]
    command = [sys.executable, "tests/campaigns/full.py", "--moments", "4", "--no-plots", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 times")
