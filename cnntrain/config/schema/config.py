"""What a config may say: every key with its type, default and meaning."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_serializer, model_validator

from cnntrain.config.schema.layers import (
    AtLeastOne,
    BatchNormOptions,
    ConvOptions,
    DropoutOptions,
    FcOptions,
    LayerOptions,
    Options,
    PoolOptions,
)
from cnntrain.config.schema.numbers import Share
from cnntrain.config.schema.training import TrainingOptions
from cnntrain.config.yaml.locations import Locations
from cnntrain.config.yaml.nodes import Path as Place
from cnntrain.config.yaml.wording import either

Side = Annotated[int, Field(ge=1, le=4096)]
AnyPath = Annotated[Path, Field(strict=False)]
"""Text, in a file."""
URL = "^https?://[^/]"
Mirror = Annotated[str, Field(pattern=URL)]
Mirrors = Annotated[tuple[Mirror, ...], Field(min_length=1, strict=False)]


class AnyData(Options):
    """What every source of data has."""

    may_bring_validation: ClassVar[bool] = False
    """Whether there may be validation samples without a share being held out."""

    source: str = Field(description="the kind of data")
    validation: Share = Field(0.0, description="share of the training samples held out, to judge each epoch by")
    standardize: bool = Field(
        True, description="subtract the training set's mean and divide by its deviation, by channel"
    )


class DigitsOptions(AnyData):
    """``source: digits``, 8 x 8 handwritten digits that come with cnntrain."""

    source: Literal["digits"] = Field(description="the kind of data")


class IdxOptions(AnyData):
    """``source: idx``, a folder of files as MNIST has them."""

    source: Literal["idx"] = Field(description="the kind of data")
    path: AnyPath = Field(description="the folder")


class NpzOptions(AnyData):
    """``source: npz``, a file of NumPy arrays."""

    may_bring_validation: ClassVar[bool] = True

    source: Literal["npz"] = Field(description="the kind of data")
    path: AnyPath = Field(description="the file")
    layout: Literal["NHWC", "NCHW"] | None = Field(
        None, description="order of the axes, where the shape leaves it open"
    )


class NamedOptions(AnyData):
    """``source: mnist`` and other sets that are downloaded."""

    source: Literal["mnist", "fashion-mnist", "kmnist", "emnist-letters"] = Field(description="the kind of data")
    path: AnyPath | None = Field(None, description="a folder that holds the files; downloaded without")
    mirrors: Mirrors | None = Field(None, description="servers that are asked first")


class Cifar10Options(AnyData):
    """``source: cifar10``, downloaded, or a folder with the binary version of CIFAR-10."""

    source: Literal["cifar10"] = Field(description="the kind of data")
    path: AnyPath | None = Field(None, description="the folder, or the one above it; downloaded without")
    mirrors: Mirrors | None = Field(None, description="servers that are asked first")


class Cifar100Options(AnyData):
    """``source: cifar100``, a folder with the binary version of CIFAR-100."""

    source: Literal["cifar100"] = Field(description="the kind of data")
    path: AnyPath = Field(description="the folder, or the one above it")
    labels: Literal["fine", "coarse"] = Field("fine", description="which labels to learn: 100 fine or 20 coarse ones")


class CsvOptions(AnyData):
    """``source: csv``, a label and all pixels of an image on each line."""

    may_bring_validation: ClassVar[bool] = True

    source: Literal["csv"] = Field(description="the kind of data")
    path: AnyPath = Field(description="the file, or a folder with train.csv, validation.csv and test.csv")
    shape: Annotated[tuple[AtLeastOne, AtLeastOne, AtLeastOne], Field(strict=False)] | None = Field(
        None, description="[C, H, W] of an image; gray and square if not given"
    )
    label: int | str | None = Field(
        None, description="column of the labels: its name, or its place counted from 0; -1 is the last"
    )


class ImagesOptions(AnyData):
    """``source: images``, a folder of images, one subfolder a class."""

    may_bring_validation: ClassVar[bool] = True

    source: Literal["images"] = Field(description="the kind of data")
    path: AnyPath = Field(description="the folder")
    validation: Share = Field(
        0.1, description="share of the training samples held out, where the folder has no split for it"
    )
    test: Share | None = Field(
        None, description="share of the images set apart for the test; 0.2 where the folder has no splits"
    )
    split: AnyPath | None = Field(None, description="split.csv of an earlier run, to take the same images")
    labels: AnyPath | None = Field(None, description="CSV file with the name and the label of each image")
    label: str | None = Field(None, description="its column of labels")
    group: str | None = Field(
        None,
        description="what is never divided among training, validation and test: a column of labels, or a regular "
        "expression with one group in parentheses that is searched for in the path of an image",
    )
    size: Annotated[tuple[Side, Side], Field(strict=False)] | None = Field(
        None, description="[H, W]: rows and columns that every image is brought to"
    )
    channels: Literal[1, 3] = Field(3, description="1 for gray, 3 for color")
    fit: Literal["crop", "stretch", "pad"] = Field(
        "crop", description="how an image of other proportions is brought to size"
    )
    on_bad: Literal["error", "skip"] = Field("error", description="what to do about images that cannot be read")


SOURCES: dict[str, type[AnyData]] = {
    "digits": DigitsOptions,
    "idx": IdxOptions,
    "npz": NpzOptions,
    "mnist": NamedOptions,
    "fashion-mnist": NamedOptions,
    "kmnist": NamedOptions,
    "emnist-letters": NamedOptions,
    "cifar10": Cifar10Options,
    "cifar100": Cifar100Options,
    "csv": CsvOptions,
    "images": ImagesOptions,
}

DataOptions = Annotated[
    DigitsOptions
    | IdxOptions
    | NpzOptions
    | NamedOptions
    | Cifar10Options
    | Cifar100Options
    | CsvOptions
    | ImagesOptions,
    Field(discriminator="source"),
]


class LayerEntry(BaseModel):
    """One entry of ``network.layers``: a mapping with one key, the kind of the layer, and its options."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, json_schema_extra={"minProperties": 1, "maxProperties": 1}
    )

    conv: ConvOptions | None = Field(None, description="convolution")
    pool: PoolOptions | None = Field(None, description="pooling")
    fc: FcOptions | None = Field(None, description="fully connected")
    batch_norm: BatchNormOptions | None = Field(None, description="batch normalization")
    dropout: DropoutOptions | None = Field(None, description="values left out at random in training")

    @model_validator(mode="after")
    def _has_one_kind(self) -> "LayerEntry":
        given = [kind for kind in LayerEntry.model_fields if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(
                f"expected one of {either(LayerEntry.model_fields)} in each entry, got {' and '.join(given) or 'none'}"
            )
        return self

    @property
    def kind(self) -> str:
        """The key: ``conv``, ``pool`` and so on."""
        return next(kind for kind in LayerEntry.model_fields if getattr(self, kind) is not None)

    @property
    def options(self) -> LayerOptions:
        """What the entry says."""
        options: LayerOptions = getattr(self, self.kind)
        return options

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        return {self.kind: self.options.model_dump(mode="json", exclude_none=True)}


class NetworkOptions(Options):
    """``network``: the shape of the images and the layers that they go through."""

    input: Annotated[tuple[AtLeastOne, AtLeastOne, AtLeastOne], Field(strict=False)] | None = Field(
        None, description="[C, H, W]: channels, rows and columns of an image; taken from the data if not given"
    )
    layers: Annotated[tuple[LayerEntry, ...], Field(min_length=1, strict=False)] = Field(
        description="the layers, from the image to the output"
    )


class Config(Options):
    """A whole config; made by ``load_config``, which also checks what no single key shows."""

    data: DataOptions | None = Field(None, description="where the samples come from")
    network: NetworkOptions = Field(description="the network")
    training: TrainingOptions = Field(TrainingOptions(), description="how it is trained")

    _places: Locations = PrivateAttr(default_factory=Locations)

    @property
    def name(self) -> str:
        """Name of the file that it is from, without folder and ending; ``run`` if it is from none."""
        return self._places.name

    @property
    def original(self) -> str | None:
        """The file that it is from, comments and all, and behind them the overrides; None if it is from no file."""
        return self._places.original

    def where(self, path: Place) -> str:
        """Return where a value is written and what it is called, to begin an error with.

        Args:
            path: Its keys and places in lists, such as ``("network", "layers", 3, "conv")``.

        Returns:
            ``configs/a.yaml:12:15: layers[3].conv``; without the first part if the config is from no file.
        """
        return self._places.where(path)

    def resolved(self) -> dict[str, Any]:
        """Return the config as plain data: defaults filled in, aliases replaced, paths absolute."""
        return self.model_dump(mode="json", exclude_none=True)
