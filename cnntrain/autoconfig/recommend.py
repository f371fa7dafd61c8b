"""Recommend a network and training settings for data: proven rules, each with its reason.

The network is a sequence of blocks (convolution, batch normalization, relu, max pooling) down to about 4 x 4 pixels.
One fully connected layer follows: for photographs on the mean of each channel, since an object may be anywhere in the
image; for letters and digits, which fill the image, on all pixels.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from cnntrain.autoconfig.inspect import Findings, Size
from cnntrain.autoconfig.pretrained import FEATURES, chooses_features, reason_against, reason_for, suits

SIDE = 64
"""Maximum side of resized images."""
FIT = "stretch"
"""How images of another aspect ratio are resized."""
SMALLEST = 4
"""Side at which pooling stops."""
CHARACTER = 32
"""Maximum side of gray images that count as letters or digits."""
EPOCHS = 2_500
"""Epochs times the square root of the number of samples: fewer samples get more epochs, but fewer steps in total."""
FEATURE_EPOCHS = 40
"""Epochs on pretrained features."""
NetworkSize = Literal["small", "medium", "large"]
FILTERS: dict[NetworkSize, int] = {"small": 16, "medium": 32, "large": 64}
"""Filters of the first convolution; each stage has twice as many as the one before."""
IMBALANCE = 3
"""Ratio of the largest to the smallest class above which classes are weighted."""
FEW = 30
"""With fewer samples than this, none are held out for validation."""

NORMALIZED = "keeps values in a good range; training is faster and more stable"
POOLED = "the maximum of each 2 x 2 pixels: half the rows and columns"


@dataclass(frozen=True)
class Line:
    """A key of the config, its value, and why."""

    key: str
    value: Any
    reason: str = ""


@dataclass
class Recommendation:
    """The three sections of a config, line by line."""

    data: list[Line] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    """Comment lines at the end of ``data``."""
    layers: list[Line] = field(default_factory=list)
    training: list[Line] = field(default_factory=list)


def image_size(median: Size) -> Size:
    """Return the rows and columns that images are resized to, given their median size."""
    H, W = median
    if max(H, W) <= SIDE:
        return H, W
    side = min(SIDE, H, W)
    return side, side


def recommend(findings: Findings, size: NetworkSize | None = None, epochs: Line | None = None) -> Recommendation:
    """Return the recommended config.

    Args:
        findings: The facts about the data.
        size: Size of a network from scratch; by default medium, or pretrained features where they are better.
        epochs: The line of ``Max``; by default the number of epochs follows from that of the samples.
    """
    character = is_character(findings)
    if size is None and chooses_features(findings, character):
        features = Line("features", FEATURES, reason_for(findings))
        data = [features, *(line for line in data_lines(findings) if line.key not in ("size", "channels"))]
        return Recommendation(data, [], [feature_layer(findings)], feature_training_lines(findings))
    comments = reason_against(findings) if suits(findings, character) else []
    training = [epochs if epochs and line.key == "Max" else line for line in training_lines(findings)]
    return Recommendation(data_lines(findings), comments, layer_lines(findings, size or "medium"), training)


def is_character(findings: Findings) -> bool:
    """Return whether the images count as letters or digits: small and gray."""
    return findings.is_gray and max(findings.shape[1:]) <= CHARACTER


def data_lines(findings: Findings) -> list[Line]:
    """Return the lines of ``data``, without the source."""
    lines = []
    if findings.image_size is not None:
        H, W = findings.shape[1:]
        lines.append(Line("size", [H, W], "rows and columns that images are resized to; larger is slower"))
        if findings.image_size != (H, W):
            lines.append(Line("fit", FIT, "keeps the whole image, distorted; crop would cut off its sides"))
        if findings.is_gray:
            lines.append(Line("channels", 1, "the images have no colors"))
        if findings.has_unreadable:
            lines.append(Line("on_bad", "skip", "some images cannot be read and are skipped"))
    if not findings.has_test and findings.can_hold_out_test:
        lines.append(Line("test", 0.2, "a fifth is held out for testing: it shows how good the network really is"))
    if not findings.has_validation:
        few = findings.samples < FEW
        share = 0 if few else 0.1 if findings.has_test or findings.can_hold_out_test else 0.2
        reason = "all of so few samples are needed for training" if few else "held out to evaluate each epoch"
        lines.append(Line("validation", share, reason))
    return lines


def layer_lines(findings: Findings, size: NetworkSize = "medium") -> list[Line]:
    """Return the lines of ``network.layers``."""
    _, H, W = findings.shape
    pools = int(math.log2(max(min(H, W), SMALLEST) / SMALLEST))
    double = max(H, W) <= CHARACTER
    what = "edges" if findings.is_gray else "edges and colors"
    of_conv = {
        0: f"filters of 3 x 3 pixels look for {what}",
        1: "more filters, for patterns in a larger part of the image",
    }
    lines: list[Line] = []
    for stage in range(max(1, pools)):
        K = FILTERS[size] * min(2**stage, 8)
        for first in (True, False) if double else (True,):
            lines += [
                Line("conv", {"K": K, "F": 3, "P": 1}, of_conv.get(stage, "") if first else ""),
                Line("batch_norm", {"activation": "relu"}, NORMALIZED if len(lines) == 0 else ""),
            ]
        if pools:
            lines.append(Line("pool", {"k": 2, "type": "max"}, POOLED if stage == 0 else ""))
    if not is_character(findings):
        reason = "the mean of each channel: objects may be anywhere in the image"
        lines.append(Line("pool", {"k": "all", "type": "average"}, reason))
    lines.append(Line("dropout", {"rate": 0.3}, "drops values at random, against overfitting"))
    classes = len(findings.classes)
    lines.append(Line("fc", {"activation": "softmax"}, f"a probability for each of the {classes} classes"))
    return lines


def feature_layer(findings: Findings) -> Line:
    """Return the only layer on pretrained features."""
    reason = (
        f"a weight for each feature and each of the {len(findings.classes)} classes; from zeros, since one layer can"
    )
    return Line("fc", {"activation": "softmax", "init": "zeros"}, reason)


def feature_training_lines(findings: Findings) -> list[Line]:
    """Return the lines of ``training`` for one layer on pretrained features."""
    changed = {
        "alpha": Line("alpha", 0.005, "the largest learning rate"),
        "Max": Line("Max", FEATURE_EPOCHS, "number of epochs; they take moments, since features are computed once"),
    }
    return [changed.get(line.key, line) for line in training_lines(findings) if line.key != "augmentation"]


def training_lines(findings: Findings) -> list[Line]:
    """Return the lines of ``training``."""
    n = findings.samples
    epochs = min(100, max(10, round(EPOCHS / math.sqrt(n))))
    batch_size = 16 if n < 200 else 32 if n < 5_000 else 64 if n < 20_000 else 128
    lines = [
        Line("optimizer", "adamw", "adapts the step size of each weight; needs little tuning"),
        Line("alpha", 0.002, "the largest learning rate; the first thing to tune"),
        Line("weight_decay", 0.05, "shrinks weights toward 0, against overfitting"),
        Line("schedule", "one_cycle", "learning rate: warmup, maximum, then decay"),
        Line("Max", epochs, "number of epochs; more take longer and may be better"),
        Line("batch_size", batch_size, "samples per step"),
    ]
    if len(findings.present) > 2:
        lines.append(Line("label_smoothing", 0.1, "against overconfidence"))
    if findings.imbalance > IMBALANCE:
        reason = f"the largest class is {findings.imbalance:.1f} times the smallest; weights balance them"
        lines.append(Line("class_weights", "balanced", reason))
    lines.append(Line("augmentation", augmentation(findings), "random small changes, against overfitting"))
    lines.append(Line("seed", 0, "the same seed gives the same result"))
    return lines


def augmentation(findings: Findings) -> dict[str, Any]:
    """Return ``training.augmentation``: changes that preserve the class of an image."""
    side = min(findings.shape[1:])
    crop = min(max(1, round(side / 8)), side - 1)
    if is_character(findings):  # mirrored, they would mean something else
        return {"crop": min(max(1, side // 14), side - 1), "rotation": 10}
    changes: dict[str, Any] = {"crop": crop}
    if not findings.is_gray:
        changes = {"horizontal_flip": True, "crop": crop, "brightness": 0.2, "contrast": 0.2}
    return changes
