"""Going on with a run that ended, was stopped or was killed, as if nothing had happened.

Everything is checked before anything in the folder is touched: the checkpoint, what is asked to change, the data.
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
from cnntrain.runs.folder import NEWEST, OWN, PREVIOUS, RunFolder
from cnntrain.storage import FileMark, read_file, sweep, write_file
from cnntrain.training.checkpointing import checkpoint as checkpoints
from cnntrain.training.checkpointing.checkpoint import Checkpoint
from cnntrain.training.checkpointing.provenance import changes, other_data
from cnntrain.training.checkpointing.restore import Found, StartPoint, last_checkpoint, metrics_before
from cnntrain.training.checkpointing.validation import check_position
from cnntrain.training.checkpointing.verify import verify_last_steps
from cnntrain.training.events import Event, Warned
from cnntrain.training.fit import run_training
from cnntrain.training.footprint import check_memory
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.load_data import load_events
from cnntrain.training.stopping import check_patience

MAY_CHANGE = {
    "data.path",
    "training.Max",
    "training.epsilon",
    "training.patience",
    "training.workers",
    "training.checkpoint_every",
    "training.on_divergence",
}
"""Keys of a config that a run may go on with other values of: no step that it has taken depends on them."""


def resume_run(
    run: str | Path,
    overrides: Sequence[str] = (),
    interrupts: Interrupts | None = None,
    verify: bool = False,
    health: bool = False,
    plots: bool = True,
) -> Iterator[Event]:
    """Go on with a run where its last checkpoint left it; yield what happens.

    Args:
        run: The run folder.
        overrides: ``KEY=VALUE`` words for keys of ``MAY_CHANGE``: ``training.Max=30`` extends a run.
        interrupts: As for ``fit``.
        verify: First repeat the steps between the last two checkpoints, and compare.
        health: As for ``fit``.
        plots: As for ``fit``.

    Raises:
        UsageError: There is no run, or another process is working on it.
        WeightsError: No checkpoint is whole.
        ConfigError: An override would make it another run.
        DataError: The data are missing, or not those that it began with.
        ReplayError: The repeated steps gave other bits.
        CnntrainError: As ``fit``.
    """
    with RunFolder.open(Path(run)) as folder:
        if has_no_progress(folder.path):
            config = load_config(folder.config, overrides)
            data = yield from load_events(config, None, interrupts)
            config = with_image_size(config, data)
            network = build_for(config, data)
            check_patience(config, data)
            yield from map(Warned, check_memory(config, network, data))
            folder.write_config(config)
            yield from run_training(folder, config, network, data, StartPoint(), interrupts, health, plots)
            return
        found = last_checkpoint(folder.path)
        checkpoint = found.checkpoint
        config = changed(checkpoint, overrides, folder.path)
        data = yield from load_events(config, folder.path, interrupts, checkpoint.scale)
        differing = differences(checkpoint.fingerprint, fingerprint(data))
        if differing:
            raise DataError(other_data(folder.path, checkpoint.origin, differing))
        check_position(checkpoint, len(data.train))
        check_patience(config, data)
        network = build_for(config, data)
        yield from map(Warned, check_memory(config, network, data))
        yield from (Warned(note) for note in [*found.notes, *warnings(checkpoint, config)])
        if verify:
            yield from verify_last_steps(folder.path, checkpoint, network, data, interrupts)
        yield from (Warned(note) for note in swept(folder, found, config, network, data))
        network.theta[...] = checkpoint.theta
        start = StartPoint(checkpoint.progress, checkpoint.outcome, checkpoint.states, checkpoint.best)
        yield from run_training(folder, config, network, data, start, interrupts, health, plots)


def has_no_progress(folder: Path) -> bool:
    """Whether a run ended before its first checkpoint, and so before its first step."""
    found = {path.name for path in folder.iterdir()}
    return (folder / "config.yaml").is_file() and not found & {NEWEST, PREVIOUS, "metrics.jsonl", "weights.safetensors"}


def changed(checkpoint: Checkpoint, overrides: Sequence[str], folder: Path) -> Config:
    """Return the config of a run with overrides.

    Raises:
        ConfigError: They are faulty, or would make it another run.
    """
    if not overrides:
        return checkpoint.config
    before = checkpoint.config.resolved()
    config = config_from_dict(before, str(folder), overrides)
    old, new = flat(before), flat(config.resolved())
    refused = [
        f"{folder}: {key} is {shown(old.get(key))} in this run and cannot become {shown(new.get(key))}; what may "
        f"change is {', '.join(sorted(MAY_CHANGE))}"
        for key in [*old, *(key for key in new if key not in old)]
        if old.get(key) != new.get(key) and key not in MAY_CHANGE
    ]
    if refused:
        raise ConfigError("\n".join(refused))
    done = checkpoint.progress.epoch - (checkpoint.progress.batch == 0)
    if config.training.Max < done and config.training.Max != checkpoint.config.training.Max:
        raise ConfigError(
            f"{folder}: training.Max cannot become {config.training.Max}: this run is already in epoch {done}"
        )
    return config


def flat(content: Any, name: str = "") -> dict[str, Any]:
    """Return the values of nested mappings by their dotted keys; lists of them, too."""
    if isinstance(content, list) and any(isinstance(item, dict) for item in content):
        content = {str(place): item for place, item in enumerate(content)}
    if not isinstance(content, dict):
        return {name: content}
    return {
        key: value
        for part, item in content.items()
        for key, value in flat(item, f"{name}.{part}" if name else part).items()
    }


def shown(value: Any) -> str:
    """A value of a config in words."""
    return "not given" if value is None else json.dumps(value)[:80]


def warnings(checkpoint: Checkpoint, config: Config) -> list[str]:
    """Say what may make the rest of the run another than it would have been."""
    told = [
        f"{change}; the last bits may differ from those of an undisturbed run" for change in changes(checkpoint.origin)
    ]
    before, now = checkpoint.config.training, config.training
    if before.Max != now.Max and before.schedule in ("cosine", "one_cycle"):
        told.append(
            f"the schedule {before.schedule} follows Max: what is learned so far went by {before.Max} epochs, and "
            f"the rest goes by {now.Max}"
        )
    return told


def swept(folder: RunFolder, found: Found, config: Config, network: Network, data: Data) -> list[str]:
    """Bring the folder to where the checkpoint stands; return what is to be said of it."""
    notes, checkpoint, metrics = [], found.checkpoint, folder.metrics
    sweep(folder.path, OWN)
    if found.name == PREVIOUS:  # else the damaged one would take its place with the next
        (folder.path / PREVIOUS).replace(folder.path / NEWEST)
    if not metrics.rewind(checkpoint.metrics, checkpoint.waiting):
        notes.append(f"{metrics.path}: not as the run left it; the lines of epochs before the checkpoint are kept")
        kept = metrics_before(metrics.path, checkpoint.progress.epoch)
        write_file(metrics.path, kept)
        metrics.rewind(FileMark(len(kept), ""), [])
    metrics.cut()
    folder.summary.unlink(missing_ok=True)
    if config != checkpoint.config:
        new = replace(checkpoint, config=config, metrics=metrics.mark, waiting=metrics.waiting)
        checkpoints.save(folder.path, checkpoints.serialized(new, network, data))
    if not has_weights(folder.config, to_yaml(config)):
        folder.write_config(config)
    return notes


def has_weights(path: Path, text: str) -> bool:
    """Whether a file is there and holds just this text."""
    content = text.encode()
    try:
        return read_file(path, len(content)) == content
    except OSError:
        return False
