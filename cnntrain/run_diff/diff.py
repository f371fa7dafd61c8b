"""Compares two runs: what they recorded, what went into them, and the first step at which they part."""

from pathlib import Path
from typing import Any

from cnntrain.builder import load_config_data
from cnntrain.data import Data
from cnntrain.data.fingerprint import fingerprint
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.errors import CnntrainError
from cnntrain.parallel import single_core
from cnntrain.run_diff.data_diff import (
    DataDiff,
    current_checksums,
    diff_data,
    diff_samples,
    recorded_samples,
)
from cnntrain.run_diff.first_tensor import first_tensor
from cnntrain.run_diff.inputs import (
    ONLY_ENDS,
    causes_at,
    differing_fingerprints,
    differing_keys,
    differing_versions,
)
from cnntrain.run_diff.lockstep import (
    ITS_END,
    Position,
    Replica,
    common_checkpoint,
    last_step,
    replicas,
    run_until_they_part,
)
from cnntrain.run_diff.recorded import (
    RecordedRun,
    differing_file,
    first_differing_epoch,
    read_run,
    same_state,
)
from cnntrain.training.batches import batch_count
from cnntrain.training.checkpointing.verify import differing_tensors

FEW = 3
"""Maximum number of samples that a cause names."""
THIS_ENVIRONMENT = "the environment: versions, kernels or processor"
"""The cause where config and data are the same."""


def diff_runs(a: str | Path, b: str | Path, reporter: ProgressReporter = NO_PROGRESS) -> dict[str, Any]:
    """Find the first step at which two runs part, and why, by repeating their steps. The run folders do not change.

    Args:
        a: Run folder.
        b: Another one.
        reporter: Receives progress, and notes of loading the data.

    Returns:
        ``identical``; ``runs``; ``epochs``; ``config`` and ``versions``, the inputs that differ, each with both values;
        ``data``, which samples differ; ``first``, the first difference: ``epoch``, ``batch``, ``step``, ``stage``,
        ``tensor``, ``difference``, ``samples``; ``recorded``, the first figure of metrics.jsonl that differs;
        ``same_until``, epoch and batch up to which the bits are the same; ``cause``; ``notes``.

    Raises:
        UsageError: A folder is no run, or has no checkpoint.
        WeightsError: A checkpoint or weights file is damaged.
    """
    runs = read_run(Path(a)), read_run(Path(b))
    result: dict[str, Any] = {
        "identical": False,
        "runs": [str(run.folder) for run in runs],
        "epochs": [len(run.metrics) for run in runs],
        "config": differing_keys(*runs),
        "versions": differing_versions(*runs),
        "data": {"parts": differing_fingerprints(*runs)},
        "recorded": first_differing_epoch(*runs),
        "first": None,
        "same_until": None,
        "cause": [],
        "notes": [],
    }
    if same_state(runs[0].newest, runs[1].newest) and result["recorded"] is None:
        changed = differing_file(*runs)
        result["same_until"] = list(runs[0].end)
        if changed is None:
            return {**result, "identical": True}
        result["cause"] = [f"{changed} differs, although the checkpoints are the same: the file was changed later"]
        return result
    data = load_both(runs, result, reporter)
    if data is None:
        recorded = [recorded_samples(run.folder) for run in runs]
        if recorded[0] is not None and recorded[1] is not None and result["data"]["parts"]:
            result["data"] |= diff_samples(recorded[0], recorded[1]).to_json()
        without_replay(result)
        return result
    differing_data = diff_data(*data) if data[0] is not data[1] else DataDiff()
    if differing_data:
        result["data"] |= differing_data.to_json()
    with single_core():
        by_replay(runs, data, bool(differing_data), result, reporter)
    return result


def load_both(
    runs: tuple[RecordedRun, RecordedRun], result: dict[str, Any], reporter: ProgressReporter
) -> tuple[Data, Data] | None:
    """Load the data of both runs; None, with a note, if those of a run are gone."""
    sections = [run.config.resolved().get("data") for run in runs]
    loaded: list[Data] = []
    for run in runs:
        if loaded and sections[0] == sections[1] and not result["data"]["parts"]:
            return loaded[0], loaded[0]
        try:
            data = load_config_data(run.config, run.folder, reporter, run.newest.scale)
        except CnntrainError as error:
            reason = "; ".join(str(error).splitlines())
            result["notes"].append(
                f"{run.folder}: its data cannot be loaded, so its steps cannot be repeated: {reason}"
            )
            return None
        if fingerprint(data) != run.newest.fingerprint:
            path = sections[len(loaded)] or {}
            where = f"at {path['path']}" if path.get("path") else "in this version"
            result["notes"].append(
                f"{run.folder}: the data {where} are no longer those that this run was trained on, so its steps cannot "
                f"be repeated; {changed_since(run, data)}"
            )
            return None
        loaded.append(data)
    return loaded[0], loaded[1]


def changed_since(run: RecordedRun, data: Data) -> str:
    """Return which samples of the loaded data are not those that a run recorded."""
    recorded = recorded_samples(run.folder)
    if recorded is None:
        return "which images differ is unknown"
    now = diff_samples(recorded, current_checksums(data)).to_json()
    names = names_in(now)
    if not names:
        return "the same images are in another order" if now["reordered"] else "which images differ is unknown"
    more = f", and {len(names) - FEW:,} more" if len(names) > FEW else ""
    return f"since then, these have changed: {', '.join(names[:FEW])}{more}"


def without_replay(result: dict[str, Any]) -> None:
    """Name the first differing epoch and the causes from what the runs recorded."""
    keys = [key for key in result["config"] if key not in ONLY_ENDS and key != "data.path"]
    result["cause"] = [which_data(result["data"])] * bool(result["data"]["parts"]) + keys
    if not result["cause"]:
        result["cause"] = [key for key in result["config"] if key != "data.path"] or list(result["versions"])


def by_replay(
    runs: tuple[RecordedRun, RecordedRun],
    data: tuple[Data, Data],
    data_differ: bool,
    result: dict[str, Any],
    reporter: ProgressReporter,
) -> None:
    """Repeat the steps of both runs until they part, and find the first differing tensor."""
    start = common_checkpoint(*runs)
    steps = [batch_count(len(of.train), run.config.training.batch_size) for run, of in zip(runs, data, strict=True)]
    ends = [last_step(run.newest.state, run, of) for run, of in zip(runs, data, strict=True)]
    total = min((epoch - 1) * per + batch if epoch else 0 for (epoch, batch), per in zip(ends, steps, strict=True))

    def on_step(position: Position) -> None:
        reporter.progress((position[0] - 1) * steps[0] + position[1], total, "repeating steps")

    with replicas(runs, data, start) as (a, b):
        parting = run_until_they_part(a, b, on_step)
        result["notes"] += [note for replica in (a, b) if (note := contradiction(replica))]
        if parting is None:
            after_the_end(a, b, ends, result)
            return
        found = first_tensor(a, b, parting)
        epoch, batch = parting.position
        result["first"] = {
            "epoch": epoch,
            "batch": batch,
            "step": (epoch - 1) * steps[0] + batch if epoch else 0,
            "stage": found.stage,
            "tensor": found.tensor,
            "difference": found.difference,
            "samples": found.samples,
        }
        alpha = "alpha" in found.difference
        causes = causes_at(found.stage, result["config"], data_differ, result["versions"], alpha)
        causes = causes or [THIS_ENVIRONMENT]
        result["cause"] = [which_data(result["data"]) if cause == "the data" else cause for cause in causes]


def names_in(data: dict[str, Any]) -> list[str]:
    """Return the samples that differ: their files, or split and index."""
    rows = [row for kind in ("changed", "relabeled", "moved") for row in data.get(kind, ())]
    names = [row["name"] or f"{row.get('split') or row['splits'][0]}[{row['index'][0]}]" for row in rows]
    return list(dict.fromkeys(names))


def which_data(data: dict[str, Any]) -> str:
    """Return the data as a cause, with the samples that differ if they are few."""
    names = names_in(data)
    if not 0 < len(names) <= FEW:
        return "the data"
    text = f"the data: {', '.join(names)}"
    return f"{text} (and with it mean and standard deviation of all)" if data.get("standardization") else text


def contradiction(replica: Replica) -> str:
    """Return a note if a run was not reproduced in this environment.

    A rollback has replaced the metrics of the epochs before it.
    """
    if replica.contradiction is None or replica.state.rollbacks != replica.run.newest.state.rollbacks:
        return ""
    return (
        f"{replica.run.folder}: repeating its steps here gives other figures than it recorded, from epoch "
        f"{replica.contradiction} on: another version or processor, or the run was resumed with other keys"
    )


def after_the_end(a: Replica, b: Replica, ends: list[Position], result: dict[str, Any]) -> None:
    """Describe two runs whose repeated steps are the same up to the end of one of them."""
    result["same_until"] = list(min(a.position, b.position))
    diverged = next((replica.ended for replica in (a, b) if replica.ended not in ("", ITS_END)), "")
    if diverged:
        result["notes"].append(f"the steps were repeated up to a rollback, and not after it: {diverged}")
        without_replay(result)
        result["cause"] = result["cause"] or [THIS_ENVIRONMENT]
    elif result["recorded"] is not None:
        result["cause"] = [f"the version of {name}" for name in result["versions"]] or [THIS_ENVIRONMENT]
        result["notes"].append(
            "repeated here, both runs give the same bits: what they recorded is from other conditions"
        )
    elif ends[0] != ends[1]:
        keys = [key for key in result["config"] if key in ONLY_ENDS]
        ended = [replica.run.stop or "is not finished" for replica in (a, b)]
        result["cause"] = keys or [f"the first run {ended[0]}, the second {ended[1]}"]
    else:
        result["cause"] = differing_tensors(a.run.newest, b.run.newest) or ["the best weights in the checkpoint"]
