"""What there is to know about data before a network for them is chosen."""

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
"""Images whose size is read, and images that are searched for colors."""
GRAY_TOLERANCE = 8
"""Of 255: channels that differ by less look gray."""
Size = tuple[int, int]
NO_NETWORK = {"input": [1, 1, 1], "layers": [{"fc": {"units": 1}}]}


@dataclass(frozen=True)
class Findings:
    """What was found."""

    source: dict[str, Any]
    """Keys of the section ``data`` that say where the samples are: ``source``, perhaps ``path``."""
    name: str
    shape: tuple[int, int, int]
    """(C, H, W) of an image, as the network will see it."""
    image_size: Size | None
    """Rows and columns of a middling image; None where no images are brought to another size."""
    is_gray: bool
    """Whether the images are gray, though they may be stored in color."""
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    """Samples of each class that are not set apart by the source itself."""
    has_test: bool
    """Whether the source itself says which samples are for the test."""
    has_validation: bool
    has_unreadable: bool
    """Whether there are images that cannot be read."""
    choices: tuple[str, ...] = ()
    """How the data were read where they could have been read otherwise, a line each."""

    @property
    def samples(self) -> int:
        """Samples that can be trained on, before any are held out."""
        return sum(self.counts)

    @property
    def present(self) -> tuple[int, ...]:
        """Samples of each class that has any."""
        return tuple(count for count in self.counts if count)

    @property
    def imbalance(self) -> float:
        """How many times larger the largest class is than the smallest."""
        present = self.present
        return max(present) / min(present)

    @property
    def can_hold_out_test(self) -> bool:
        """Whether the source can set test samples apart."""
        return "test" in SOURCES[self.source["source"]].model_fields


def source_of(word: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The keys of the section ``data`` for the samples that ``word`` names; paths are absolute.

    Args:
        word: A folder, a file or the name of a data set.
        overrides: ``KEY=VALUE`` words with keys of ``data``, which the section then holds, too.

    Raises:
        DataError: It names no data.
        ConfigError: An override is not understood.
        UsageError: An override is about something else.
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
    """Look at data.

    Args:
        source: Of ``source_of``.
        size_for: Chooses the (H, W) that images are brought to, from that of a middling one.
        fit: How they are brought to it, if that is not their own size.
        reporter: Who is told how far it is.

    Raises:
        DataError: There are none, or they cannot be used.
    """
    extra: dict[str, Any] = {"validation": 0}
    image_size, has_validation, has_unreadable = None, False, False
    if source["source"] == "images":
        folder = Path(source["path"])
        names = names_to_look_at(folder, source)
        image_size = median_size(folder, names)
        # The images are decoded as in training, which then finds them in the cache.
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
    """What to call the data: the folder, the file without its endings, or the name by which they are known."""
    if "path" not in source:
        return str(source["source"])
    path = Path(source["path"])
    return (path.name if path.is_dir() else path.name.partition(".")[0]) or "data"


def loaded(section: dict[str, Any], reporter: ProgressReporter) -> Data:
    """The data of a section ``data``."""
    options = SOURCES[section["source"]].model_validate(section)
    return load_data(**options.model_dump(), seed=0, reporter=reporter)


def names_to_look_at(folder: Path, source: dict[str, Any]) -> list[str]:
    """Some of the images in a folder that are trained on, evenly taken from all."""
    labels = source.get("labels")
    found = discover(folder, labels and Path(labels), source.get("label"), source.get("group"))
    names = [image.name for image in found.images if image.split in ("", "train")]
    return names[:: -(-len(names) // MAX_SAMPLES)]


def median_size(folder: Path, names: Sequence[str]) -> Size:
    """Medians of the rows and of the columns of images in a folder."""
    from cnntrain.data.image_folder.decode import sample_sizes  # imported late, for Pillow

    sizes = sample_sizes(folder, names, MAX_SAMPLES)
    rows, columns = zip(*sizes, strict=True) if sizes else ((64,), (64,))
    return int(median(rows)), int(median(columns))


def colors(folder: Path, names: Sequence[str], spec: ImageSpec) -> Images:
    """The pixels of images in a folder; black where one cannot be read."""
    from cnntrain.data.image_folder.parallel_decode import decode  # imported late, for Pillow

    return np.concatenate([part.pixels for part in decode(folder, names, spec, available_cores())])


def sample_of(dataset: Dataset) -> Images:
    """The pixels of some samples, evenly taken from all."""
    return dataset.gather(np.arange(0, len(dataset), -(-len(dataset) // MAX_SAMPLES)))


def is_gray(pixels: Images) -> bool:
    """Whether the channels of all images agree."""
    if pixels.dtype.kind != "u":
        pixels = np.rint(pixels * 255)
    difference = pixels.max(axis=1).astype(np.int16) - pixels.min(axis=1)
    return bool(difference.max() < GRAY_TOLERANCE)
