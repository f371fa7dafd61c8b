"""What a sweep would do: the first trials, and how long all of them take."""

from pathlib import Path
from typing import Any

from cnntrain.config.sweep.checks import check_candidate_shapes
from cnntrain.config.sweep.sweep_file import Sweep
from cnntrain.data.progress import ProgressReporter
from cnntrain.errors import ConfigError
from cnntrain.profiling.dry_run import dry_run as dry_run_of_config
from cnntrain.sweep.run import check_cores
from cnntrain.sweep.space import choose


def dry_run(sweep: Sweep, folder: Path, parallel: int, reporter: ProgressReporter) -> dict[str, Any]:
    """Return what ``cnntrain sweep --dry-run --json`` prints; nothing is written.

    Args:
        sweep: The sweep.
        folder: The folder it would have.
        parallel: Number of trials at a time.
        reporter: Receives progress and notes.

    Raises:
        CnntrainError: As for the sweep itself.
    """
    check_cores(sweep, parallel)
    config = sweep.base.config({})
    if parallel > 1 and config.training.workers == "auto":
        config = config.model_copy(update={"training": config.training.model_copy(update={"workers": 1})})
    estimate = dry_run_of_config(config, reporter)
    if not estimate["samples"]["validation"]:
        raise ConfigError(
            f"{config.where(('data',))}: a sweep compares trials on validation samples, and none are held out; add "
            "'validation: 0.1' to data"
        )
    check_candidate_shapes(sweep.base, sweep.dimensions, tuple(estimate["input_shape"]), len(estimate["classes"]))
    settled, per_trial = sweep.settled(), estimate["seconds_to_Max"]
    first = choose(sweep, 0, min(sweep.options.wave, sweep.trials), ())
    return {
        "folder": str(folder),
        "search": settled["search"],
        "goal": settled["goal"],
        "method": settled["method"],
        "halving": settled["halving"],
        "wave": settled["wave"],
        "seed": settled["seed"],
        "trials": sweep.trials,
        "parallel": parallel,
        "samples": estimate["samples"],
        "first_wave": first,
        "seconds_per_trial": per_trial,
        "seconds": per_trial * -(-sweep.trials // parallel),
    }
