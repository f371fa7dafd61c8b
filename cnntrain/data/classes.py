"""Checks that classes have training samples."""

from collections.abc import Sequence

import numpy as np

from cnntrain.data.names import truncate
from cnntrain.data.progress import ProgressReporter
from cnntrain.data.splits import Data
from cnntrain.errors import DataError, visible


def check_classes(data: Data, where: str, reporter: ProgressReporter) -> None:
    """Report classes without training samples, and samples of such classes in other splits.

    Args:
        data: The data, validation samples already held out.
        where: The source, for error messages.
        reporter: Receives the notes.

    Raises:
        DataError: Fewer than two classes have training samples.
    """
    counts = {split: dataset.counts(len(data.classes)) for split, dataset in data.splits().items() if dataset}
    absent = np.flatnonzero(counts["train"] == 0)
    if len(data.classes) - len(absent) < 2:
        name = data.classes[int(counts["train"].argmax())]
        samples = len(data.train)
        raise DataError(
            f"{where}: two classes are needed, but {'the only' if samples == 1 else f'all {samples:,}'} training "
            f"{'sample has' if samples == 1 else 'samples have'} the label {name[:80]!r}"
        )
    if not len(absent):
        return
    have = "classes have" if len(absent) > 1 else "classes has"
    reporter.note(
        f"{len(absent):,} of {len(data.classes):,} {have} no training sample: "
        f"{truncate(', '.join(_run(data.classes, first, last) for first, last in _runs(absent)))}"
    )
    for split, of_class in counts.items():
        seen = [(data.classes[i], int(of_class[i])) for i in absent if of_class[i]]
        if seen:
            each = ", ".join(f"{visible(name)} ({count:,} {_samples(count)})" for name, count in seen)
            reporter.note(f"{split} has classes without training samples, which cannot be learned: {truncate(each)}")


def _runs(numbers: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and last number of each run of consecutive numbers."""
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    return [(int(part[0]), int(part[-1])) for part in parts]


def _run(classes: Sequence[str], first: int, last: int) -> str:
    """Format consecutive classes: ``2 to 98`` if their names are consecutive numbers, otherwise all names."""
    names = classes[first : last + 1]
    if len(names) > 2 and all(name.isdigit() for name in names) and int(names[-1]) - int(names[0]) == last - first:
        return f"{names[0]} to {names[-1]}"
    return ", ".join(map(visible, names))


def _samples(count: int) -> str:
    return "sample" if count == 1 else "samples"
