"""Keeping what a run has learned: what is written when, and what happens when it cannot be.

A run goes on while nothing can be written: what was not kept is tried again with the next. Only at its end does it
fail.
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
from cnntrain.runs.folder import RunFolder
from cnntrain.training.checkpointing import checkpoint
from cnntrain.training.checkpointing.checkpoint import Checkpoint
from cnntrain.training.checkpointing.outcome import Outcome
from cnntrain.training.checkpointing.provenance import provenance
from cnntrain.training.events import EpochEnded, Warned
from cnntrain.training.monitoring import score_of
from cnntrain.training.state import TrainState
from cnntrain.types import Array
from cnntrain.weights import weights

MAX_TIME_SHARE = 20
"""Epochs that end sooner than this many times what saving took are not saved each: it would slow the run down."""


class CheckpointManager:
    """Keeps a run in its folder.

    Args:
        run: The folder.
        config: Of the run.
        network: That learns.
        data: That it learns.
        states: The optimizer's.
        here: Where the run stands.
        outcome: What it has come to.
        best: theta of the best epoch so far.
    """

    def __init__(
        self,
        run: RunFolder,
        config: Config,
        network: Network,
        data: Data,
        states: Array,
        state: TrainState,
        outcome: Outcome,
        best: Array | None = None,
    ):
        self.run, self.config, self.network, self.data = run, config, network, data
        self.states, self.state, self.outcome, self.best = states, state, outcome, best
        self.every, self.unit = period(config.training.checkpoint_every)
        self.began = time.monotonic() - outcome.seconds
        self.fingerprint = fingerprint(data)
        self.last_time, self.last_batches, self.next_time = self.began, 0, 0.0
        self.saved_best = 0
        """The epoch whose weights are in best.safetensors, as far as is known."""
        self.last_place: tuple[int, int] | None = None
        self.trouble = ""
        """The kind of what was in the way of the last attempt; empty: nothing."""

    def begin(self) -> None:
        """Write a first checkpoint: whatever comes, there is something to go on from.

        Raises:
            OSError: Nothing can be written.
        """
        if self.run.has_checkpoint():
            self.last_place = self.state.epoch, self.state.batch
        else:
            self.save_checkpoint()

    def batch_ended(self) -> Iterator[Warned]:
        """Write a checkpoint if it is time."""
        self.last_batches += 1
        done = self.last_batches if self.unit == "batches" else time.monotonic() - self.last_time
        if done >= self.every:
            yield from self.attempt(self.save_checkpoint)

    def epoch_ended(self, event: EpochEnded) -> Iterator[Warned]:
        """Note what the epoch has brought, and save it."""
        outcome = self.outcome
        outcome.epochs = event.epoch
        loss = event.monitor_loss
        if loss is not None and loss < outcome.best:
            outcome.best, outcome.best_epoch, self.best = loss, event.epoch, self.network.theta.copy()
        yield from self.attempt(partial(self.run.add_metrics, asdict(event)))
        if time.monotonic() >= self.next_time:
            yield from self.everything()

    def went_back(self) -> Iterator[Warned]:
        """Save where the run resumes after a rollback; what the metrics hold beyond it is cut off last."""
        yield from self.attempt(self.write_checkpoint)
        yield from self.attempt(self.run.metrics.cut)
        yield from self.attempt(self.save_weights)

    def everything(self) -> Iterator[Warned]:
        """Save checkpoint and weights as they are between two batches."""
        began = time.monotonic()
        yield from self.attempt(self.save_checkpoint)
        yield from self.attempt(self.save_weights)
        self.next_time = time.monotonic() + MAX_TIME_SHARE * (time.monotonic() - began)

    def attempt(self, action: Callable[[], None]) -> Iterator[Warned]:
        """Do something to the folder; tell what is in the way, once."""
        try:
            self.run.lock.check()
            action()
        except (OSError, UsageError) as error:
            kind = str(getattr(error, "errno", "lock"))
            if kind != self.trouble:
                yield Warned(f"{error_text(error)}; the run goes on, and saving is tried again")
            self.trouble = kind
        else:
            if self.trouble and action == self.save_checkpoint:
                self.trouble = ""
                yield Warned("saving works again")

    @property
    def seconds(self) -> float:
        """That the run took."""
        return time.monotonic() - self.began

    def save_checkpoint(self) -> None:
        """Write the lines of metrics.jsonl that wait, and a checkpoint."""
        try:
            self.run.metrics.write(sync=True)
        finally:  # lines that are not in the file are in the checkpoint
            self.write_checkpoint()

    def write_checkpoint(self) -> None:
        """Write a checkpoint, unless the last one is of the same moment or the numbers have run away."""
        place = self.state.epoch, self.state.batch
        self.outcome.seconds = self.seconds
        self.last_time, self.last_batches = time.monotonic(), 0
        if place != self.last_place:
            new = self.checkpoint()
            if new.is_finite():
                checkpoint.save(self.run.path, checkpoint.serialized(new, self.network, self.data))
                self.last_place = place

    def checkpoint(self) -> Checkpoint:
        """The run as it stands."""
        return Checkpoint(
            config=self.config,
            progress=self.state,
            outcome=self.outcome,
            theta=self.network.theta,
            states=self.states,
            best=self.best,
            metrics=self.run.metrics.mark,
            waiting=self.run.metrics.waiting,
            fingerprint=self.fingerprint,
            origin=provenance(),
        )

    def save_weights(self, theta: Array | None = None) -> None:
        """Write the weights; they are also the best where no epoch has ended."""
        theta = self.network.theta if theta is None else theta
        weights.save(self.run.weights, self.network, self.config, self.data, theta)
        if self.best is None or self.saved_best != self.outcome.best_epoch or not self.run.best.exists():
            weights.save(self.run.best, self.network, self.config, self.data, theta if self.best is None else self.best)
            self.saved_best = self.outcome.best_epoch

    def settle_best(self) -> None:
        """At the end, measure the best weights on the whole split that they were chosen by.

        Without a validation split they were chosen by a part of the training samples, so the last weights become the
        best where their loss on all of these is less. What is interrupted must end soon: nothing is measured then.
        """
        outcome, data = self.outcome, self.data
        if self.best is None:
            return
        if data.validation is not None:
            outcome.best_loss = outcome.best
            return
        last = outcome.scores["train"]
        if outcome.stop == "interrupted":
            return
        if last is None or outcome.best_epoch < outcome.epochs:
            best = score_of(self.best, self.network, data.train, data)
            outcome.best_loss = best.loss if isfinite(best.loss) else None
        if last is not None and (outcome.best_loss is None or last.loss < outcome.best_loss):
            outcome.best_loss, outcome.best_epoch = last.loss, outcome.epochs
            self.best = self.network.theta.copy()

    def result(self) -> dict[str, Any]:
        """What ``train --json`` prints."""
        return {
            "run": str(self.run.path),
            **self.outcome.result(),
            "rollbacks": self.state.rollbacks,
            "alpha_factor": self.state.alpha_factor,
        }

    def write_summary(self) -> None:
        """Write summary.json."""
        self.outcome.seconds = self.seconds
        self.run.write_summary(self.result())

    def finish(self) -> tuple[dict[str, Any], StorageError | None]:
        """Save all that is left to save; return what ``train --json`` prints, and what could not be saved."""
        outcome, state = self.outcome, self.state
        steps: list[Callable[..., None]] = [self.save_checkpoint, self.settle_best, self.save_weights]
        if outcome.stop in ("diverged", "failed"):  # theta is not to be trusted: the epoch's beginning is
            steps = [partial(self.run.metrics.write, sync=True)]
            if outcome.epochs:
                steps += [self.settle_best, partial(self.save_weights, state.before)]
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
        text = f"not all that was learned could be saved: {error_text(problem)}"
        if self.last_place is not None:
            epoch, batch = self.last_place
            text += f"; cnntrain resume goes on from epoch {epoch}, batch {batch}, once that is fixed"
        return result, StorageError(text)


def period(text: float | str) -> tuple[float, str]:
    """Return what ``training.checkpoint_every`` says: a number, and of what."""
    if isinstance(text, str):
        return float(text.split()[0]), "batches"
    return text, "seconds"


def error_text(error: OSError | UsageError) -> str:
    """What went wrong, in words."""
    if isinstance(error, UsageError):
        return str(error)
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{error.strerror or error}"
