"""``data.features``: a pretrained network that turns each image into features, once."""

from typing import Annotated, Literal

from pydantic import Field

from cnntrain.backbones.spec import MAX_VIEWS
from cnntrain.config.schema.options import Number, Options, Positive

Channels = Annotated[tuple[Number, ...], Field(min_length=1, max_length=3, strict=False)]
PositiveChannels = Annotated[tuple[Positive, ...], Field(min_length=1, max_length=3, strict=False)]
Views = Annotated[int, Field(ge=1, le=MAX_VIEWS)]


class FeaturesOptions(Options):
    """``data.features``: frozen features of a pretrained network."""

    backbone: str = Field(description="efficientnet-lite0, or the path of an ONNX file of an image classifier")
    output: str | None = Field(
        None, description="tensor of the ONNX graph that holds the features; found if it is a classifier"
    )
    scale: Positive | None = Field(
        None, description="factor of the pixels 0..255 before mean and std; 1/255 by default, for pixels in 0..1"
    )
    mean: Channels | None = Field(None, description="mean of each channel of scaled pixels; ImageNet's by default")
    std: PositiveChannels | None = Field(
        None, description="standard deviation of each channel of scaled pixels; ImageNet's by default"
    )
    order: Literal["rgb", "bgr"] = Field("rgb", description="order of the color channels that the backbone takes")
    views: Views = Field(
        1, description="versions of each training image, mirrored and cropped; each epoch draws one of them"
    )
