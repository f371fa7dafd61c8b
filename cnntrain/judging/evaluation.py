"""Judging saved weights: what ``cnntrain eval`` does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnntrain import weights
from cnntrain.builder import data_of
from cnntrain.data.watching import SILENT, Watch
from cnntrain.errors import UsageError
from cnntrain.judging.judgement import Judgement, judge


def evaluate(run: str | Path, split: str = "test", overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return how good saved weights are: what ``cnntrain eval --json`` prints.

    Args:
        run: A run folder, or a ``.safetensors`` file.
        split: ``test``, ``validation`` or ``train``.
        overrides: ``KEY=VALUE`` words on the stored config, such as ``data.path=...`` for data that moved.

    Raises:
        WeightsError: The weights are missing or malformed, or the data are not what they were trained for.
        DataError: The data are missing or malformed.
        UsageError: The data have no such split.
    """
    return judge_saved(run, split, overrides).result()


def judge_saved(run: str | Path, split: str, overrides: Sequence[str] = (), watch: Watch = SILENT) -> Judgement:
    """Judge saved weights on a split of the data that they were trained with, see ``evaluate``.

    Pictures are split as the run split them, if its folder tells how (``split.csv``).
    """
    saved = weights.load_saved(run, overrides)
    data = data_of(saved.config, saved.path.parent, watch)
    saved.check_fits(data)
    dataset = data.splits().get(split)
    if dataset is None:
        raise UsageError(f"{run}: the data have no {split} split")
    return judge(saved.network, split, dataset, saved.preprocessing, saved.classes)
