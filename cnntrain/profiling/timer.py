"""Durations that are collected until there are enough of them."""

from statistics import median

MIN_COUNT = 5
"""Fewer say little about their median."""


class Timer:
    """The durations of one thing that is done again and again.

    Args:
        count: How many are wanted; None for as many as take ``seconds``, and at least ``least``.
        seconds: What they are to take together.
        warm_up: How many are left out at first: memory is still being allocated, and other processes are starting.
        least: How many are wanted at least, however long they take.
    """

    def __init__(self, count: int | None = None, seconds: float = 1.0, warm_up: int = 3, least: int = MIN_COUNT):
        self.count, self.seconds, self.warm_up, self.least = count, seconds, warm_up, least
        self.durations: list[float] = []
        self.total = 0.0

    def add(self, duration: float) -> bool:
        """Note one more, in seconds; say whether it counts."""
        if self.warm_up:
            self.warm_up -= 1
            return False
        self.durations.append(duration)
        self.total += duration
        return True

    @property
    def enough(self) -> bool:
        """Whether no more are wanted."""
        if self.count is not None:
            return len(self.durations) >= self.count
        return len(self.durations) >= self.least and self.total >= self.seconds

    @property
    def median(self) -> float:
        """Seconds; half of them took less."""
        return median(self.durations)
