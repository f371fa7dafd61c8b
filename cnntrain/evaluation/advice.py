"""Advice on what to try next: rules that read the figures of a run, each naming the key to change.

The rules and their reasons are in docs/better-results.md.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from cnntrain.evaluation.display_names import short
from cnntrain.evaluation.figures import Figures, are_few_photos, is_schedule_finished, percent, standard_error

MAX_ADVICE = 3
"""Maximum number of lines."""
SOLVED = 0.995
"""Held-out accuracy from which there is nothing to advise."""
FITTED = 0.95
"""Training accuracy below which the network underfits."""
GUESSING = 0.95
"""Share of log(classes): a training loss above it is that of guessing."""
FAR = 2
"""Multiple of log(classes): a loss above it is that of steps which were too large."""
RISE = 1.02
"""Factor between the last and the best validation loss from which later epochs made the network worse."""
LATE = 0.9
"""Share of the epochs after which the best epoch still counts as the end: the loss was falling when training ended."""
WIDE = 0.05
"""Standard error of the validation accuracy, doubled, that is too wide to compare settings."""
PAIR_SHARE, MIN_PAIR = 0.25, 5
"""Share and number of the errors that one pair of classes needs to be named."""
SMALLEST_CROPPED = 4
"""Pixels of the shorter side below which an image has no pixel to spare for shifts."""
MOST_HELD_OUT = 0.3
"""Share of the training samples from which holding out more of them takes too much."""
LINE = 80
"""Characters of a line of advice."""
MIN_NAME, MAX_NAME = 5, 24
"""Characters of a class name in a line, where there is little room and where there is much."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to try.

    Attributes:
        rule: Name of the rule, as in docs/better-results.md.
        key: Key of the config to change.
        text: What to set, and the figures that say so; one line.
    """

    rule: str
    key: str
    text: str


def advise(figures: Figures) -> list[dict[str, str]]:
    """Return at most three things to try, the most valuable first.

    Returns:
        Mappings with ``rule``, ``key`` and ``text``, as in the ``advice`` of ``--json``. Empty if a run did not train
        to its end, or if fewer than 0.5 % of the predictions are wrong.

    Examples:
        >>> from cnntrain.config import load_config
        >>> scores = {"train": (0.1, 1.0, 900), "validation": (1.2, 0.81, 300)}
        >>> splits = {name: dict(zip(("loss", "accuracy", "samples"), row)) for name, row in scores.items()}
        >>> run = {"stop": "max", "epochs": 12, "best": {"epoch": 3, "loss": 0.7}, "test": None, **splits}
        >>> [line["rule"] for line in advise(Figures(load_config("digits"), (1, 8, 8), "0123456789", run))]
        ['overfitting', 'best_epoch_long_ago']
    """
    if figures.run is not None and figures.run["stop"] not in ("max", "epsilon", "patience"):
        return []
    metrics = figures.evaluation or figures.held_out
    if metrics is not None and metrics["accuracy"] >= SOLVED:
        return []
    found = list(guessing(figures)) or [advice for rule in RULES for advice in rule(figures)]
    return [asdict(advice) for advice in found[:MAX_ADVICE]]


def guessing(figures: Figures) -> Iterator[Advice]:
    """The training loss is that of equal probabilities for all classes.

    If it fell in every epoch, the steps are too small; otherwise they are too large, as they are where one of the
    losses is far above that of guessing. One epoch does not tell.
    """
    train, config = figures.train, figures.config
    classes = len(figures.classes)
    if train is None or config.training.loss != "cross_entropy" or classes < 2:
        return
    if train["loss"] > GUESSING * math.log(classes):
        losses = figures.history.column("train_loss").tolist()
        is_falling = len(losses) > 1 and all(later < earlier for earlier, later in itertools.pairwise(losses))
        is_far = max(train["loss"], *losses, 0.0) > FAR * math.log(classes)
        if len(losses) == 1 and not is_far:
            text = f"after 1 epoch, loss {train['loss']:.3g} is no better than guessing"
            yield Advice("guessing", "training.Max", f"try training.Max=10: {text}")
            return
        alpha = config.training.alpha * (10 if is_falling and not is_far else 0.1)
        text = f"loss {train['loss']:.3g} is no better than guessing among {classes} classes"
        yield Advice("guessing", "training.alpha", f"try training.alpha={alpha:g}: {text}")


def never_predicted(figures: Figures) -> Iterator[Advice]:
    """A class with samples is never predicted."""
    report = figures.evaluation
    if report is None:
        return
    absent = [row for row in report["per_class"] if row["support"] and row["precision"] is None]
    if not absent:
        return
    row = max(absent, key=lambda row: row["support"])
    samples = "1 sample" if row["support"] == 1 else f"{row['support']:,} samples"
    text = '"{}" is never predicted' + (f", nor {len(absent) - 1} more" if len(absent) > 1 else f" ({samples})")
    if figures.config.training.class_weights is None:
        text = f"try training.class_weights=balanced: {text}"
        yield Advice("never_predicted", "training.class_weights", with_names(text, row["class"]))
    elif figures.has_own_data:
        yield Advice("never_predicted", "data.path", with_names(f"check labels in data.path: {text}", row["class"]))


def overfitting(figures: Figures) -> Iterator[Advice]:
    """Training accuracy is far above held-out accuracy."""
    if not figures.gap:
        return
    train, held_out, config = figures.train, figures.held_out, figures.config
    assert train is not None
    assert held_out is not None
    text = f"train {percent(train)}, held out {percent(held_out)}: it overfits"
    if are_few_photos(figures):
        yield Advice("overfitting", "data.features", f"try data.features (pretrained): {text}")
    elif not figures.on_features and config.training.augmentation.changes_nothing and is_croppable(figures):
        pixels = max(1, round(min(figures.in_shape[1:]) / 8))
        yield Advice("overfitting", "training.augmentation", f"try training.augmentation.crop={pixels}: {text}")
    elif not figures.on_features and "dropout" not in figures.kinds:
        yield Advice("overfitting", "network.layers", f"try dropout in network.layers: {text}")
    elif not config.training.l2 and config.training.optimizer != "adamw":
        l2 = "1e-3" if figures.on_features else "1e-4"
        yield Advice("overfitting", "training.l2", f"try training.l2={l2}: {text}")
    elif figures.has_own_data:
        yield Advice("overfitting", "data.path", f"add images to data.path: {text}")
    elif "conv" in figures.kinds or figures.kinds.count("fc") > 1:
        what = "a smaller K" if "conv" in figures.kinds else "fewer units"
        yield Advice("overfitting", "network.layers", f"try {what} in network.layers: {text}")


def more_epochs(figures: Figures) -> Iterator[Advice]:
    """The loss was still falling in the last epochs before Max."""
    run, config = figures.run, figures.config
    if run is None or run["stop"] != "max" or not run["best"] or run["validation"] is None:
        return
    best, epochs = run["best"]["epoch"], run["epochs"]
    if epochs < 2 or best <= LATE * epochs:
        return
    if is_schedule_finished(figures.history, config):
        text = f"{config.training.schedule} is over, epoch {best} was best"
        yield Advice("schedule_finished", "training.Max", f"try training.Max={2 * epochs} in a new run: {text}")
    else:
        trend = "the loss was still falling" if config.training.best_by == "loss" else "accuracy was still rising"
        text = f"epoch {best} of {epochs} was best, so {trend}"
        yield Advice("more_epochs", "training.Max", f"try training.Max={2 * epochs}: {text}")


def underfitting(figures: Figures) -> Iterator[Advice]:
    """Training accuracy is low, and held-out accuracy is close to it."""
    train, held_out = figures.train, figures.held_out
    if train is None or train["accuracy"] >= FITTED or figures.gap:
        return
    other = "" if held_out is None else f", held out {percent(held_out)}"
    text = f"train {percent(train)}{other}: it underfits"
    few = are_few_photos(figures)
    key, what = ("data.features", "data.features (pretrained)") if few else larger_network(figures)
    yield Advice("underfitting", key, f"try {what}: {text}")


def best_epoch_long_ago(figures: Figures) -> Iterator[Advice]:
    """The second half of the epochs did not improve the validation loss, but raised it."""
    run, config = figures.run, figures.config
    if run is None or not run["best"] or run["validation"] is None or config.training.patience:
        return
    best, epochs = run["best"], run["epochs"]
    if best["loss"] is None or best["epoch"] > epochs / 2 or run["validation"]["loss"] <= RISE * best["loss"]:
        return
    patience = max(2, best["epoch"] // 2)
    text = f"epoch {best['epoch']} of {epochs} was best (best.safetensors)"
    yield Advice("best_epoch_long_ago", "training.patience", f"try training.patience={patience}: {text}")


def few_validation_samples(figures: Figures) -> Iterator[Advice]:
    """The validation split is missing, or too small to compare two settings."""
    run = figures.run
    if run is None:
        return
    validation = run["validation"]
    if validation is None:
        text = "no samples are held out to choose settings by"
        yield Advice("few_validation_samples", "data.validation", f"try data.validation=0.1: {text}")
    elif (error := 2 * standard_error(validation)) > WIDE:
        text = f"{validation['samples']:,} validation samples tell accuracy to ±{100 * error:.0f} points only"
        if figures.validation_share is not None and figures.validation_share < MOST_HELD_OUT:
            yield Advice("few_validation_samples", "data.validation", f"raise data.validation: {text}")
        elif figures.has_own_data:
            yield Advice("few_validation_samples", "data.path", f"add images to data.path: {text}")


def confused_pair(figures: Figures) -> Iterator[Advice]:
    """Two classes account for a large part of the errors."""
    report = figures.evaluation
    if report is None or not report["confused"] or len(report["classes"]) < 3:
        return
    wrong = report["samples"] - round(report["samples"] * report["accuracy"])
    counts: dict[frozenset[str], int] = {}
    for pair in report["confused"]:
        names = frozenset((pair["true"], pair["predicted"]))
        counts[names] = counts.get(names, 0) + pair["samples"]
    names, count = max(counts.items(), key=lambda item: item[1])
    if count < MIN_PAIR or count < PAIR_SHARE * wrong:
        return
    text = f'{count:,} of {wrong:,} errors mix up "{{}}" and "{{}}"'
    if getattr(figures.config.data, "size", None) is not None and not figures.on_features:
        yield Advice("confused_pair", "data.size", with_names(f"try a larger data.size: {text}", *sorted(names)))
    elif figures.has_own_data:
        yield Advice("confused_pair", "data.path", with_names(f"check labels in data.path: {text}", *sorted(names)))
    elif not figures.gap:
        key, what = larger_network(figures)
        yield Advice("confused_pair", key, with_names(f"try {what}: {text}", *sorted(names)))


def larger_network(figures: Figures) -> tuple[str, str]:
    """Return the key that gives the network more to learn with, and what to do with it."""
    if figures.config.network.freeze:
        return "network.freeze", "a lower network.freeze"
    if "conv" in figures.kinds:
        return "network.layers", "a larger K in network.layers"
    if figures.kinds.count("fc") > 1:
        return "network.layers", "more units in network.layers"
    return "network.layers", "one more fc in network.layers"


def is_croppable(figures: Figures) -> bool:
    """Return whether the samples are images that can be shifted by a pixel or more."""
    return min(figures.in_shape[1:], default=0) >= SMALLEST_CROPPED


def with_names(text: str, *names: str) -> str:
    """Return a text with names of classes in place of each ``{}``, shortened so that it fits into a line."""
    room = (LINE - len(text.format(*("" for _ in names)))) // len(names)
    return text.format(*(short(name, min(MAX_NAME, max(MIN_NAME, room))) for name in names))


RULES: tuple[Callable[[Figures], Iterator[Advice]], ...] = (
    never_predicted,
    overfitting,
    more_epochs,
    underfitting,
    best_epoch_long_ago,
    few_validation_samples,
    confused_pair,
)
"""The rules for a network that has learned something, the most valuable first."""
