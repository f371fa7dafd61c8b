"""Do the layers fit the image? Asked when a config is loaded, and by the builder once the data are known."""

from typing import NamedTuple

from cnntrain.config.schema.augmentation import AugmentationOptions
from cnntrain.config.schema.config import NetworkOptions
from cnntrain.config.yaml.nodes import Path
from cnntrain.errors import ShapeError
from cnntrain.types import Shape


class ShapeProblem(NamedTuple):
    """A layer, or a change of the images, that does not fit the image that comes to it."""

    path: Path
    """For ``Config.where``."""
    sentence: str


def check_shapes(network: NetworkOptions, in_shape: Shape, units: int | None = None) -> list[ShapeProblem]:
    """Thread a shape through the layers.

    Args:
        network: The layers.
        in_shape: ``(C, H, W)`` of an image.
        units: Of an ``fc`` that leaves them to the data: the number of classes, if it is known.

    Returns:
        The first layer that does not fit, and nothing if all do. Those after a misfit get no shape to be held against.
    """
    shape = in_shape
    for index, layer in enumerate(network.layers):
        try:
            shape = layer.options.with_classes(units or 1).output_shape(shape)
        except ShapeError as error:
            return [ShapeProblem(("network", "layers", index, layer.kind), str(error))]
    return []


def check_augmentation(augmentation: AugmentationOptions, in_shape: Shape) -> list[ShapeProblem]:
    """Return each change of the images that is too large for images of ``(C, H, W)``."""
    _, H, W = in_shape
    return [
        ShapeProblem(
            ("training", "augmentation", key),
            f"{pixels} does not fit images of {H} x {W}: it must be smaller than {min(H, W)}",
        )
        for key, pixels in (("crop", augmentation.crop), ("cutout", augmentation.cutout))
        if pixels >= min(H, W)
    ]
