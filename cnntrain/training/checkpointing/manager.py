"""The checkpoint manager: what a run saves and when.

If saving fails, the run continues and tries again later. It fails only if the last attempt at its end does.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from math import isfinite
from typing import Any

from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.data.fingerprint import fingerprint
from cnntrain.errors import StorageError, UsageError
from cnntrain.network.network import Network
from cnntrain.parallel import Communicator
from cnntrain.runs.folder import RunFolder
from cnntrain.training.checkpointing import checkpoint
from cnntrain.training.checkpointing.checkpoint import Checkpoint
from cnntrain.training.checkpointing.outcome import Outcome
from cnntrain.training.checkpointing.provenance import provenance
from cnntrain.training.events import EpochEnded, WarningIssued
from cnntrain.training.monitoring import score_theta
from cnntrain.training.state import TrainState
from cnntrain.types import Array
from cnntrain.weights import weights

MAX_WAITING = 1_000_000
"""Maximum characters of lines in a checkpoint that metrics.jsonl lacks; the header of the file is limited, too."""
MAX_TIME_SHARE = 20
"""After saving, the next save at the end of an epoch waits this many times the duration of the last one."""


class CheckpointManager:
    """Saves checkpoints, weights, metrics and the summary of a run.

    Args:
        run: Run folder.
        config: Config of the run.
        network: Network in training.
        data: Data of the run.
        comm: Communicator of rank 0, which holds the optimizer state.
        state: Training state, updated by the training loop.
        outcome: Outcome so far; updated.
        best: theta of the best epoch so far.
    """

    def __init__(
        self,
        run: RunFolder,
        config: Config,
        network: Network,
        data: Data,
        comm: Communicator,
        state: TrainState,
        outcome: Outcome,
        best: Array | None = None,
    ):
        self.run, self.config, self.network, self.data = run, config, network, data
        self.comm, self.state, self.outcome, self.best = comm, state, outcome, best
        self.every, self.unit = parse_period(config.training.checkpoint_every)
        self.began = time.monotonic() - outcome.seconds
        self.fingerprint = fingerprint(data)
        self.last_time, self.last_batches, self.next_time = self.began, 0, 0.0
        self.saved_best = 0
        """Epoch of the weights in best.safetensors; 0 if unknown."""
        self.last_position: tuple[int, int] | None = None
        self.last_error = ""
        """Kind of the last attempt's error; empty after a success."""

    def begin(self) -> None:
        """Write the first checkpoint, so that the run can be resumed from now on.

        Raises:
            OSError: The checkpoint cannot be written.
        """
        if self.run.has_checkpoint():
            self.last_position = self.state.epoch, self.state.batch
        else:
            self.save_checkpoint()

    def batch_ended(self) -> Iterator[WarningIssued]:
        """Write a checkpoint if one is due."""
        self.last_batches += 1
        done = self.last_batches if self.unit == "batches" else time.monotonic() - self.last_time
        if done >= self.every:
            yield from self.attempt(self.save_checkpoint)

    def epoch_ended(self, event: EpochEnded) -> Iterator[WarningIssued]:
        """Record the metrics and the best weights of an epoch, and save if a save is due."""
        outcome = self.outcome
        outcome.epochs = event.epoch
        value = event.monitor_loss
        if self.config.training.best_by == "accuracy":
            value = None if event.validation_accuracy is None else 1 - event.validation_accuracy
        if value is not None and value < outcome.best:
            outcome.best, outcome.best_epoch, self.best = value, event.epoch, self.network.theta.copy()
        yield from self.attempt(partial(self.run.add_metrics, asdict(event)))
        if time.monotonic() >= self.next_time:
            yield from self.save_all()

    def save_rollback(self) -> Iterator[WarningIssued]:
        """Save the state after a rollback. The metrics are truncated after the checkpoint is written."""
        yield from self.attempt(self.write_checkpoint)
        yield from self.attempt(self.run.metrics.cut)
        yield from self.attempt(self.save_weights)

    def save_all(self) -> Iterator[WarningIssued]:
        """Save checkpoint and weights between two batches."""
        began = time.monotonic()
        yield from self.attempt(self.save_checkpoint)
        yield from self.attempt(self.save_weights)
        self.next_time = time.monotonic() + MAX_TIME_SHARE * (time.monotonic() - began)

    def attempt(self, action: Callable[[], None]) -> Iterator[WarningIssued]:
        """Write to the folder; warn about each new kind of error."""
        try:
            self.run.lock.check()
            action()
        except (OSError, UsageError) as error:
            kind = str(getattr(error, "errno", "lock"))
            if kind != self.last_error:
                yield WarningIssued(f"{error_text(error)}; training continues, and saving is tried again later")
            self.last_error = kind
        else:
            if self.last_error and action == self.save_checkpoint:
                self.last_error = ""
                yield WarningIssued("saving works again")

    @property
    def seconds(self) -> float:
        """Duration of the run so far."""
        return time.monotonic() - self.began

    def save_checkpoint(self) -> None:
        """Write the pending lines of metrics.jsonl, and a checkpoint."""
        try:
            self.run.metrics.write(sync=True)
        finally:  # the checkpoint holds the lines that are not in the file
            self.write_checkpoint()

    def write_checkpoint(self) -> None:
        """Write a checkpoint, unless the last one has the same position or a number is not finite."""
        position = self.state.epoch, self.state.batch
        self.outcome.seconds = self.seconds
        self.last_time, self.last_batches = time.monotonic(), 0
        if position != self.last_position:
            self.comm.collect()
            new = self.checkpoint()
            if new.is_finite():
                checkpoint.save(self.run.path, checkpoint.serialized(new, self.network, self.data))
                self.last_position = position

    def checkpoint(self) -> Checkpoint:
        """Return the current checkpoint."""
        return Checkpoint(
            config=self.config,
            state=self.state,
            outcome=self.outcome,
            theta=self.network.theta,
            states=self.comm.states,
            best=self.best,
            metrics=self.run.metrics.mark,
            waiting=last_lines(self.run.metrics.waiting),
            fingerprint=self.fingerprint,
            provenance=provenance(),
        )

    def save_weights(self, theta: Array | None = None) -> None:
        """Write weights.safetensors, and best.safetensors if it changed. Both are equal before an epoch ends."""
        theta = self.network.theta if theta is None else theta
        weights.save(self.run.weights, self.network, self.config, self.data, theta)
        if self.best is None or self.saved_best != self.outcome.best_epoch or not self.run.best.exists():
            weights.save(self.run.best, self.network, self.config, self.data, theta if self.best is None else self.best)
            self.saved_best = self.outcome.best_epoch

    def finalize_best(self) -> None:
        """At the end, evaluate the best weights on the whole split that selected them.

        Without a validation split, a subset of the training samples selected them, so the last weights become the best
        ones if their loss on the whole training split is lower. After an interrupt nothing is evaluated.
        """
        outcome, data = self.outcome, self.data
        if self.best is None:
            return
        if data.validation is not None and self.config.training.best_by == "loss":
            outcome.best_loss = outcome.best
            return
        if outcome.stop == "interrupted":
            return
        if data.validation is not None:
            outcome.best_loss = score_theta(self.best, self.network, data.validation, data).loss
            return
        last = outcome.scores["train"]
        if last is None or outcome.best_epoch < outcome.epochs:
            best = score_theta(self.best, self.network, data.train, data)
            outcome.best_loss = best.loss if isfinite(best.loss) else None
        if last is not None and (outcome.best_loss is None or last.loss < outcome.best_loss):
            outcome.best_loss, outcome.best_epoch = last.loss, outcome.epochs
            self.best = self.network.theta.copy()

    def result(self) -> dict[str, Any]:
        """Return what ``train --json`` prints."""
        result = self.outcome.result()
        if result["best"] is not None and self.config.training.best_by == "accuracy":
            result["best"]["accuracy"] = 1 - self.outcome.best
        return {
            "run": str(self.run.path),
            **result,
            "rollbacks": self.state.rollbacks,
            "alpha_factor": self.state.alpha_factor,
            "advice": [],  # what to try needs the predictions, which come last
        }

    def write_summary(self) -> None:
        """Write summary.json."""
        self.outcome.seconds = self.seconds
        self.run.write_summary(self.result())

    def finish(self) -> tuple[dict[str, Any], StorageError | None]:
        """Save everything at the end; return what ``train --json`` prints, and the error if saving failed."""
        outcome, state = self.outcome, self.state
        steps: list[Callable[..., None]] = [self.save_checkpoint, self.finalize_best, self.save_weights]
        if outcome.stop in ("diverged", "failed"):  # theta may be bad: save that of the epoch's beginning
            steps = [partial(self.run.metrics.write, sync=True)]
            if outcome.epochs:
                steps += [self.finalize_best, partial(self.save_weights, state.before)]
        problem: OSError | UsageError | None = None
        for step in [*steps, self.write_summary]:
            try:
                self.run.lock.check()
                step()
            except (OSError, UsageError) as error:
                problem = problem or error
        result = self.result()
        if problem is None:
            return result, None
        text = f"saving failed: {error_text(problem)}"
        if self.last_position is not None:
            epoch, batch = self.last_position
            text += f"; once that is fixed, cnntrain resume continues from epoch {epoch}, batch {batch}"
        return result, StorageError(text)


def last_lines(lines: list[str]) -> list[str]:
    """Return the last lines that a checkpoint holds, those of ``MAX_WAITING`` characters."""
    size = 0
    for count, line in enumerate(reversed(lines)):
        size += len(line)
        if size > MAX_WAITING:
            return lines[len(lines) - count :]
    return lines


def parse_period(text: float | str) -> tuple[float, str]:
    """Return number and unit of ``training.checkpoint_every``."""
    if isinstance(text, str):
        return float(text.split()[0]), "batches"
    return text, "seconds"


def error_text(error: OSError | UsageError) -> str:
    """Return an error as a sentence."""
    if isinstance(error, UsageError):
        return str(error)
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{error.strerror or error}"
