"""Resuming a run that ended, was stopped or was killed; the result is bit-identical to an uninterrupted run.

Checkpoint, overrides and data are checked before anything in the folder changes.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnntrain.builder import build_for, with_image_size
from cnntrain.config import Config, config_from_dict, load_config, to_yaml
from cnntrain.data import Data
from cnntrain.data.fingerprint import differences, fingerprint
from cnntrain.errors import ConfigError, DataError
from cnntrain.network.network import Network
from cnntrain.runs.compare import flatten
from cnntrain.runs.folder import (
    CHECKPOINT_FILE,
    CONFIG_FILE,
    METRICS_FILE,
    PREVIOUS_FILE,
    RUN_FILES,
    WEIGHTS_FILE,
    RunFolder,
)
from cnntrain.storage import FileMark, read_file, sweep, write_file
from cnntrain.training import tensorboard
from cnntrain.training.checkpointing import checkpoint as checkpoints
from cnntrain.training.checkpointing.checkpoint import Checkpoint
from cnntrain.training.checkpointing.provenance import changes, data_mismatch
from cnntrain.training.checkpointing.restore import LoadedCheckpoint, StartPoint, last_checkpoint, metrics_before
from cnntrain.training.checkpointing.validation import check_position
from cnntrain.training.checkpointing.verify import verify_last_steps
from cnntrain.training.events import Event, WarningIssued
from cnntrain.training.fit import run_training
from cnntrain.training.footprint import check_memory
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.load_data import load_events
from cnntrain.training.start_from import starting_network
from cnntrain.training.stopping import check_validation

CHANGEABLE_KEYS = {
    "data.path",
    "training.Max",
    "training.epsilon",
    "training.patience",
    "training.workers",
    "training.checkpoint_every",
    "training.on_divergence",
    "training.tensorboard",
}
"""Keys of the config that may change on resume: no completed step depends on them."""


def resume_run(
    run: str | Path,
    overrides: Sequence[str] = (),
    interrupts: Interrupts | None = None,
    verify: bool = False,
    diagnostics: bool = False,
    plots: bool = True,
    test: bool = True,
) -> Iterator[Event]:
    """Resume a run from its last checkpoint; yield events.

    Args:
        run: Run folder.
        overrides: ``KEY=VALUE`` strings for ``CHANGEABLE_KEYS``; ``training.Max=30`` extends a run.
        interrupts: See ``fit``.
        verify: Whether to first repeat the steps between the last two checkpoints, and compare the bits.
        diagnostics: See ``fit``.
        plots: See ``fit``.
        test: See ``fit``.

    Raises:
        UsageError: There is no run, or another process uses its folder.
        WeightsError: No checkpoint is intact.
        ConfigError: An override changes a key that must not change.
        DataError: The data are missing, or not those that the run started with.
        ReplayError: The repeated steps gave different bits.
        CnntrainError: See ``fit``.
    """
    with RunFolder.open(Path(run)) as folder:
        if has_not_started(folder.path):
            config, notes = tensorboard.without_unknown_folder(load_config(folder.config, overrides), overrides)
            yield from map(WarningIssued, notes)
            tensorboard.check(config, new=True)
            data = yield from load_events(config, None, interrupts)
            config = with_image_size(config, data)
            config, network, starting = starting_network(config, data)
            check_validation(config, data)
            yield from map(WarningIssued, check_memory(config, network, data))
            folder.write_config(config)
            start = StartPoint(choices=tuple(starting))
            yield from run_training(folder, config, network, data, start, interrupts, diagnostics, plots, test)
            return
        loaded = last_checkpoint(folder.path)
        checkpoint = loaded.checkpoint
        config = overridden_config(checkpoint, overrides, folder.path)
        config, notes = tensorboard.without_unknown_folder(config, overrides)
        yield from map(WarningIssued, notes)
        tensorboard.check(config, new=config.training.tensorboard != checkpoint.config.training.tensorboard)
        data = yield from load_events(config, folder.path, interrupts, checkpoint.scale)
        differing = differences(checkpoint.fingerprint, fingerprint(data))
        if differing:
            features = getattr(config.data, "features", None) is not None
            raise DataError(data_mismatch(folder.path, checkpoint.provenance, differing, features))
        check_position(checkpoint, len(data.train))
        check_validation(config, data)
        network = build_for(config, data)
        yield from map(WarningIssued, check_memory(config, network, data))
        yield from (WarningIssued(note) for note in [*loaded.notes, *resume_warnings(checkpoint, config)])
        if verify:
            yield from verify_last_steps(folder.path, checkpoint, network, data, interrupts)
        yield from (WarningIssued(note) for note in restore_folder(folder, loaded, config, network, data))
        network.theta[...] = checkpoint.theta
        start = StartPoint(checkpoint.state, checkpoint.outcome, checkpoint.states, checkpoint.best)
        yield from run_training(folder, config, network, data, start, interrupts, diagnostics, plots, test)


def has_not_started(folder: Path) -> bool:
    """Return whether a run ended before its first checkpoint, and so before its first step."""
    names = {path.name for path in folder.iterdir()}
    progress = {CHECKPOINT_FILE, PREVIOUS_FILE, METRICS_FILE, WEIGHTS_FILE}
    return (folder / CONFIG_FILE).is_file() and not names & progress


def overridden_config(checkpoint: Checkpoint, overrides: Sequence[str], folder: Path) -> Config:
    """Return the config of a run with overrides applied.

    Raises:
        ConfigError: An override is malformed, or changes a key that must not change.
    """
    if not overrides:
        return checkpoint.config
    before = checkpoint.config.resolved()
    config = config_from_dict(before, str(folder), overrides)
    old, new = flatten(before), flatten(config.resolved())
    refused = [
        f"{folder}: {key} is {format_value(old.get(key))} in this run and cannot become {format_value(new.get(key))}; "
        f"only these keys can change: {', '.join(sorted(CHANGEABLE_KEYS))}"
        for key in [*old, *(key for key in new if key not in old)]
        if old.get(key) != new.get(key) and key not in CHANGEABLE_KEYS
    ]
    if refused:
        raise ConfigError("\n".join(refused))
    done = checkpoint.state.epoch - (checkpoint.state.batch == 0)
    if config.training.Max < done and config.training.Max != checkpoint.config.training.Max:
        raise ConfigError(
            f"{folder}: training.Max cannot become {config.training.Max}: this run is already in epoch {done}"
        )
    return config


def format_value(value: Any) -> str:
    """Format a value of a config for a message."""
    return "not set" if value is None else json.dumps(value)[:80]


def resume_warnings(checkpoint: Checkpoint, config: Config) -> list[str]:
    """Return warnings on why the result may differ from that of an uninterrupted run."""
    warnings = [
        f"{change}; the last bits may differ from those of an uninterrupted run"
        for change in changes(checkpoint.provenance)
    ]
    before, now = checkpoint.config.training, config.training
    if before.schedule in ("cosine", "one_cycle") and checkpoint.state.epoch > before.Max:
        warnings.append(
            f"this run has finished, and alpha has come to its end with the schedule {before.schedule}; to improve it, "
            "cnntrain train CONFIG --from RUN begins a new run with its weights and the whole schedule"
        )
    if before.Max != now.Max and before.schedule in ("cosine", "one_cycle"):
        warnings.append(
            f"the schedule {before.schedule} depends on Max: the epochs so far used Max {before.Max}, the rest uses "
            f"{now.Max}"
        )
    return warnings


def restore_folder(
    folder: RunFolder, loaded: LoadedCheckpoint, config: Config, network: Network, data: Data
) -> list[str]:
    """Restore the run folder to the state of the checkpoint; return warnings."""
    notes, checkpoint, metrics = list[str](), loaded.checkpoint, folder.metrics
    sweep(folder.path, RUN_FILES)
    if loaded.name == PREVIOUS_FILE:  # otherwise the next save would replace it with the damaged one
        (folder.path / PREVIOUS_FILE).replace(folder.path / CHECKPOINT_FILE)
    if not metrics.rewind(checkpoint.metrics, checkpoint.waiting):
        notes.append(f"{metrics.path}: this file was edited; the lines of epochs before the checkpoint are kept")
        kept = metrics_before(metrics.path, checkpoint.state.epoch)
        write_file(metrics.path, kept)
        metrics.rewind(FileMark(len(kept), ""), [])
    elif (lost := checkpoint.state.epoch - 1 - metrics.found - len(metrics.waiting)) > 0:
        epochs = "1 epoch" if lost == 1 else f"{lost:,} epochs"
        notes.append(f"{metrics.path}: the figures of {epochs} are missing: they could not be written")
    metrics.cut()
    folder.summary.unlink(missing_ok=True)
    if config != checkpoint.config:
        new = replace(checkpoint, config=config, metrics=metrics.mark, waiting=metrics.waiting)
        checkpoints.save(folder.path, checkpoints.serialized(new, network, data))
    if not file_equals(folder.config, to_yaml(config)):
        folder.write_config(config)
    return notes


def file_equals(path: Path, text: str) -> bool:
    """Return whether a file exists and has exactly this text."""
    content = text.encode()
    try:
        return read_file(path, len(content)) == content
    except OSError:
        return False
