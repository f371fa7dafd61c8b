"""Checks whether layers and augmentation fit the images: on loading, and again once the data are known."""

from collections.abc import Sequence
from typing import NamedTuple

from cnntrain.config.schema.augmentation import AugmentationOptions
from cnntrain.config.schema.config import NetworkOptions
from cnntrain.config.schema.entries import LayerEntry
from cnntrain.config.yaml.nodes import Path
from cnntrain.errors import ShapeError
from cnntrain.types import Shape


class ShapeProblem(NamedTuple):
    """A layer or an augmentation that does not fit its input."""

    path: Path
    """For ``Config.where``."""
    sentence: str


def check_shapes(network: NetworkOptions, in_shape: Shape, units: int | None = None) -> list[ShapeProblem]:
    """Propagate a shape through the layers.

    Args:
        network: The network section of a config.
        in_shape: Shape ``(C, H, W)`` of an image.
        units: Default units of an ``fc``: the number of classes, if known.

    Returns:
        A list with the first layer that does not fit; empty if all fit.
    """
    return shape_problems(network.layers, in_shape, units or 1, ("network", "layers"))


def shape_problems(layers: Sequence[LayerEntry], shape: Shape, units: int, outer: Path) -> list[ShapeProblem]:
    """Return the first layer that does not fit its input, in a list of layers at the path ``outer``."""
    for index, layer in enumerate(layers):
        path: Path = (*outer, index, layer.kind)
        if layer.residual:
            inside = shape_problems(layer.residual.layers, shape, units, (*path, "layers"))
            if inside:
                return inside
            path = (*path, "shortcut")
        try:
            shape = layer.options.with_classes(units).output_shape(shape)
        except ShapeError as error:
            return [ShapeProblem(path, str(error))]
    return []


def check_augmentation(augmentation: AugmentationOptions, in_shape: Shape) -> list[ShapeProblem]:
    """Return each augmentation that does not apply to images of shape ``(C, H, W)``, or is too large for them."""
    C, H, W = in_shape
    gray = [
        ShapeProblem(("training", "augmentation", key), f"{key} changes colors, and the images are gray; leave it out")
        for key, amount in (("saturation", augmentation.saturation), ("hue", augmentation.hue))
        if amount and C != 3
    ]
    return gray + [
        ShapeProblem(
            ("training", "augmentation", key),
            f"{pixels} does not fit images of {H} x {W}: it must be smaller than {min(H, W)}",
        )
        for key, pixels in (("crop", augmentation.crop), ("cutout", augmentation.cutout))
        if pixels >= min(H, W)
    ]
