"""The sections of a config: every key with its type, default and meaning."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, PrivateAttr

from cnntrain.config.schema.entries import LayerEntry
from cnntrain.config.schema.features import FeaturesOptions
from cnntrain.config.schema.options import AtLeastOne, AtLeastZero, Options, Share
from cnntrain.config.schema.training import TrainingOptions
from cnntrain.config.writer import to_yaml
from cnntrain.config.yaml.locations import Locations
from cnntrain.config.yaml.nodes import Path as Place

Side = Annotated[int, Field(ge=1, le=4096)]
Sides = Side | Annotated[tuple[Side, Side], Field(strict=False)]
Size = Annotated[
    tuple[Side, Side],
    Field(strict=False),
    BeforeValidator(lambda side: (side, side) if type(side) is int else side, json_schema_input_type=Sides),
]
"""``[H, W]``, or one number for both."""
AnyPath = Annotated[Path, Field(strict=False)]
"""A string in a file."""
URL = "^https?://[^/]"
Mirror = Annotated[str, Field(pattern=URL)]
Mirrors = Annotated[tuple[Mirror, ...], Field(min_length=1, strict=False)]


class AnyData(Options):
    """Keys that all data sources share."""

    may_bring_validation: ClassVar[bool] = False
    """Whether the source may have a validation split of its own."""

    source: str = Field(description="the kind of data")
    validation: Share = Field(0.0, description="share of the training samples held out for validation")
    standardize: bool = Field(
        True, description="subtract the training set's mean and divide by its standard deviation, per channel"
    )


class DigitsOptions(AnyData):
    """``source: digits``, 8 x 8 handwritten digits that come with cnntrain."""

    source: Literal["digits"] = Field(description="the kind of data")


class IdxOptions(AnyData):
    """``source: idx``, a folder of IDX files, the format of MNIST."""

    source: Literal["idx"] = Field(description="the kind of data")
    path: AnyPath = Field(description="the folder")


class NpzOptions(AnyData):
    """``source: npz``, a file of NumPy arrays."""

    may_bring_validation: ClassVar[bool] = True

    source: Literal["npz"] = Field(description="the kind of data")
    path: AnyPath = Field(description="the file")
    layout: Literal["NHWC", "NCHW"] | None = Field(None, description="order of the axes where the shape is ambiguous")


class NamedOptions(AnyData):
    """``source: mnist`` and other datasets that are downloaded."""

    source: Literal["mnist", "fashion-mnist", "kmnist", "emnist-letters"] = Field(description="the kind of data")
    path: AnyPath | None = Field(None, description="a folder with the files; downloaded if not given")
    mirrors: Mirrors | None = Field(None, description="servers to try first")


class Cifar10Options(AnyData):
    """``source: cifar10``, downloaded, or a folder with the binary version of CIFAR-10."""

    source: Literal["cifar10"] = Field(description="the kind of data")
    path: AnyPath | None = Field(None, description="the folder, or the one above it; downloaded if not given")
    mirrors: Mirrors | None = Field(None, description="servers to try first")


class Cifar100Options(AnyData):
    """``source: cifar100``, a folder with the binary version of CIFAR-100."""

    source: Literal["cifar100"] = Field(description="the kind of data")
    path: AnyPath = Field(description="the folder, or the one above it")
    labels: Literal["fine", "coarse"] = Field(
        "fine", description="which labels to learn: 100 fine or 20 coarse classes"
    )


class CsvOptions(AnyData):
    """``source: csv``, a label and the pixels of one image per line."""

    may_bring_validation: ClassVar[bool] = True

    source: Literal["csv"] = Field(description="the kind of data")
    path: AnyPath = Field(description="the file, or a folder with train.csv, validation.csv and test.csv")
    shape: Annotated[tuple[AtLeastOne, AtLeastOne, AtLeastOne], Field(strict=False)] | None = Field(
        None, description="[C, H, W] of an image; gray and square if not given"
    )
    label: int | str | None = Field(
        None, description="column of the labels: its name, or its index from 0; -1 is the last"
    )


class ImagesOptions(AnyData):
    """``source: images``, a folder of images, one subfolder per class."""

    may_bring_validation: ClassVar[bool] = True

    source: Literal["images"] = Field(description="the kind of data")
    path: AnyPath = Field(description="the folder")
    validation: Share = Field(
        0.1, description="share of the training samples held out for validation, where the folder has no such split"
    )
    test: Share | None = Field(
        None, description="share of the images held out for testing; 0.2 by default where the folder has no splits"
    )
    split: AnyPath | None = Field(None, description="split.csv of an earlier run, to use the same splits")
    labels: AnyPath | None = Field(None, description="CSV file with the name and label of each image")
    label: str | None = Field(None, description="its label column")
    group: str | None = Field(
        None,
        description="groups that stay within one split: a column of the labels file, or a regular expression with one "
        "capturing group that is searched for in each image's path",
    )
    size: Size | None = Field(
        None, description="rows and columns [H, W] that all images are resized to; a single number stands for both"
    )
    channels: Literal[1, 3] = Field(3, description="1 for gray, 3 for color")
    fit: Literal["crop", "stretch", "pad"] = Field("crop", description="how to resize an image of another aspect ratio")
    on_bad: Literal["error", "skip"] = Field("error", description="what to do with unreadable images")
    features: FeaturesOptions | None = Field(
        None, description="pretrained network that turns each image into features, which the layers get"
    )


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


class NetworkOptions(Options):
    """``network``: the shape of the images and the layers."""

    input: Annotated[tuple[AtLeastOne, AtLeastOne, AtLeastOne], Field(strict=False)] | None = Field(
        None, description="[C, H, W]: channels, rows and columns of an image; defaults to the data's"
    )
    layers: Annotated[tuple[LayerEntry, ...], Field(min_length=1, strict=False)] = Field(
        description="the layers, from input to output"
    )
    start_from: AnyPath | None = Field(
        None, description="a run or a .safetensors file whose weights the layers that they fit begin with"
    )
    start_digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$", examples=["<64 hexadecimal digits>"])] | None = Field(
        None, description="SHA-256 of the weights that were taken; each run with start_from records it"
    )
    freeze: AtLeastZero = Field(0, description="number of entries, from the first on, that are not trained")


class Config(Options):
    """A whole config, as returned by ``load_config``, which also validates what no single key shows."""

    data: DataOptions | None = Field(None, description="where the samples come from")
    network: NetworkOptions = Field(description="the network")
    training: TrainingOptions = Field(TrainingOptions(), description="how it is trained")

    _locations: Locations = PrivateAttr(default_factory=Locations)

    def __repr__(self) -> str:
        return to_yaml(self).rstrip()

    __str__ = __repr__

    def _repr_html_(self) -> str:
        from html import escape  # imported late: only notebooks need it

        return f"<pre>{escape(repr(self))}</pre>"

    def __dir__(self) -> list[str]:
        return ["data", "name", "network", "resolved", "training"]

    @property
    def name(self) -> str:
        """Name of the config's file without folder and suffix; ``run`` if it is from no file."""
        return self._locations.name

    @property
    def original(self) -> str | None:
        """Text of the config's file with all comments, then the overrides; None if it is from no file."""
        return self._locations.original

    def where(self, path: Place) -> str:
        """Return where a value is written and what it is called, as the beginning of an error message.

        Args:
            path: Its keys and list indices, such as ``("network", "layers", 3, "conv")``.

        Returns:
            ``configs/a.yaml:12:15: layers[3].conv``; without the first part if the config is from no file.
        """
        return self._locations.where(path)

    def resolved(self) -> dict[str, Any]:
        """Return the config as plain data: defaults filled in, aliases replaced, paths absolute."""
        return self.model_dump(mode="json", exclude_none=True)
