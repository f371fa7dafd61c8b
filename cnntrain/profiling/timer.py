"""A timer that collects durations until there are enough."""

from statistics import median

MIN_COUNT = 5
"""Default minimum number of durations for a median."""


class Timer:
    """Durations of a repeated operation.

    Args:
        count: Number of durations; None for as many as take ``seconds``, but at least ``min_count``.
        seconds: Total duration to collect.
        warm_up: Number of first durations to ignore, while memory is allocated and processes start.
        min_count: Minimum number of durations.
    """

    def __init__(self, count: int | None = None, seconds: float = 1.0, warm_up: int = 3, min_count: int = MIN_COUNT):
        self.count, self.seconds, self.warm_up, self.min_count = count, seconds, warm_up, min_count
        self.durations: list[float] = []
        self.total = 0.0

    def add(self, duration: float) -> bool:
        """Add a duration in seconds; return whether it counts."""
        if self.warm_up:
            self.warm_up -= 1
            return False
        self.durations.append(duration)
        self.total += duration
        return True

    @property
    def enough(self) -> bool:
        """Whether there are enough durations."""
        if self.count is not None:
            return len(self.durations) >= self.count
        return len(self.durations) >= self.min_count and self.total >= self.seconds

    @property
    def median(self) -> float:
        """Median in seconds."""
        return median(self.durations)
