"""Which network and which settings suit which data: rules that have proven good, each with its reason.

The network is a row of blocks, convolution, batch normalization, relu, that a max pool halves again and again until
about 4 x 4 pixels are left. What is left goes into one fully connected layer: for photographs the mean of each channel,
as a thing may be anywhere in the image; for letters and digits, which fill theirs, each pixel.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from cnntrain.autoconfig.inspect import Findings, Size

SIDE = 64
"""Rows and columns that images are brought to, at most."""
FIT = "stretch"
"""How images of other proportions are brought to that size."""
SMALLEST = 4
"""Rows and columns below which no image is pooled."""
CHARACTER = 32
"""Gray images up to this side count as letters and digits."""
EPOCHS = 2_500
"""Passes over the samples, times the square root of their number: fewer samples bear more passes, but not as many more
as would make up for it."""
IMBALANCE = 3
"""A class that is so many times larger than another would drown it."""
FEW = 30
"""Of so few samples none can be spared to judge each epoch by."""

NORMALISED = "keeps values in a good range, which makes training faster and steadier"
POOLED = "of each 2 x 2 pixels the strongest answer: half the rows and columns"


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
    layers: list[Line] = field(default_factory=list)
    training: list[Line] = field(default_factory=list)


def image_size(middling: Size) -> Size:
    """Rows and columns that images are brought to, given those of a middling one."""
    H, W = middling
    if max(H, W) <= SIDE:
        return H, W
    side = min(SIDE, H, W)
    return side, side


def recommend(found: Findings) -> Recommendation:
    """Choose."""
    return Recommendation(data_lines(found), layer_lines(found), training_lines(found))


def is_character(found: Findings) -> bool:
    """Whether the images are taken for letters or digits: small and gray."""
    return found.is_gray and max(found.shape[1:]) <= CHARACTER


def data_lines(found: Findings) -> list[Line]:
    """``data``, but for where the samples are."""
    lines = []
    if found.image_size is not None:
        H, W = found.shape[1:]
        lines.append(Line("size", [H, W], "every image is brought to so many rows and columns; more take longer"))
        if found.image_size != (H, W):
            lines.append(Line("fit", FIT, "the whole image is seen, if distorted; crop would cut off its sides"))
        if found.is_gray:
            lines.append(Line("channels", 1, "the images have no colors"))
        if found.has_unreadable:
            lines.append(Line("on_bad", "skip", "some images cannot be read, and training goes on without them"))
    if not found.has_test and found.can_hold_out_test:
        lines.append(Line("test", 0.2, "a fifth is never trained on: it shows how good the network really is"))
    if not found.has_validation:
        few = found.samples < FEW
        share = 0 if few else 0.1 if found.has_test or found.can_hold_out_test else 0.2
        reason = "so few samples are all needed to train on" if few else "held out, to judge each epoch by"
        lines.append(Line("validation", share, reason))
    return lines


def layer_lines(found: Findings) -> list[Line]:
    """``network.layers``."""
    _, H, W = found.shape
    pools = int(math.log2(max(min(H, W), SMALLEST) / SMALLEST))
    twice = max(H, W) <= CHARACTER
    what = "edges" if found.is_gray else "edges and colors"
    of_conv = {
        0: f"filters of 3 x 3 pixels look for {what}",
        1: "more kinds of patterns, each over a larger part of the image",
    }
    lines: list[Line] = []
    for stage in range(max(1, pools)):
        K = min(32 * 2**stage, 256)
        for first in (True, False) if twice else (True,):
            lines += [
                Line("conv", {"K": K, "F": 3, "P": 1}, of_conv.get(stage, "") if first else ""),
                Line("batch_norm", {"activation": "relu"}, NORMALISED if len(lines) == 0 else ""),
            ]
        if pools:
            lines.append(Line("pool", {"k": 2, "type": "max"}, POOLED if stage == 0 else ""))
    if not is_character(found):
        says = "the mean of each channel, wherever in the image a thing is"
        lines.append(Line("pool", {"k": "all", "type": "average"}, says))
    lines.append(Line("dropout", {"rate": 0.3}, "leaves values out at random, so that no single one is relied on"))
    lines.append(Line("fc", {"activation": "softmax"}, f"a probability for each of the {len(found.classes)} classes"))
    return lines


def training_lines(found: Findings) -> list[Line]:
    """``training``."""
    n = found.samples
    passes = min(100, max(10, round(EPOCHS / math.sqrt(n))))
    batch_size = 16 if n < 200 else 32 if n < 5_000 else 64 if n < 20_000 else 128
    lines = [
        Line("optimizer", "adamw", "adapts the step of each weight, and needs little tuning"),
        Line("alpha", 0.002, "the largest step size; raise or lower it first when training goes badly"),
        Line("weight_decay", 0.05, "pulls weights towards 0, against learning by heart"),
        Line("schedule", "one_cycle", "small steps at first, then large ones, then smaller and smaller"),
        Line("Max", passes, "passes over the training samples; more take longer and may be better"),
        Line("batch_size", batch_size, "samples a step"),
    ]
    if len(found.present) > 2:
        lines.append(Line("label_smoothing", 0.1, "does not let the network become too sure of itself"))
    if found.imbalance > IMBALANCE:
        reason = f"the largest class is {found.imbalance:.1f} times the smallest; each counts the same"
        lines.append(Line("class_weights", "balanced", reason))
    lines.append(Line("augmentation", augmentation(found), "each image is changed a little, at random, each time"))
    lines.append(Line("seed", 0, "the same seed gives the same network"))
    return lines


def augmentation(found: Findings) -> dict[str, Any]:
    """``training.augmentation``: changes after which an image is still of its class."""
    side = min(found.shape[1:])
    crop = min(max(1, round(side / 8)), side - 1)
    if is_character(found):  # which mean something else when they are mirrored
        return {"crop": min(max(1, side // 14), side - 1), "rotation": 10}
    changes: dict[str, Any] = {"crop": crop}
    if not found.is_gray:
        changes = {"horizontal_flip": True, "crop": crop, "brightness": 0.2, "contrast": 0.2}
    return changes
