"""What a sweep leaves: trials.csv, best.yaml, plots, and what ``cnntrain sweep --json`` prints."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from cnntrain.config import to_yaml
from cnntrain.config.sweep.dimensions import value_text
from cnntrain.config.sweep.sweep_file import Sweep
from cnntrain.errors import CnntrainError, reason_of
from cnntrain.evaluation.artifacts import draw_file
from cnntrain.evaluation.evaluate import evaluate_saved
from cnntrain.runs.folder import BEST_FILE as BEST_WEIGHTS
from cnntrain.storage import write_json, write_text
from cnntrain.sweep.folder import BEST_FILE, HISTORY_PLOT, IMPORTANCE_PLOT, RESULT_FILE, TABLE_FILE, TRIALS_FOLDER
from cnntrain.sweep.journal import TrialRecord
from cnntrain.sweep.space import direction

MIN_TRIALS = 10
"""Complete trials that importances need at least: of fewer, they are mostly chance."""


def best_of(trials: Sequence[TrialRecord], sweep: Sweep) -> TrialRecord | None:
    """Return the best complete trial, the earlier of equals; None if no trial is complete."""
    sign, metric = (1 if sweep.options.goal.minimize else -1), sweep.options.goal.metric
    complete = [trial for trial in trials if trial.state == "complete" and trial.result is not None]
    return min(complete, key=lambda trial: sign * trial.result.value(metric), default=None)  # type: ignore[union-attr]


def trial_row(trial: TrialRecord, sweep: Sweep) -> dict[str, Any]:
    """Return a trial as plain data; nothing in it depends on time or place."""
    result = trial.result
    return {
        "trial": trial.number,
        "wave": trial.number // sweep.options.wave,
        "state": trial.state,
        "value": None if result is None else result.value(sweep.options.goal.metric),
        "epochs": None if result is None else result.epochs,
        "best_epoch": None if result is None else result.best_epoch,
        "validation_loss": None if result is None else result.validation_loss,
        "validation_accuracy": None if result is None else result.validation_accuracy,
        "values": trial.values,
        "error": trial.error,
    }


def write_table(folder: Path, trials: Sequence[TrialRecord], sweep: Sweep) -> None:
    """Write trials.csv, a line for each trial that is done, and best.yaml.

    Raises:
        OSError: A file cannot be written.
    """
    table = io.StringIO()
    rows = [trial_row(trial, sweep) for trial in trials if trial.state != "running"]
    keys = [dimension.key for dimension in sweep.dimensions]
    writer = csv.writer(table, lineterminator="\n")
    heads = [key for key in trial_row(trials[0], sweep) if key not in ("values", "error")] if trials else []
    writer.writerow([*heads, *keys, "error"])
    for row in rows:
        cells = [row[key] for key in heads] + [row["values"][key] for key in keys] + [row["error"]]
        writer.writerow(["" if cell is None else cell for cell in cells])
    write_text(folder / TABLE_FILE, table.getvalue())
    best = best_of(trials, sweep)
    if best is not None:
        head = f"# trial {best.number} of a sweep: {value_line(best, sweep)}\n"
        write_text(folder / BEST_FILE, head + to_yaml(sweep.config(best.values)))


def value_line(trial: TrialRecord, sweep: Sweep) -> str:
    """Return ``validation.loss 0.1234``, and the values of a trial."""
    assert trial.result is not None
    values = ", ".join(f"{key} {value_text(value)}" for key, value in trial.values.items())
    return f"{sweep.options.goal.metric} {trial.result.value(sweep.options.goal.metric):.6g} with {values}"


def importances(frozen: Sequence[FrozenTrial], sweep: Sweep) -> dict[str, float] | None:
    """Return each key's share of what made trials good or bad, by PED-ANOVA; None if too few trials are complete.

    Reference: Watanabe et al. 2023, arXiv:2304.10255.
    """
    complete = [trial for trial in frozen if trial.state == TrialState.COMPLETE]
    if len(complete) < MIN_TRIALS or len({trial.value for trial in complete}) < 2:
        return None
    study = optuna.create_study(direction=direction(sweep))
    for trial in complete:
        study.add_trial(trial)
    shares = optuna.importance.get_param_importances(study, evaluator=optuna.importance.PedAnovaImportanceEvaluator())
    if not all(map(math.isfinite, shares.values())):
        return None
    return {key: float(share) for key, share in sorted(shares.items(), key=lambda item: (-item[1], item[0]))}


def test_score(folder: Path, best: TrialRecord) -> dict[str, Any]:
    """Return the figures of the best trial's best weights on the test split.

    Raises:
        CnntrainError: The weights or the data cannot be read.
    """
    score = evaluate_saved(folder / TRIALS_FOLDER / best.name / BEST_WEIGHTS, "test").score
    return {"loss": score.loss, "accuracy": score.accuracy, "samples": score.samples}


def result_of(
    folder: Path, sweep: Sweep, trials: Sequence[TrialRecord], frozen: Sequence[FrozenTrial], has_test: bool
) -> dict[str, Any]:
    """Return what ``cnntrain sweep --json`` prints, at the end of a sweep; the test split is used here only."""
    best = best_of(trials, sweep)
    rows = [trial_row(trial, sweep) | {"run": str(folder / TRIALS_FOLDER / trial.name)} for trial in trials]
    winner = None
    if best is not None:
        winner = rows[best.number] | {
            "config": str(folder / BEST_FILE),
            "weights": str(folder / TRIALS_FOLDER / best.name / BEST_WEIGHTS),
            "test": test_score(folder, best) if has_test else None,
        }
    return {
        "folder": str(folder),
        "goal": sweep.options.goal.model_dump(exclude_none=True),
        "method": sweep.options.method,
        "trials": rows,
        "best": winner,
        "importance": importances(frozen, sweep),
    }


def write_result(folder: Path, result: dict[str, Any], plots: bool) -> Iterator[str]:
    """Write result.json and the plots; yield a sentence for each plot that cannot be drawn.

    Raises:
        OSError: result.json cannot be written.
    """
    write_json(folder / RESULT_FILE, result)
    if not plots:
        return
    metric, minimize = next(iter(result["goal"].values())), "minimize" in result["goal"]

    def draw_history() -> Any:
        from cnntrain.evaluation.plots.sweep import history

        return history(result["trials"], metric, minimize)

    def draw_importance() -> Any:
        from cnntrain.evaluation.plots.sweep import importance

        return importance(result["importance"], metric)

    drawn = {HISTORY_PLOT: draw_history} | ({IMPORTANCE_PLOT: draw_importance} if result["importance"] else {})
    for name, draw in drawn.items():
        try:
            draw_file(folder / name, draw)
        except (OSError, ImportError, CnntrainError, ValueError) as error:
            yield f"{folder / name}: the plot cannot be drawn: {reason_of(error)}"
