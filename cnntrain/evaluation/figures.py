"""The figures of a run that advice is based on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnntrain.config import Config
from cnntrain.config.schema.entries import all_entries
from cnntrain.runs.history import History
from cnntrain.types import Shape

GAP = 0.02
"""Difference between training and held-out accuracy that counts as overfitting, if it exceeds two standard errors."""
FINISHED = 0.02
"""Share of the largest alpha below which a learning-rate schedule is at its end."""
FEW_PER_CLASS = 200
"""Training images of a class below which pretrained features are far better than training from scratch."""

Metrics = Mapping[str, Any]
"""``{"loss", "accuracy", "samples"}`` of one split."""


@dataclass(frozen=True)
class Figures:
    """What is known about a run.

    Attributes:
        config: The run's config.
        in_shape: Shape ``(C, H, W)`` of an image.
        classes: Names of the classes.
        run: What ``train --json`` prints; None if only the weights are known.
        history: Lines of metrics.jsonl.
        evaluation: What ``eval --json`` prints; None if there is no report.
    """

    config: Config
    in_shape: Shape
    classes: Sequence[str]
    run: Mapping[str, Any] | None = None
    history: History = field(default_factory=History)
    evaluation: Mapping[str, Any] | None = None

    @property
    def train(self) -> Metrics | None:
        """Metrics on the training split."""
        train: Metrics | None = self.run["train"] if self.run else None
        return train

    @property
    def held_out(self) -> Metrics | None:
        """Metrics on samples that were not trained on: of the evaluation, else the test or the validation split."""
        if self.evaluation is not None and self.evaluation["split"] in ("test", "validation"):
            return self.evaluation
        if self.run is None:
            return None
        held_out: Metrics | None = self.run["test"] or self.run["validation"]
        return held_out

    @property
    def gap(self) -> float:
        """Training accuracy minus held-out accuracy; 0 where one is unknown, or the difference may be chance."""
        train, held_out = self.train, self.held_out
        if train is None or held_out is None:
            return 0.0
        gap: float = train["accuracy"] - held_out["accuracy"]
        return gap if gap > max(GAP, 2 * standard_error(held_out)) else 0.0

    @property
    def kinds(self) -> list[str]:
        """The kind of each entry of ``network.layers``, residual blocks and what is inside them."""
        return [entry.kind for entry in all_entries(self.config.network.layers)]

    @property
    def on_features(self) -> bool:
        """Whether the layers get the features of a pretrained network."""
        return getattr(self.config.data, "features", None) is not None

    @property
    def has_own_data(self) -> bool:
        """Whether the user names the files, and so may correct their labels and add to them."""
        return getattr(self.config.data, "path", None) is not None

    @property
    def validation_share(self) -> float | None:
        """``data.validation``; None if the validation split is one that the data bring along."""
        data, run = self.config.data, self.run
        if data is None or not data.validation or run is None or run["validation"] is None:
            return None
        if not data.may_bring_validation or self.train is None:
            return data.validation
        held_out = run["validation"]["samples"] / (run["validation"]["samples"] + self.train["samples"])
        return data.validation if data.validation / 2 < held_out < 2 * data.validation else None


def are_few_photos(figures: Figures) -> bool:
    """Return whether the samples are color images of a folder, fewer than 200 a class, without pretrained features."""
    data, train = figures.config.data, figures.train
    if data is None or data.source != "images" or train is None:
        return False
    is_color = figures.in_shape[0] == 3
    return is_color and not figures.on_features and train["samples"] < FEW_PER_CLASS * len(figures.classes)


def is_schedule_finished(history: History, config: Config) -> bool:
    """Return whether the learning rate has fallen to almost nothing, so that more epochs would change little."""
    rates = history.column("alpha")
    rates = rates[np.isfinite(rates)]
    is_at_end = bool(len(rates) and rates[-1] < FINISHED * rates.max())
    return is_at_end and config.training.schedule in ("cosine", "one_cycle")


def standard_error(metrics: Metrics) -> float:
    """Return the standard error of an accuracy p of N samples, sqrt(p (1 - p) / N), with one more of each kind.

    The two added samples (Agresti and Coull, 1998) keep it above 0 where all samples are correct.
    """
    samples = metrics["samples"] + 2
    p = (metrics["accuracy"] * metrics["samples"] + 1) / samples
    return math.sqrt(p * (1 - p) / samples)


def percent(metrics: Metrics) -> str:
    """Return an accuracy in percent with one decimal."""
    return f"{100 * metrics['accuracy']:.1f} %"
