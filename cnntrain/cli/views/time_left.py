"""How long a run still takes."""

from cnntrain.training.events import Started


class TimeLeft:
    """An estimate until Max, by how fast this run has been since it began, was resumed or went back.

    Args:
        started: Where it began.
        now: The time, in seconds.
    """

    def __init__(self, started: Started, now: float) -> None:
        self._Max, self._batches = started.Max, max(1, started.batches)
        self._first = self._last = started.epochs_before + started.batches_before / self._batches
        self._began = now

    def seconds(self, epoch: int, batch: int | None, now: float) -> float | None:
        """Return the seconds that are left after a batch, or after a whole epoch; None while nobody can tell."""
        position = epoch - 1 + (1.0 if batch is None else batch / self._batches)
        if position < self._last:  # a rollback: how long the steps took that are lost says nothing
            self._first, self._began = position, now
        self._last = position
        done = position - self._first
        return (now - self._began) / done * max(0.0, self._Max - position) if done > 0 else None
