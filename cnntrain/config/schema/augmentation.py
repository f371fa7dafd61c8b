"""``training.augmentation``: how training images are changed at random, each time anew."""

from typing import Annotated

from pydantic import Field

from cnntrain.config.schema.layers import AtLeastZero, Options

Degrees = Annotated[float, Field(ge=0, le=180, allow_inf_nan=False)]
Factor = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


class AugmentationOptions(Options):
    """How far a training image is changed each time it is used; 0 and false leave it as it is."""

    horizontal_flip: bool = Field(False, description="mirror half of the images left to right")
    vertical_flip: bool = Field(False, description="turn half of the images upside down")
    crop: AtLeastZero = Field(0, description="move the image by up to as many pixels, each way")
    rotation: Degrees = Field(0.0, description="rotate by up to as many degrees, either way")
    brightness: Factor = Field(0.0, description="multiply all pixels by one factor between 1 - b and 1 + b")
    contrast: Factor = Field(
        0.0, description="multiply distances from the image's mean by a factor between 1 - c and 1 + c"
    )
    cutout: AtLeastZero = Field(0, description="side of a square that is filled with the mean color, in pixels")

    @property
    def changes_nothing(self) -> bool:
        """Whether every image stays as it is."""
        return self == AugmentationOptions()
