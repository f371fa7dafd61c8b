"""``training.tensorboard``: a run as TensorBoard shows it.

=====================  ================================================================================
scalars                the figures of metrics.jsonl; the step is the epoch
hyperparameters        the config: ``training.alpha``, ``network.layers.0.conv.K``, ...
images                 ``confusion`` and ``filters``, the plots of the run folder, when training is over
=====================  ================================================================================

A run that is resumed continues in a new event file. It tells TensorBoard to drop the epochs that are trained again, and
first repeats those of metrics.jsonl that no event file has. Nothing here changes or ends a run: a file that cannot be
written is a warning.
"""

import json
import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from cnntrain.config import Config
from cnntrain.errors import UsageError
from cnntrain.runs.folder import CONFUSION_PLOT, FILTERS_PLOT, TENSORBOARD_FOLDER
from cnntrain.runs.metrics_file import read_metrics
from cnntrain.storage import make_subfolder
from cnntrain.training.event_files import EventFile, Message, event_files, read_events
from cnntrain.training.events import EpochEnded, Event, TrainingEnded, TrainingStarted, WarningIssued

METRICS = [field.name for field in fields(EpochEnded) if field.name != "epoch"]
"""The scalars: keys of metrics.jsonl."""
IMAGES = {"confusion": CONFUSION_PLOT, "filters": FILTERS_PLOT}
KEY = "training.tensorboard"
RGBA = 4
STATUS = {"diverged": "STATUS_FAILURE", "failed": "STATUS_FAILURE", "interrupted": "STATUS_UNKNOWN"}
"""By why a run ended; all other ends are a success."""


def check(config: Config, new: bool) -> None:
    """Check before a run begins that its events can be written.

    Args:
        config: The config of the run.
        new: Whether the run is new, and must not mix its events with another's.

    Raises:
        UsageError: tensorboardX is missing, or the folder is unsuitable.
    """
    folder = config.training.tensorboard
    if folder is False:
        return
    try:
        import_module("tensorboardX.record_writer")
    except ImportError as error:
        raise UsageError(
            f"the package tensorboardX is needed for training.tensorboard, and it cannot be imported ({error}); "
            'install it with: pip install "cnntrain[tensorboard]"'
        ) from None
    if folder is True:
        return
    parent = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        reason = "this is not writable" if parent.is_dir() else "this is not a folder"
        raise UsageError(f"{parent}: cannot write event files of TensorBoard here, because {reason}")
    if new and parent == folder and event_files(folder):
        raise UsageError(
            f"{folder}: this folder has the event files of another run, and TensorBoard would draw both as one; "
            "give each run a folder of its own"
        )


def without_unknown_folder(config: Config, overrides: Sequence[str]) -> tuple[Config, list[str]]:
    """Return the config of a run to resume, and warnings.

    The run may be a stranger's: a folder outside of it is used only if it is named again, or has event files already.
    """
    folder = config.training.tensorboard
    is_named = any(KEY in word for word in overrides)
    if not isinstance(folder, Path) or is_named or (os.path.isdir(folder) and event_files(folder)):
        return config, []
    training = config.training.model_copy(update={"tensorboard": False})
    return config.model_copy(update={"training": training}), [
        f"{folder}: this folder has no event files of the run, so the run writes none; {KEY}=DIR names another folder"
    ]


def folder_of(run: Path, config: Config) -> Path | None:
    """Return where a run writes event files, or None."""
    folder = config.training.tensorboard
    return folder if isinstance(folder, Path) else run / TENSORBOARD_FOLDER if folder else None


def with_tensorboard(events: Iterator[Event], run: Path, config: Config, plots: bool) -> Iterator[Event]:
    """Yield the events of a run and write them for TensorBoard.

    Args:
        events: The events.
        run: The run folder.
        config: The config of the run.
        plots: Whether plots are drawn into the run folder at the end.
    """
    folder = folder_of(run, config)
    if folder is None:
        yield from events
        return
    log, is_warned = EventLog(folder, run, config, plots), False
    try:
        for event in events:
            try:
                log.add(event)
            except (OSError, ValueError) as error:
                if not is_warned:
                    reason = getattr(error, "strerror", None) or error
                    yield WarningIssued(f"{folder}: event files of TensorBoard cannot be written: {reason}")
                is_warned = True
            yield event
    finally:
        log.close()


class EventLog:
    """The event files of a run; see ``with_tensorboard``."""

    def __init__(self, folder: Path, run: Path, config: Config, plots: bool):
        self.folder, self.run, self.config, self.plots = folder, run, config, plots
        self.file: EventFile | None = None
        self.epoch = 0
        """Last epoch that is in the files."""

    def add(self, event: Event) -> None:
        """Write an event, if it is one that TensorBoard shows.

        Raises:
            OSError, ValueError: A file cannot be read or written.
        """
        if isinstance(event, TrainingStarted):
            self.begin(event.epochs_before)
        elif isinstance(event, EpochEnded):
            if self.file is None or event.epoch <= self.epoch:  # after a rollback
                self.begin(event.epoch - 1)
            self.add_metrics(event.epoch, event.metrics)
        elif isinstance(event, TrainingEnded):
            if self.file is None or event.result["epochs"] < self.epoch:
                self.begin(event.result["epochs"])
            self.end(event.result)
        else:
            return
        if self.file is not None:
            self.file.write()

    def begin(self, epochs: int) -> None:
        """Open a new file that goes on after ``epochs`` epochs."""
        self.close()
        if self.folder.parent == self.run:
            make_subfolder(self.folder)
        recorded = min(epochs, recorded_epochs(self.folder))
        self.file = EventFile(self.folder, recorded + 1)
        self.epoch = epochs
        self.add_summaries(0, hyperparameters(self.config)[:2])
        for row in read_metrics(self.run) if recorded < epochs else ():
            if recorded < row["epoch"] <= epochs:
                self.add_metrics(row["epoch"], row)

    def add_metrics(self, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Add the scalars of an epoch."""
        from tensorboardX.summary import scalar

        self.epoch = epoch
        values = {name: metrics.get(name) for name in METRICS}
        self.add_summaries(epoch, [scalar(name, value) for name, value in values.items() if value is not None])

    def end(self, result: dict[str, Any]) -> None:
        """Add the images and why the run ended."""
        epoch, is_whole = result["epochs"], result["train"] is not None
        if self.plots and is_whole:
            paths = {tag: self.run / name for tag, name in IMAGES.items()}
            self.add_summaries(epoch, [image(tag, path.read_bytes()) for tag, path in paths.items() if path.exists()])
        self.add_summaries(epoch, [session_end(STATUS.get(result["stop"], "STATUS_SUCCESS"))])

    def add_summaries(self, step: int, summaries: Iterable[Message]) -> None:
        """Add the values of several summaries, each as an event."""
        for summary in summaries:
            if self.file is not None:
                self.file.add(step=step, summary=summary)

    def close(self) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()


def recorded_epochs(folder: Path) -> int:
    """Return how many epochs, from the first without a gap, TensorBoard finds in a folder."""
    epochs: set[int] = set()
    for path in event_files(folder):
        for event in read_events(path):
            if event.HasField("session_log"):
                epochs = {epoch for epoch in epochs if epoch < event.step}
            elif any(value.tag == "train_loss" for value in event.summary.value):
                epochs.add(event.step)
    return next(count for count in range(len(epochs) + 1) if count + 1 not in epochs)


def hyperparameters(config: Config) -> tuple[Message, ...]:
    """Return what the HParams tab needs: names of hyperparameters and metrics, and the values of this run."""
    from tensorboardX.summary import hparams

    from cnntrain.runs.compare import flatten  # imported late: only event files need it

    values = {
        key: value if isinstance(value, bool | int | float | str) else json.dumps(value)
        for key, value in flatten(config.resolved()).items()
        if key != KEY
    }
    summaries: tuple[Message, ...] = hparams(values, dict.fromkeys(METRICS))
    return summaries


def session_end(status: str) -> Message:
    """Return how a run ended, for the HParams tab."""
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata

    content = HParamsPluginData(session_end_info={"status": status}).SerializeToString()
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=content)
    metadata = SummaryMetadata(plugin_data=plugin)
    return Summary(value=[Summary.Value(tag="_hparams_/session_end_info", metadata=metadata)])


def image(tag: str, png: bytes) -> Message:
    """Return a PNG file as an image."""
    from tensorboardX.proto.summary_pb2 import Summary

    width, height = struct.unpack(">II", png[16:24])
    picture = Summary.Image(height=height, width=width, colorspace=RGBA, encoded_image_string=png)
    return Summary(value=[Summary.Value(tag=tag, image=picture)])
