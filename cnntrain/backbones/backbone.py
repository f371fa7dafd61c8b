"""A pretrained network, ready to compute the features of images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.backbones import efficientnet_lite0
from cnntrain.backbones.extra import require_onnx
from cnntrain.backbones.spec import BACKBONES, EFFICIENTNET_LITE0, MAX_SIDE, BackboneSpec
from cnntrain.errors import DataError, WeightsError

if TYPE_CHECKING:
    from onnx import ModelProto

    from cnntrain.backbones.feature_model import FeatureGraph
    from cnntrain.backbones.graph_analysis import ImageInput
    from cnntrain.backbones.runner import FeatureRunner

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of pixels in 0..1: torchvision.transforms.Normalize for its models."""
SCALE = 1 / 255
"""Factor of pixels 0..255."""
DEFAULT_SIDE = 224
"""Rows and columns if the network takes any."""


@dataclass(frozen=True)
class Network:
    """The file of a backbone, and how its graph takes images."""

    name: str
    """How messages call it."""
    model: "ModelProto"
    sha256: str
    taken: "ImageInput"


class Backbone:
    """A pretrained network and its features.

    Attributes:
        spec: What must be known to use its features.
        choices: What was decided where the config leaves it open, one line each.
    """

    def __init__(self, opened: Callable[[], Network], spec: BackboneSpec, choices: tuple[str, ...] = ()):
        self._opened = opened
        self.spec, self.choices = spec, choices

    @cached_property
    def graph(self) -> "FeatureGraph":
        """The feature model: pixels in, features out."""
        from cnntrain.backbones.feature_model import feature_model

        network = self._opened()
        return feature_model(network.model, network.taken, self.spec)

    @cached_property
    def runner(self) -> "FeatureRunner":
        """The feature model in ONNX Runtime."""
        from cnntrain.backbones.runner import FeatureRunner

        return FeatureRunner(self.graph.model.SerializeToString(), self.spec.backbone)

    def features(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features of one image ``(C, H, W)``, uint8, as ``spec.shape``; several threads may call it."""
        return self.runner.raw(image).reshape(self.spec.shape)


def open_network(backbone: str) -> Network:
    """Read the file of a backbone.

    Args:
        backbone: A name in ``BACKBONES``, or the path of an ONNX file.

    Raises:
        UsageError: A package is missing.
        DataError: The file is missing or malformed, or not an image network.
    """
    require_onnx()
    from cnntrain.backbones.graph_analysis import image_input

    if backbone == EFFICIENTNET_LITE0:
        from cnntrain.backbones.efficientnet_lite0_graph import make_model

        model = make_model()
        return Network(backbone, model, efficientnet_lite0.SHA256, image_input(model, backbone))
    from cnntrain.backbones.onnx_file import read_onnx

    file = read_onnx(Path(backbone))
    return Network(backbone, file.model, file.sha256, image_input(file.model, backbone))


def load_backbone(features: Mapping[str, Any], size: tuple[int, int] | None = None, channels: int = 3) -> Backbone:
    """Load a backbone, and find out what ``data.features`` leaves open.

    Args:
        features: The keys of ``data.features``.
        size: ``data.size``, the rows and columns of the images.
        channels: ``data.channels``.

    Raises:
        UsageError: A package is missing.
        DataError: The file is missing or malformed, not an image network, or does not fit the keys.
    """
    require_onnx()
    if is_plain_lite0(features):
        name = features["backbone"]
        check_channels(3, channels, name)
        spec = lite0_spec(size, features["views"])
        return Backbone(
            partial(open_network, name), spec, choices_of(spec, "the input of the last layer 'logits' (Gemm)")
        )
    network = open_network(features["backbone"])
    from cnntrain.backbones.graph_analysis import FeatureOutput, feature_output, tensors_of

    name, taken = network.name, network.taken
    check_channels(taken.channels, channels, name)
    given = features.get("output")
    if given is None:
        found = feature_output(network.model, taken.name, name)
    elif given in (tensors := list(tensors_of(network.model))):
        found = FeatureOutput(given, False, "as given")
    else:
        raise DataError(
            f"data.features.output: the backbone {name} has no tensor {given[:80]!r}; the last ones are "
            f"{', '.join(map(repr, tensors[-8:]))}"
        )
    mean, std, scale = _standardization(features, network)
    spec = BackboneSpec(
        backbone=name if name in BACKBONES else Path(name).name,
        sha256=network.sha256,
        output=found.name,
        is_pooled=found.is_pooled,
        image_shape=(taken.channels, *_size(taken.size, size, name)),
        shape=(1, 1, 1),
        layout=taken.layout,
        order=features["order"],
        mean=mean,
        std=std,
        scale=scale,
        views=features["views"],
    )
    if spec.order == "bgr" and taken.channels == 1:
        raise DataError(f"data.features.order: the backbone {name} takes gray images, which have no order of colors")
    spec = replace(spec, shape=_shape(network, spec))
    return Backbone(lambda: network, spec, choices_of(spec, found.reason))


def is_plain_lite0(features: Mapping[str, Any]) -> bool:
    """Return whether the features are those of EfficientNet-Lite0 as it is, of which everything is known."""
    changed = {key for key, value in features.items() if value is not None} - {"backbone", "order", "views"}
    return features["backbone"] == EFFICIENTNET_LITE0 and features["order"] == "rgb" and not changed


def lite0_spec(size: tuple[int, int] | None, views: int) -> BackboneSpec:
    """Return the spec of EfficientNet-Lite0 as it is; nothing is opened."""
    side = efficientnet_lite0.SIDE
    return BackboneSpec(
        backbone=EFFICIENTNET_LITE0,
        sha256=efficientnet_lite0.SHA256,
        output=efficientnet_lite0.FEATURE_TENSOR,
        is_pooled=False,
        image_shape=(3, *_size((side, side), size, EFFICIENTNET_LITE0)),
        shape=(efficientnet_lite0.FEATURES, 1, 1),
        layout="NCHW",
        order="rgb",
        mean=efficientnet_lite0.MEAN,
        std=efficientnet_lite0.STD,
        scale=SCALE,
        views=views,
    )


def check_channels(taken: int, given: int, name: str) -> None:
    """Raise DataError unless ``data.channels`` is what the backbone takes."""
    if given != taken:
        raise DataError(
            f"data.channels: the backbone {name} takes images of {taken} channels, not {given}; set channels: {taken}"
        )


def choices_of(spec: BackboneSpec, reason: str) -> tuple[str, ...]:
    """Return what was decided, one line each."""
    C, H, W = spec.image_shape
    count = f"{spec.shape[0]:,}" if spec.shape[1:] == (1, 1) else " x ".join(map(str, spec.shape))
    pooled = ", averaged over rows and columns" if spec.is_pooled else ""
    pixels = f"pixel * {spec.scale:.6g}"
    return (
        f"features: {count} per image by {spec.backbone}, tensor {spec.output!r}{pooled}: {reason}",
        f"backbone: takes images of {C} x {H} x {W} ({spec.layout}, {spec.order}), standardized as ({pixels} - mean) / "
        f"std, mean {_numbers(spec.mean)}, std {_numbers(spec.std)}",
    )


def reopen_backbone(backbone: str, spec: BackboneSpec) -> Backbone:
    """Open the backbone that trained weights need.

    Args:
        backbone: A name in ``BACKBONES``, or the path of an ONNX file.
        spec: As stored with the weights.

    Raises:
        UsageError: A package is missing.
        DataError: The file is missing or malformed.
        WeightsError: It is not the backbone of the weights.
    """
    network = open_network(backbone)
    if network.sha256 != spec.sha256:
        raise WeightsError(
            f"{backbone}: this is not the backbone of the weights, {spec.backbone}: its SHA-256 is "
            f"{network.sha256[:12]}..., and {spec.sha256[:12]}... is needed"
        )
    return Backbone(lambda: network, spec)


def _standardization(
    features: Mapping[str, Any], network: Network
) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Return mean, standard deviation and scale, by default those of ImageNet."""
    from onnx import TensorProto

    given = {key: features[key] for key in ("mean", "std", "scale") if features.get(key) is not None}
    channels = network.taken.channels
    if network.taken.type == TensorProto.UINT8:
        if given:
            raise DataError(
                f"data.features.{next(iter(given))}: the backbone {network.name} takes bytes, and standardizes them "
                "on its own; leave mean, std and scale out"
            )
        return (0.0,) * channels, (1.0,) * channels, 1.0
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    if network.name == efficientnet_lite0.NAME:
        mean, std = efficientnet_lite0.MEAN, efficientnet_lite0.STD
    if channels == 1:
        mean, std = (sum(mean) / 3,), (sum(std) / 3,)  # type: ignore[assignment]
    for key in ("mean", "std"):
        if key in given and len(given[key]) not in (1, channels):
            raise DataError(
                f"data.features.{key}: expected {channels} numbers, one for each channel, got {len(given[key])}"
            )
    spread = {key: tuple(value) * (channels // len(value)) for key, value in given.items() if key != "scale"}
    return spread.get("mean", mean), spread.get("std", std), given.get("scale", SCALE)


def _size(fixed: tuple[int | None, int | None], given: tuple[int, int] | None, name: str) -> tuple[int, int]:
    """Return the rows and columns of the images."""
    wanted = given or (DEFAULT_SIDE, DEFAULT_SIDE)
    H, W = (side or other for side, other in zip(fixed, wanted, strict=True))
    if given is not None and given != (H, W):
        raise DataError(
            f"data.size: the backbone {name} takes images of {H} x {W}, not {given[0]} x {given[1]}; leave it out"
        )
    if max(H, W) > MAX_SIDE:
        raise DataError(f"{name}: the backbone takes images of {H} x {W}; up to {MAX_SIDE} x {MAX_SIDE} are possible")
    return H, W


def _shape(network: Network, spec: BackboneSpec) -> tuple[int, int, int]:
    """Return the shape of the features, from a trial with a gray image."""
    from cnntrain.backbones.runner import shape_of

    trial = Backbone(lambda: network, spec)
    raw = trial.runner.raw(np.full(spec.image_shape, 128, np.uint8))
    shape = shape_of(raw, network.name, spec.output)
    if not np.isfinite(raw).all():
        raise DataError(
            f"{network.name}: the features of a gray image are not finite numbers; check mean, std and scale"
        )
    return shape


def _numbers(values: tuple[float, ...]) -> str:
    return "[" + ", ".join(f"{value:.4g}" for value in values) + "]"
