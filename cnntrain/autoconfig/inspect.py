"""Inspect data: the facts from which a network is recommended."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from cnntrain.config import config_from_dict
from cnntrain.config.schema.config import SOURCES
from cnntrain.data import Data, Dataset, ProgressReporter, load_data
from cnntrain.data.detect_source import detect_source
from cnntrain.data.image_folder.discovery import discover
from cnntrain.data.image_spec import ImageSpec
from cnntrain.data.pixels import Images
from cnntrain.errors import DataError, UsageError, visible
from cnntrain.parallel import available_cores

MAX_SAMPLES = 500
"""Maximum number of images whose size or colors are examined."""
GRAY_TOLERANCE = 8
"""Maximum difference of channels, of 255, at which an image counts as gray."""
Size = tuple[int, int]
NO_NETWORK = {"input": [1, 1, 1], "layers": [{"fc": {"units": 1}}]}


@dataclass(frozen=True)
class Findings:
    """The facts about the data."""

    source: dict[str, Any]
    """The keys of the data section that locate the samples: ``source`` and perhaps ``path``."""
    name: str
    shape: tuple[int, int, int]
    """(C, H, W) of an image, as the network will get it."""
    image_size: Size | None
    """Median rows and columns of the images; None if images are not resized."""
    is_gray: bool
    """Whether the images are gray, even if stored in color."""
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    """Samples of each class, without those of the source's own test and validation split."""
    has_test: bool
    """Whether the source has a test split."""
    has_validation: bool
    """Whether the source has a validation split."""
    has_unreadable: bool
    """Whether some images cannot be read."""
    choices: tuple[str, ...] = ()
    """How ambiguous data were read, a line for each choice."""

    @property
    def samples(self) -> int:
        """Number of samples for training, before any are held out."""
        return sum(self.counts)

    @property
    def present(self) -> tuple[int, ...]:
        """Samples of each class that has samples."""
        return tuple(count for count in self.counts if count)

    @property
    def imbalance(self) -> float:
        """Ratio of the largest class to the smallest."""
        present = self.present
        return max(present) / min(present)

    @property
    def can_hold_out_test(self) -> bool:
        """Whether the source supports holding out test samples."""
        return "test" in SOURCES[self.source["source"]].model_fields


def source_of(word: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return the keys of the data section that locate the data named ``word``; paths are absolute.

    Args:
        word: A folder, a file or the name of a dataset.
        overrides: ``KEY=VALUE`` overrides of keys of ``data``, which are added to the section.

    Raises:
        DataError: ``word`` does not name data.
        ConfigError: An override is invalid.
        UsageError: An override is not about ``data``.
    """
    section = detect_source(word)
    if "path" in section:
        section["path"] = os.path.abspath(os.path.expanduser(section["path"]))
    if not overrides:
        return section
    for override in overrides:
        if "=" in override and not override.startswith("data."):
            raise UsageError(f"init takes keys of data, such as data.label=0, got {visible(override[:80])!r}")
    read = [_resolved(section, word, words) for words in ((), overrides)]
    named = {re.split(r"[.=\[]", override)[1] for override in overrides if override.startswith("data.")}
    given = {key: value for key, value in read[1].items() if key in named or value != read[0].get(key)}
    return section | given


def _resolved(section: dict[str, Any], name: str, overrides: Sequence[str]) -> dict[str, Any]:
    content = {"data": section, "network": NO_NETWORK}  # overrides apply to whole configs
    data: dict[str, Any] = config_from_dict(content, name, overrides).resolved()["data"]
    return data


def inspect(source: dict[str, Any], size_for: Callable[[Size], Size], fit: str, reporter: ProgressReporter) -> Findings:
    """Inspect data.

    Args:
        source: The result of ``source_of``.
        size_for: Function from the median (H, W) to the (H, W) that images are resized to.
        fit: How images are resized.
        reporter: The receiver of progress and notes.

    Raises:
        DataError: There are no data, or they cannot be used.
    """
    extra: dict[str, Any] = {"validation": 0}
    image_size, has_validation, has_unreadable = None, False, False
    if source["source"] == "images":
        folder = Path(source["path"])
        names = sample_names(folder, source)
        image_size = median_size(folder, names)
        # The images are decoded as in training, which will find them in the cache.
        H, W = source.get("size") or size_for(image_size)
        fit = source.get("fit") or (fit if image_size != (H, W) else "crop")
        spec = ImageSpec(3, H, W, fit)  # type: ignore[arg-type]
        channels = source.get("channels") or (1 if is_gray(colors(folder, names, spec)) else 3)
        extra |= {"test": 0, "size": [H, W], "fit": spec.fit, "channels": channels}
    if "split" in source:
        del extra["validation"], extra["test"]
    notes: list[str] = []
    try:
        data = loaded(source | extra, ProgressReporter(reporter.progress, notes.append))
    except DataError:
        if source["source"] != "images":
            raise
        notes.clear()
        data = loaded(source | extra | {"on_bad": "skip"}, ProgressReporter(reporter.progress, notes.append))
        has_unreadable = True
    for note in notes:
        reporter.note(note)
    if source["source"] == "images":
        has_validation = data.validation is not None
    return Findings(
        source=source,
        name=name_of(source),
        shape=data.input_shape,
        image_size=image_size,
        is_gray=is_gray(sample_of(data.train)),
        classes=data.classes,
        counts=tuple(data.train.counts(len(data.classes)).tolist()),
        has_test=data.test is not None,
        has_validation=has_validation,
        has_unreadable=has_unreadable,
        choices=data.choices,
    )


def name_of(source: dict[str, Any]) -> str:
    """Return a name for the data: that of the folder, of the file without suffixes, or of the dataset."""
    if "path" not in source:
        return str(source["source"])
    path = Path(source["path"])
    return (path.name if path.is_dir() else path.name.partition(".")[0]) or "data"


def loaded(section: dict[str, Any], reporter: ProgressReporter) -> Data:
    """Load the data of a data section."""
    options = SOURCES[section["source"]].model_validate(section)
    return load_data(**options.model_dump(), seed=0, reporter=reporter)


def sample_names(folder: Path, source: dict[str, Any]) -> list[str]:
    """Return the names of some training images in a folder, at even intervals."""
    labels = source.get("labels")
    discovered = discover(folder, labels and Path(labels), source.get("label"), source.get("group"))
    names = [image.name for image in discovered.images if image.split in ("", "train")]
    return names[:: -(-len(names) // MAX_SAMPLES)]


def median_size(folder: Path, names: Sequence[str]) -> Size:
    """Return the median rows and the median columns of images in a folder."""
    from cnntrain.data.image_folder.decode import sample_sizes  # imported late, for Pillow

    sizes = sample_sizes(folder, names, MAX_SAMPLES)
    rows, columns = zip(*sizes, strict=True) if sizes else ((64,), (64,))
    return int(median(rows)), int(median(columns))


def colors(folder: Path, names: Sequence[str], spec: ImageSpec) -> Images:
    """Return the pixels of images in a folder; unreadable images are black."""
    from cnntrain.data.image_folder.parallel_decode import decode  # imported late, for Pillow

    return np.concatenate([part.pixels for part in decode(folder, names, spec, available_cores())])


def sample_of(dataset: Dataset) -> Images:
    """Return the pixels of some samples, at even intervals."""
    return dataset.gather(np.arange(0, len(dataset), -(-len(dataset) // MAX_SAMPLES)))


def is_gray(pixels: Images) -> bool:
    """Return whether the channels of all images are nearly equal."""
    if pixels.dtype.kind != "u":
        pixels = np.rint(pixels * 255)
    difference = pixels.max(axis=1).astype(np.int16) - pixels.min(axis=1)
    return bool(difference.max() < GRAY_TOLERANCE)
