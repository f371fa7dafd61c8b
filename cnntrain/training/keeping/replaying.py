"""Repeating the steps that led a run into infinity, from the checkpoint in ``postmortem/`` on."""

from pathlib import Path
from typing import Any

from cnntrain.builder import build_for, data_of
from cnntrain.data.fingerprint import differences, fingerprint
from cnntrain.data.watching import SILENT, Watch
from cnntrain.errors import DataError, DivergedError, ReplayError, UsageError, reason_of
from cnntrain.parallel import one_blas_thread
from cnntrain.training.events import BatchEnded
from cnntrain.training.keeping import checkpoint as checkpoints
from cnntrain.training.keeping import postmortem
from cnntrain.training.keeping.checks import check_position
from cnntrain.training.keeping.origin import other_data
from cnntrain.training.keeping.run import NEWEST
from cnntrain.training.loop import program
from cnntrain.training.workers import number_of_workers, ranks

MOST_SHOWN = 300
"""Characters of what the report says."""


def replay(run: str | Path, watch: Watch = SILENT) -> dict[str, Any]:
    """Go from the last checkpoint before a divergence to that divergence again.

    Nothing in the run folder is changed.

    Args:
        run: The run folder.
        watch: Who is told how far the loading of the data is.

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
    data = data_of(start.config, folder, watch, start.scale)
    differing = differences(start.fingerprint, fingerprint(data))
    if differing:
        raise DataError(other_data(folder, start.origin, differing))
    check_position(start, len(data.train))
    network, here, options = build_for(start.config, data), start.progress, start.config.training
    network.theta[...] = start.theta
    last, steps = postmortem.LastSteps(), 0
    size = number_of_workers(start.config, network, data)
    end = told["iteration"], told["batch"]
    with one_blas_thread(), ranks(start.config, network, data, size, here, start.states) as (comm, shared):
        try:
            for event in program(network, shared, options, comm, here):
                if isinstance(event, BatchEnded):
                    steps += 1
                    last.add(here)
                if (here.iteration, here.batch) > end:
                    break
        except DivergedError as error:
            found = postmortem.examine(network, shared, options, here, last, str(error))
            if (found["iteration"], found["batch"], found["sentence"]) == (*end, told["sentence"]):
                return {**found, "steps": steps}
            raise ReplayError(
                f"{folder}: the run diverged otherwise this time: {error}; before it was: "
                f"{told['sentence'][:MOST_SHOWN]}"
            ) from error
    raise ReplayError(f"{folder}: the run did not diverge again in iteration {end[0]}, batch {end[1]}")
