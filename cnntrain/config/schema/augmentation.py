"""``training.augmentation``: random changes of the training images, new ones in each epoch."""

from typing import Annotated

from pydantic import Field

from cnntrain.config.schema.options import AtLeastZero, Options

Degrees = Annotated[float, Field(ge=0, le=180, allow_inf_nan=False)]
Factor = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


class AugmentationOptions(Options):
    """Limits of the random changes of a training image; 0 and false disable them."""

    horizontal_flip: bool = Field(False, description="flip half of the images left to right")
    vertical_flip: bool = Field(False, description="flip half of the images upside down")
    crop: AtLeastZero = Field(0, description="shift the image by up to this many pixels in each direction")
    rotation: Degrees = Field(0.0, description="rotate by up to this many degrees in either direction")
    brightness: Factor = Field(0.0, description="multiply all pixels by a factor between 1 - b and 1 + b")
    contrast: Factor = Field(
        0.0, description="multiply distances from the image's mean by a factor between 1 - c and 1 + c"
    )
    cutout: AtLeastZero = Field(0, description="side in pixels of a square that is filled with the mean color")

    @property
    def changes_nothing(self) -> bool:
        """Whether all changes are disabled."""
        return self == AugmentationOptions()
