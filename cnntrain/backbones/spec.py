"""What a network must know about the backbone that computes its features; stored with the weights."""

import math
import reprlib
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cnntrain.errors import WeightsError

Layout = Literal["NCHW", "NHWC"]
ColorOrder = Literal["rgb", "bgr"]
EFFICIENTNET_LITE0 = "efficientnet-lite0"
BACKBONES = (EFFICIENTNET_LITE0,)
"""Backbones known by name."""
BACKBONE_FILE = "backbone.onnx"
"""Copy of an ONNX file in the folder of a run."""
MAX_FEATURES = 4_000_000
"""Maximum number of features of an image."""
MAX_SIDE = 4096
MAX_VIEWS = 10


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """A backbone and how images become its input: x = (pixel scale - mean) / std, for pixels in 0..255."""

    backbone: str
    """``efficientnet-lite0``, or the name of the ONNX file without its folder."""
    sha256: str
    """Of the file of its weights."""
    output: str
    """Tensor of the ONNX graph that holds the features."""
    is_pooled: bool
    """Whether the features are the mean of that tensor over its rows and columns."""
    image_shape: tuple[int, int, int]
    """(C, H, W) of its images."""
    shape: tuple[int, int, int]
    """(C, H, W) of the features; H = W = 1 for a vector."""
    layout: Layout
    order: ColorOrder
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float
    views: int = 1
    """Versions of each training image whose features are computed."""

    @property
    def count(self) -> int:
        """Number of features of an image."""
        return math.prod(self.shape)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, content: object) -> "BackboneSpec":
        """Parse what ``to_dict`` returned; a weights file may come from anywhere.

        Raises:
            WeightsError: A value is missing or impossible.
        """
        match content:
            case {
                "backbone": str(backbone),
                "sha256": str(sha256),
                "output": str(output),
                "is_pooled": bool(is_pooled),
                "image_shape": [int(C), int(H), int(W)] as image_shape,
                "shape": [int(), int(), int()] as shape,
                "layout": "NCHW" | "NHWC" as layout,
                "order": "rgb" | "bgr" as order,
                "mean": list(mean),
                "std": list(std),
                "scale": int() | float() as scale,
                "views": int(views),
                **rest,
            } if (
                not rest
                and C in (1, 3)
                and 1 <= H <= MAX_SIDE
                and 1 <= W <= MAX_SIDE
                and min(shape) >= 1
                and math.prod(shape) <= MAX_FEATURES
                and len(sha256) == 64
                and 1 <= views <= MAX_VIEWS
                and len(mean) == len(std) == C
                and all(type(value) in (int, float) and math.isfinite(value) for value in (*mean, *std, scale))
                and all(value > 0 for value in (*std, scale))
            ):
                return cls(
                    backbone=backbone,
                    sha256=sha256,
                    output=output,
                    is_pooled=is_pooled,
                    image_shape=tuple(image_shape),
                    shape=tuple(shape),
                    layout=layout,
                    order=order,
                    mean=tuple(map(float, mean)),
                    std=tuple(map(float, std)),
                    scale=float(scale),
                    views=views,
                )
        raise WeightsError(
            f"preprocessing.features of the weights file is {reprlib.repr(content)[:80]}, not a backbone"
        )
