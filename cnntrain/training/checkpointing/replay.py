"""Repeating the steps that led a run into infinity, from the checkpoint in ``postmortem/`` on."""

from pathlib import Path
from typing import Any

from cnntrain.builder import build_for, load_config_data
from cnntrain.data.fingerprint import differences, fingerprint
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.errors import DataError, DivergedError, ReplayError, UsageError, reason_of
from cnntrain.parallel import one_blas_thread
from cnntrain.runs.folder import NEWEST
from cnntrain.training.checkpointing import checkpoint as checkpoints
from cnntrain.training.checkpointing import postmortem
from cnntrain.training.checkpointing.provenance import other_data
from cnntrain.training.checkpointing.validation import check_position
from cnntrain.training.events import BatchEnded
from cnntrain.training.loop import train_loop
from cnntrain.training.workers import number_of_workers, ranks

MAX_SHOWN = 300
"""Characters of what the report says."""


def replay(run: str | Path, reporter: ProgressReporter = NO_PROGRESS) -> dict[str, Any]:
    """Go from the last checkpoint before a divergence to that divergence again.

    Nothing in the run folder is changed.

    Args:
        run: The run folder.
        reporter: Who is told how far the loading of the data is.

    Returns:
        The report, made anew, with ``steps``: how many were repeated.

    Raises:
        UsageError: The run did not diverge, or its report is malformed.
        WeightsError: The checkpoint is missing or damaged.
        DataError: The data are missing, or not those that it began with.
        ReplayError: It does not diverge again, or elsewhere.
    """
    folder = Path(run)
    try:
        told = postmortem.read(folder)
    except OSError as error:
        raise UsageError(
            f"{folder / postmortem.FOLDER / postmortem.REPORT}: {error.strerror or error}; only a run that "
            "diverged can be replayed"
        ) from error
    except (ValueError, RecursionError) as error:
        report = folder / postmortem.FOLDER / postmortem.REPORT
        raise UsageError(f"{report}: not a report: {reason_of(error)}") from error
    start = checkpoints.load(folder / postmortem.FOLDER / NEWEST)
    data = load_config_data(start.config, folder, reporter, start.scale)
    differing = differences(start.fingerprint, fingerprint(data))
    if differing:
        raise DataError(other_data(folder, start.origin, differing))
    check_position(start, len(data.train))
    network, state, options = build_for(start.config, data), start.progress, start.config.training
    network.theta[...] = start.theta
    last, steps = postmortem.LastSteps(), 0
    size = number_of_workers(start.config, network, data)
    end = told["epoch"], told["batch"]
    with one_blas_thread(), ranks(start.config, network, data, size, state, start.states) as (comm, shared):
        try:
            for event in train_loop(network, shared, options, comm, state):
                if isinstance(event, BatchEnded):
                    steps += 1
                    last.add(state)
                if (state.epoch, state.batch) > end:
                    break
        except DivergedError as error:
            found = postmortem.examine(network, shared, options, state, last, str(error))
            if (found["epoch"], found["batch"], found["sentence"]) == (*end, told["sentence"]):
                return {**found, "steps": steps}
            raise ReplayError(
                f"{folder}: the run diverged otherwise this time: {error}; before it was: "
                f"{told['sentence'][:MAX_SHOWN]}"
            ) from error
    raise ReplayError(f"{folder}: the run did not diverge again in epoch {end[0]}, batch {end[1]}")
