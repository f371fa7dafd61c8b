"""Judging saved weights: what ``cnntrain eval`` does."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnntrain import weights
from cnntrain.builder import data_of
from cnntrain.data.watching import SILENT, Watch
from cnntrain.errors import UsageError
from cnntrain.judging.all_samples import judge_all
from cnntrain.judging.drawing import draw_judgement
from cnntrain.judging.judgement import Judgement, judge
from cnntrain.judging.names import short


def evaluate(
    run: str | Path,
    split: str = "test",
    overrides: Sequence[str] = (),
    plots: bool = False,
    data: str | Path | None = None,
) -> dict[str, Any]:
    """Return how good saved weights are: what ``cnntrain eval --json`` prints.

    Args:
        run: A run folder, or a ``.safetensors`` file.
        split: ``test``, ``validation`` or ``train``.
        overrides: ``KEY=VALUE`` words on the stored config, such as ``data.path=...`` for data that moved.
        data: A labelled folder, a file or a data set known by name: evaluate on all of it, whatever its splits, instead
            of on ``split`` of the run's data.
        plots: Draw them, into the folder ``eval`` beside the weights; ``plots`` of the result names the files.

    Raises:
        WeightsError: The weights are missing or malformed, or the data are not what they were trained for.
        DataError: The data are missing or malformed.
        UsageError: The data have no such split.
        OSError: The plots cannot be written.
    """
    if data is not None:
        return told(run, judge_all(run, os.fspath(data), overrides), plots)
    return told(run, judge_saved(run, split, overrides), plots)


def told(run: str | Path, judgement: Judgement, plots: bool) -> dict[str, Any]:
    """Return what ``cnntrain eval --json`` prints about a judgement on a run."""
    return {**judgement.result(), "plots": [str(path) for path in draw_saved(run, judgement)] if plots else None}


def draw_saved(run: str | Path, judgement: Judgement) -> list[Path]:
    """Draw plots of a judgement on a run into ``eval/weights-test`` of its folder, or as weights and split are called.

    Raises:
        UsageError: Matplotlib is broken.
    """
    path = Path(run) / weights.FILE_IN_RUN if Path(run).is_dir() else Path(run)
    name = path.absolute().parent.name
    title = name if path.name == weights.FILE_IN_RUN else f"{name}, {path.name}"
    try:
        return draw_judgement(path.parent / "eval" / f"{path.stem}-{judgement.split}", judgement, short(title, 40))
    except ImportError as error:
        raise UsageError(f"plots need Matplotlib, and it cannot be imported: {error}") from error


def judge_saved(run: str | Path, split: str, overrides: Sequence[str] = (), watch: Watch = SILENT) -> Judgement:
    """Judge saved weights on a split of the data that they were trained with, see ``evaluate``.

    Pictures are split as the run split them, if its folder tells how (``split.csv``).
    """
    saved = weights.load_saved(run, overrides)
    data = data_of(saved.config, saved.path.parent, watch, saved.preprocessing.scale)
    saved.check_fits(data)
    splits = {name: dataset for name, dataset in data.splits().items() if dataset is not None}
    if split not in splits:
        raise UsageError(f"{run}: the data have no {split} split, only {' and '.join(splits)}")
    return judge(saved.network, split, splits[split], saved.preprocessing, saved.classes)
