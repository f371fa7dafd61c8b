"""Replay of a diverged run, from the checkpoint of its postmortem to the divergence."""

from pathlib import Path
from typing import Any

from cnntrain.builder import build_for, load_config_data
from cnntrain.data.fingerprint import differences, fingerprint
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.errors import DataError, DivergedError, ReplayError, UsageError, reason_of
from cnntrain.runs.folder import CHECKPOINT_FILE, POSTMORTEM_FOLDER, POSTMORTEM_REPORT
from cnntrain.training.checkpointing import checkpoint as checkpoints
from cnntrain.training.checkpointing import postmortem
from cnntrain.training.checkpointing.provenance import data_mismatch
from cnntrain.training.checkpointing.validation import check_position
from cnntrain.training.events import BatchEnded
from cnntrain.training.loop import train_loop
from cnntrain.training.workers import process_group

MAX_SHOWN = 300
"""Maximum number of characters of the report's message in an error."""


def replay(run: str | Path, reporter: ProgressReporter = NO_PROGRESS) -> dict[str, Any]:
    """Repeat the last steps of a diverged run. The run folder does not change.

    Args:
        run: Run folder.
        reporter: Receives the progress of loading the data.

    Returns:
        The report, computed again, with ``steps``, the number of repeated steps.

    Raises:
        UsageError: The run did not diverge, or its report is malformed.
        WeightsError: The checkpoint is missing or damaged.
        DataError: The data are missing, or not those that the run started with.
        ReplayError: The run does not diverge again, or it diverges elsewhere.
    """
    folder = Path(run)
    path = folder / POSTMORTEM_FOLDER / POSTMORTEM_REPORT
    try:
        original = postmortem.read_report(folder)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; only a run that diverged can be replayed") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not a report: {reason_of(error)}") from error
    start = checkpoints.load(folder / POSTMORTEM_FOLDER / CHECKPOINT_FILE)
    data = load_config_data(start.config, folder, reporter, start.scale)
    differing = differences(start.fingerprint, fingerprint(data))
    if differing:
        features = getattr(start.config.data, "features", None) is not None
        raise DataError(data_mismatch(folder, start.provenance, differing, features))
    check_position(start, len(data.train))
    network, state, options = build_for(start.config, data), start.state, start.config.training
    network.theta[...] = start.theta
    last, steps = postmortem.LossHistory(), 0
    end = original["epoch"], original["batch"]
    with process_group(start.config, network, data, None, state, start.states) as (comm, shared):
        try:
            for event in train_loop(network, shared, options, comm, state):
                if isinstance(event, BatchEnded):
                    steps += 1
                    last.add(state)
                if (state.epoch, state.batch) > end:
                    break
        except DivergedError as error:
            report = postmortem.create_report(network, shared, options, state, last, str(error))
            if (report["epoch"], report["batch"], report["sentence"]) == (*end, original["sentence"]):
                return {**report, "steps": steps}
            raise ReplayError(
                f"{folder}: the run diverged differently this time: {error}; originally: "
                f"{original['sentence'][:MAX_SHOWN]}"
            ) from error
    raise ReplayError(f"{folder}: the run did not diverge again in epoch {end[0]}, batch {end[1]}")
