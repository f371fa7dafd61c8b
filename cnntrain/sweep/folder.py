"""The folder of a sweep.

=================  ==================================================================
sweep.yaml         what varies and how it is searched, every default filled in
base.yaml          the config that all trials share, as it was written
study.journal      values and results of the trials, readable by Optuna
trials/0007/       run folders
trials.csv         a line a trial
best.yaml          the config of the best trial
result.json        what ``cnntrain sweep --json`` prints
history.png        values by trial, and the best so far
importance.png     how much each key matters
=================  ==================================================================
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnntrain.config.sweep.sweep_file import BASE_FILE, SWEEP_FILE, Sweep, load_sweep
from cnntrain.errors import UsageError
from cnntrain.runs.compare import flatten
from cnntrain.runs.folder import creation_error, make_folders
from cnntrain.storage import is_lock, is_temporary, sweep, write_text
from cnntrain.sweep.journal import JOURNAL_FILE, wait_for_lock

TABLE_FILE, BEST_FILE, RESULT_FILE = "trials.csv", "best.yaml", "result.json"
HISTORY_PLOT, IMPORTANCE_PLOT = "history.png", "importance.png"
TRIALS_FOLDER = "trials"
FILES = (SWEEP_FILE, BASE_FILE, JOURNAL_FILE, TABLE_FILE, BEST_FILE, RESULT_FILE, HISTORY_PLOT, IMPORTANCE_PLOT)


def open_folder(path: Path, new: Sweep) -> Sweep:
    """Create the folder of a sweep, or open it if it holds the same sweep; return the sweep with its number of trials.

    Raises:
        UsageError: The folder holds another sweep or something else, or cannot be created.
    """
    try:
        make_folders(path)
        lock = wait_for_lock(path)
    except OSError as error:
        raise UsageError(creation_error(path, error).replace("run folder", "sweep's folder")) from error
    try:
        sweep(path, FILES)
        if not (path / SWEEP_FILE).exists():
            others = [entry for entry in path.iterdir() if not is_lock(entry) and entry.name != BASE_FILE]
            if any(not is_temporary(entry, FILES) for entry in others):
                raise UsageError(f"{path}: the folder is not empty, and holds no sweep; name another one with --out")
            write_text(path / BASE_FILE, new.base.to_yaml())
            write_text(path / SWEEP_FILE, new.to_yaml())
            return new
        old = load_sweep(path / SWEEP_FILE)
        check_same(path, old, new)
        if new.trials > old.trials:
            write_text(path / SWEEP_FILE, new.to_yaml())
        return new
    except OSError as error:
        raise UsageError(f"{error.filename or path}: the sweep's folder cannot be written: {error.strerror}") from error
    finally:
        lock.release()


def with_trials(sweep: Sweep, trials: int) -> Sweep:
    """Return the sweep with another number of trials."""
    return replace(sweep, options=sweep.options.model_copy(update={"trials": trials}))


def check_same(path: Path, old: Sweep, new: Sweep) -> None:
    """Check that two sweeps differ in nothing but the number of trials.

    Raises:
        UsageError: They differ; the message says in what.
    """
    before, now = (flatten_sweep(sweep) for sweep in (old, new))
    keys = [key for key in dict.fromkeys([*before, *now]) if before.get(key) != now.get(key)]
    if keys:
        listed = "; ".join(f"{key} is {shown(before.get(key))} there, {shown(now.get(key))} here" for key in keys)
        raise UsageError(f"{path}: this folder holds another sweep: {listed}; name another folder with --out")


def flatten_sweep(sweep: Sweep) -> dict[str, Any]:
    """Return what makes a sweep, with dotted keys."""
    settled = sweep.settled()
    search = {f"search {key}": value for key, value in settled["search"].items()}
    rest = flatten({key: settled[key] for key in ("goal", "method", "halving", "wave", "seed")})
    return {**search, **rest, **flatten(sweep.base.plain())}


def shown(value: Any) -> str:
    """Return a value for a message."""
    return "not set" if value is None else json.dumps(value)[:80]
