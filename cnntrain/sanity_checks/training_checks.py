"""Checks by short trainings: overfitting some samples, the size of steps, and true against shuffled labels."""

import math
from dataclasses import replace
from statistics import median

import numpy as np

from cnntrain.config import Config
from cnntrain.data import Data, Dataset
from cnntrain.data.dataset import concatenate
from cnntrain.network.network import Network
from cnntrain.sanity_checks.finding import Finding, finding, status_of
from cnntrain.sanity_checks.network_checks import loss_of_a_guess
from cnntrain.sanity_checks.short_training import (
    ShortTraining,
    balanced_shuffle,
    generator,
    held_out_samples,
    miniature,
    some_samples,
    train_briefly,
    with_samples,
    without_regularization,
)

LAST = 10
"""Number of last steps whose median loss is reported."""
FEW = 20
"""Samples to overfit."""
ALPHAS = (0.003, 0.0003)
"""Learning rates of Adam, tried in this order."""
HEART_STEPS = 300
NEARLY_NOTHING = 0.05
"""Share of the loss of a guess that counts as nearly 0."""
FAIL_SMALL, WARN_SMALL = 1e-6, 1e-5
"""Lower limits of the median of |step| / |W|, which is about 0.001 in a training that goes well (CS231n)."""
WARN_LARGE, FAIL_LARGE = 1.0, 10.0
"""Upper limits of a single step / |W|."""
STUCK = 0.95
"""Share of the loss of a guess above which the training loss counts as stuck."""
SIGMAS = 3.0
"""Standard errors by which an accuracy must exceed chance."""


def learn_by_heart(config: Config, data: Data, guess: float) -> Finding:
    """Check that a few samples can be learned to a loss of nearly 0, which needs a network that can learn at all."""
    few = some_samples(data.train, FEW, config.training.seed, 3)
    goal, best = NEARLY_NOTHING * guess, math.inf
    for alpha in ALPHAS:
        small = without_regularization(config, alpha, HEART_STEPS)
        short = train_briefly(small, with_samples(data, few), lambda loss: loss < goal)
        best = min([best, *(loss for loss in short.losses if math.isfinite(loss))])
        if best < goal:
            text = (
                f"a loss of {best:.2g} after {short.steps} steps of Adam on {len(few)} samples (goal: below {goal:.2g})"
            )
            return finding("overfitting 20 samples", "pass", text, "", loss=best, steps=short.steps)
    text = (
        f"the loss of {len(few)} samples stays at {best:.2g} after {HEART_STEPS} steps of Adam without penalty and "
        f"dropout (goal: below {goal:.2g})"
    )
    advice = (
        "the network cannot fit even these: look for a layer with very few units, a stack of sigmoids, or equal images "
        "with different labels"
    )
    return finding("overfitting 20 samples", "fail", text, advice, loss=best, steps=HEART_STEPS)


class Miniature:
    """The run in miniature, with true and with shuffled labels."""

    def __init__(self, config: Config, network: Network, data: Data):
        train, parts = held_out_samples(data, config.training.seed)
        self.parts = parts if len(parts) > 1 else {}
        self.held_out, self.split = concatenate(list(parts.values())), " and ".join(parts)
        self.config, self.train = miniature(config, network, train)
        self.data = data
        self.guess = loss_of_a_guess(network, train.labels[:1])[0]
        if network.objective.loss == "mse":  # equal shares are a better guess than what z = 0 may give
            self.guess = min(self.guess, (1 - 1 / len(network.class_indices)) / 2)
        self.chance = chance_of(self.held_out)
        self.true = self.shuffled = ShortTraining()

    @property
    def margin(self) -> float:
        """How far above chance an accuracy must be to show something."""
        return SIGMAS * math.sqrt(self.chance * (1 - self.chance) / len(self.held_out))

    def failed_split(self) -> str | None:
        """Return the held-out split that is predicted as by chance while another is not; None if there is none."""
        if len(self.true.by_split) < 2:
            return None
        scores = self.true.by_split
        worst = min(scores, key=lambda split: scores[split].accuracy)
        best = max(scores, key=lambda split: scores[split].accuracy)
        bad, good = scores[worst], scores[best]
        chance = chance_of(self.parts[worst])
        error = math.sqrt(chance * (1 - chance) / bad.samples)
        gap = math.hypot(error, math.sqrt(good.accuracy * (1 - good.accuracy) / good.samples))
        by_chance = bad.accuracy <= chance + SIGMAS * error
        return worst if by_chance and good.accuracy - bad.accuracy > SIGMAS * gap else None

    def run(self) -> Finding:
        """Train with the true labels, and check that held-out samples are predicted better than by chance."""
        self.true = train_briefly(self.config, with_samples(self.data, self.train, self.held_out), splits=self.parts)
        if self.true.diverged:
            text = f"the run in miniature diverged after {self.true.steps} steps: {self.true.diverged}"
            return finding("true labels", "fail", text, "lower training.alpha", steps=self.true.steps)
        accuracy, loss = accuracy_of(self.true), median(self.true.losses[-LAST:])
        text = (
            f"{self.described(self.true)}: loss {self.true.losses[0]:.2g} to {loss:.2g}, accuracy {accuracy:.1%} on "
            f"{self.tested}; chance {self.chance:.1%}"
        )
        if loss > STUCK * self.guess:
            advice = "change training.alpha: the loss on the training samples does not fall below that of a guess"
        else:
            advice = "check the labels (cnntrain data info --sheet FILE): what is learned fails on other images"
        failed = self.failed_split()
        if failed is not None and accuracy > self.chance + self.margin:
            each = ", ".join(f"{score.accuracy:.1%} ({split})" for split, score in self.true.by_split.items())
            text += f"; by split: {each}"
            advice = (
                f"check the labels of the {failed} split: they are not predicted, although those of another split are"
            )
        status = status_of(warns=False, fails=accuracy <= self.chance + self.margin or failed is not None)
        return finding("true labels", status, text, advice, accuracy=accuracy, chance=self.chance, loss=loss)

    def run_shuffled(self) -> Finding:
        """Train with shuffled labels, and check that held-out samples are not predicted better than by chance."""
        labels = balanced_shuffle(self.train.labels, generator(self.config.training.seed, 4))
        shuffled = replace(self.train, labels=labels)
        self.shuffled = train_briefly(self.config, with_samples(self.data, shuffled, self.held_out))
        if self.shuffled.diverged:
            text = f"the run in miniature diverged after {self.shuffled.steps} steps: {self.shuffled.diverged}"
            return finding("shuffled labels", "fail", text, "lower training.alpha", steps=self.shuffled.steps)
        accuracy = accuracy_of(self.shuffled)
        gain = max(0.0, accuracy_of(self.true) - self.chance) if not self.true.diverged else 0.0
        text = f"{self.described(self.shuffled)}: accuracy {accuracy:.1%} on {self.tested}; chance {self.chance:.1%}"
        # A network that has hardly learned gives whole classes one output, right or wrong by luck: that shows nothing.
        leaks = gain / 2 >= self.margin and accuracy > self.chance + gain / 2
        advice = "labels that say nothing are predicted: look for labels that reach the network by another way"
        return finding(
            "shuffled labels", "fail" if leaks else "pass", text, advice, accuracy=accuracy, chance=self.chance
        )

    def step_sizes(self) -> Finding:
        """Compare the size of the steps with that of W."""
        # A W that begins at 0 (init: zeros) takes a first step of any size.
        ratios = {
            name: median([value for value in values if not math.isnan(value)] or [0.0])
            for name, values in self.true.ratios.items()
        }
        if not ratios:
            return finding("step / W", "fail", "no step was taken", "lower training.alpha")
        low, high = min(ratios, key=lambda name: ratios[name]), max(ratios, key=lambda name: ratios[name])
        largest = max((max(values) for values in self.true.ratios.values() if not math.isnan(values[0])), default=0.0)
        at_most = f"largest {largest:.2g}; " if largest else ""
        text = (
            f"{ratios[low]:.1e} ({low}) to {ratios[high]:.1e} ({high}), medians of {self.true.steps} steps; {at_most}"
            "about 1e-03 is usual"
        )
        if not largest <= WARN_LARGE:
            status = status_of(warns=True, fails=not largest <= FAIL_LARGE)
            return finding("step / W", status, text, "lower training.alpha: the steps are too large", **ratios)
        status = status_of(ratios[low] < WARN_SMALL, ratios[low] < FAIL_SMALL)
        advice = "raise training.alpha, or use relu, init: he and batch_norm: some weights hardly move"
        return finding("step / W", status, text, advice, **ratios)

    def described(self, short: ShortTraining) -> str:
        """Return what was trained, in words."""
        epochs = self.config.training.Max
        return f"{short.steps} steps ({epochs} {'epoch' if epochs == 1 else 'epochs'} of {short.samples:,} samples)"

    @property
    def tested(self) -> str:
        """What was evaluated, in words."""
        return f"{len(self.held_out):,} samples ({self.split})"


def chance_of(dataset: Dataset) -> float:
    """Return the share of the largest class."""
    return float(np.bincount(dataset.labels).max() / len(dataset))


def accuracy_of(short: ShortTraining) -> float:
    """Return the accuracy on the held-out samples."""
    return short.held_out.accuracy if short.held_out is not None else 0.0
