"""The images that a page shows: some of each cell of the confusion matrix, and the most confident errors."""

import base64
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnntrain.data.thumbnails import thumbnails
from cnntrain.errors import visible
from cnntrain.evaluation.report import EvaluationReport

MAX_PER_CELL = 12
MAX_BYTES = 1_500_000
"""Maximum bytes of all images; of a test set with large images, fewer of each cell are shown."""
MAX_MATRIX = 60
"""Maximum number of classes of the confusion matrix on the page."""
CHUNK = 64
"""Images to read at a time."""


@dataclass
class Pictures:
    """Images of a page."""

    images: list[dict[str, Any]] = field(default_factory=list)
    """Each with ``sample``, ``file``, ``true``, ``predicted``, ``confidence`` and ``url``."""
    cells: dict[str, list[int]] = field(default_factory=dict)
    """Index in ``images`` of those of a cell, by ``true-predicted``, most confident first."""
    mistakes: list[int] = field(default_factory=list)
    """Index in ``images`` of the most confident errors."""


def choose_pictures(report: EvaluationReport) -> Pictures:
    """Choose and encode the images; errors come first, then the others cell by cell, as long as there is room."""
    labels, predicted = report.dataset.labels, report.predictions.predicted
    order = np.argsort(-np.nan_to_num(report.predictions.confidence), kind="stable")
    by_cell: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for sample in order.tolist():
        cell = by_cell[int(labels[sample]), int(predicted[sample])]
        if len(cell) < MAX_PER_CELL:
            cell.append(sample)
    mistakes = report.mistakes().tolist()
    wanted = dict.fromkeys(mistakes)
    if len(report.classes) <= MAX_MATRIX:
        for rank in range(MAX_PER_CELL):  # the first of each cell, then the second, so that no cell is left out
            for wrong in (True, False):
                wanted |= dict.fromkeys(
                    samples[rank]
                    for (true, chosen), samples in by_cell.items()
                    if (true != chosen) == wrong and rank < len(samples)
                )
    pictures, places, size = Pictures(), {}, 0
    samples = list(wanted)
    for start in range(0, len(samples), CHUNK):
        part = np.array(samples[start : start + CHUNK], np.intp)
        for sample, (kind, content) in zip(part.tolist(), thumbnails(report.dataset, part), strict=True):
            size += len(content)
            if size > MAX_BYTES:
                break
            places[sample] = len(pictures.images)
            pictures.images.append(_described(report, sample, kind, content))
        if size > MAX_BYTES:
            break
    pictures.mistakes = [places[sample] for sample in mistakes if sample in places]
    for (true, chosen), of_cell in by_cell.items():
        shown = [places[sample] for sample in of_cell if sample in places]
        if shown:
            pictures.cells[f"{true}-{chosen}"] = shown
    return pictures


def _described(report: EvaluationReport, sample: int, kind: str, content: bytes) -> dict[str, Any]:
    confidence = float(report.predictions.confidence[sample])
    file = report.file(sample)
    return {
        "sample": sample,
        "file": None if file is None else visible(file),
        "true": visible(report.classes[report.dataset.labels[sample]]),
        "predicted": visible(report.classes[report.predictions.predicted[sample]]),
        "confidence": confidence if np.isfinite(confidence) else None,
        "url": f"data:{kind};base64,{base64.b64encode(content).decode()}",
    }
