"""Images of a CSV file for prediction; labels are optional, as in the test set of a competition."""

import math
from pathlib import Path

import numpy as np

from cnntrain.data.formats.csv_columns import Shape, in_name_order, is_label_or_index, settle, some, unlike_others
from cnntrain.data.formats.csv_edges import edges
from cnntrain.data.formats.csv_lines import READ_ERRORS, open_csv
from cnntrain.data.formats.csv_text import CsvText
from cnntrain.errors import DataError, reason_of
from cnntrain.types import Array

MAX_VALUE = 1 << 24
"""Larger values are not pixels and are clipped; up to here float32 represents integers exactly."""


def read_images(path: Path, shape: Shape, label: int | str | None = None) -> tuple[Array, list[str]]:
    """Return the images, and names of the columns that are not pixels.

    Args:
        path: The file.
        shape: (C, H, W) of an image.
        label: The label column in the training data: its name or index.

    Shape:
        ``(N, C, H, W)``: int32 if all values are integers, otherwise float32.

    Raises:
        DataError: The file is malformed, or the pixel columns are ambiguous.
    """
    try:
        with open_csv(path) as stream:
            text = CsvText(path, stream)
            others = _other_columns(text, shape, label)
            pixels = [i for i in range(text.columns) if i not in others]
            if text.header is not None:
                pixels = in_name_order(text.header, pixels)
            content, is_whole = bytearray(), True
            for values, _, _ in text.blocks(pixels, pixels[0]):
                is_whole = is_whole and bool((values == np.rint(values)).all())
                content += values.clip(-MAX_VALUE, MAX_VALUE).astype(np.float32).tobytes()
    except READ_ERRORS as error:
        raise DataError(f"{path}: the gzip file is damaged: {reason_of(error)}") from None
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read: {error.strerror or error}") from None
    if not content:
        raise DataError(f"{path} holds a header, and no images")
    images = np.frombuffer(content, np.float32).reshape(-1, *shape)
    named = [f"column {i}" + (f", {text.header[i]!r}" if text.header is not None else "") for i in others]
    return images.astype(np.int32) if is_whole else images, named


def _other_columns(text: CsvText, shape: Shape, label: int | str | None) -> list[int]:
    """Return the columns that are not pixels, by name or by the label column of the training data."""
    names, pixels = text.header, math.prod(shape)
    extra = text.columns - pixels
    found: list[int] = []
    if names is not None:
        found = unlike_others(names)
        if len(found) == len(names):
            found = [i for i, name in enumerate(names) if name == label or is_label_or_index(name)]
    elif extra == 1:
        if isinstance(label, int):
            found = [label % text.columns]
        else:
            found = [settle(text, None, shape, lambda begin: edges(text.path, begin)).label]
    if len(found) != extra:
        header = f"; its header names {some(names)}" if names is not None else ""
        raise DataError(
            f"{text.path} has {text.columns:,} columns, {len(found):,} of them no pixels, but the network takes "
            f"{pixels:,} pixels ({' x '.join(map(str, shape))}){header}"
        )
    return found
