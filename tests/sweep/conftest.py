from pathlib import Path

import pytest

from cnntrain.config.sweep.sweep_file import Sweep, load_sweep
from cnntrain.sweep.events import SweepEnded, TrialEnded
from cnntrain.sweep.run import run_sweep

BASE = """\
data: {{source: npz, path: {data}, validation: 0.3}}
network:
  layers:
    - conv: {{K: 2, F: 2, activation: relu}}
    - pool: {{k: 2, type: max}}
    - fc: {{activation: softmax}}
training: {{Max: 4, batch_size: 16, workers: 1, on_divergence: stop}}
"""
VARIES = ("training.alpha=1e-2..1", "layers.0.conv.K=2,4")


@pytest.fixture
def base(tiny, tmp_path) -> Path:
    """A config that trains in a moment."""
    path = tmp_path / "tiny.yaml"
    path.write_text(BASE.format(data=tiny), encoding="utf-8")
    return path


class Ran:
    """The events of a sweep, and what it left."""

    def __init__(self, sweep: Sweep, folder: Path, parallel: int = 1, **options):
        self.folder, self.events = folder, []
        for event in run_sweep(sweep, folder, parallel, **{"plots": False, **options}):
            self.events.append(event)
        self.result = self.events[-1].result if isinstance(self.events[-1], SweepEnded) else None

    def files(self):
        """What must be the same, byte for byte."""
        return {name: (self.folder / name).read_bytes() for name in ("trials.csv", "best.yaml")}

    def ended(self):
        """The trials that ended, in this order."""
        return [event.trial for event in self.events if isinstance(event, TrialEnded)]


@pytest.fixture
def run(base, tmp_path):
    """Runs a sweep with these words."""

    def run(name, *words, parallel=1, varies=VARIES, **options):
        return Ran(load_sweep(base, [*varies, *words]), tmp_path / name, parallel, **options)

    return run
