"""``training.augmentation``: random changes of the training images, new ones in each epoch."""

from typing import Annotated, ClassVar

from pydantic import Field

from cnntrain.config.schema.options import AtLeastZero, NonNegative, Options

Degrees = Annotated[float, Field(ge=0, le=180, allow_inf_nan=False)]
HueShare = Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Factor = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


class AugmentationOptions(Options):
    """Limits of the random changes of a training image; 0 and false disable them."""

    long_names: ClassVar[dict[str, str]] = {"random_erasing": "erasing"}

    horizontal_flip: bool = Field(False, description="flip half of the images left to right")
    vertical_flip: bool = Field(False, description="flip half of the images upside down")
    crop: AtLeastZero = Field(0, description="shift the image by up to this many pixels in each direction")
    rotation: Degrees = Field(0.0, description="rotate by up to this many degrees in either direction")
    brightness: Factor = Field(0.0, description="multiply all pixels by a factor between 1 - b and 1 + b")
    contrast: Factor = Field(
        0.0, description="multiply distances from the image's mean by a factor between 1 - c and 1 + c"
    )
    saturation: Factor = Field(
        0.0, description="color images: multiply distances from gray by a factor between 1 - s and 1 + s"
    )
    hue: HueShare = Field(
        0.0, description="color images: shift the hue by up to this share of the color circle in either direction"
    )
    scale: Factor = Field(0.0, description="enlarge the image by a factor between 1 - s and 1 + s")
    cutout: AtLeastZero = Field(0, description="side in pixels of a square that is filled with the mean color")
    erasing: Probability = Field(
        0.0, description="probability that a random rectangle, 2 to 33 % of the image, is filled with the mean color"
    )
    mixup: NonNegative = Field(
        0.0, description="blend two images and their labels; the shares are drawn from Beta(mixup, mixup)"
    )
    cutmix: NonNegative = Field(
        0.0, description="paste a rectangle of another image; its share of the area is drawn from Beta(cutmix, cutmix)"
    )

    @property
    def changes_nothing(self) -> bool:
        """Whether all changes are disabled."""
        return self == AugmentationOptions()

    @property
    def changes_single_images(self) -> bool:
        """Whether an image is changed other than by mixing it with another one."""
        return not self.model_copy(update={"mixup": 0.0, "cutmix": 0.0}).changes_nothing

    @property
    def mixes_images(self) -> bool:
        """Whether images and their labels are mixed in pairs."""
        return bool(self.mixup or self.cutmix)
