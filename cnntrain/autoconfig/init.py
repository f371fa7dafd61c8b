"""``cnntrain init``: look at data, choose, write."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnntrain.autoconfig.inspect import Findings, inspect, name_of, source_of
from cnntrain.autoconfig.recommend import FIT, image_size, recommend
from cnntrain.autoconfig.render import SCHEMA, render
from cnntrain.builder import build_shaped
from cnntrain.config import load_config
from cnntrain.config.json_schema import schema_text
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.errors import UsageError
from cnntrain.storage import is_taken, write_new


def init(
    word: str, out: Path | None = None, reporter: ProgressReporter = NO_PROGRESS, overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """Write a config for the data that ``word`` names.

    Args:
        word: A folder of images or data files, a file, or the name of a data set.
        out: The file; by default ``NAME.yaml`` in the current folder.
        reporter: Who is told how far it is.
        overrides: ``KEY=VALUE`` words with keys of ``data``; they are used, and written into the config.

    Returns:
        What ``cnntrain init --json`` prints.

    Raises:
        UsageError: The file is there already, or cannot be written.
        DataError: The data are missing or malformed.
    """
    source = source_of(word, overrides)
    path = Path(f"{name_of(source)}.yaml") if out is None else out
    check(path)
    found = inspect(source, image_size, FIT, reporter)
    header = [f"{summary(found)}. Written by cnntrain init.", *found.choices]
    write(path, render(found, recommend(found), path, header))
    schema = write_schema(path.absolute().parent)
    config = load_config(path)
    channels = 1 if found.is_gray and found.image_size else found.shape[0]
    network = build_shaped(config, (channels, *found.shape[1:]), len(found.classes))
    return {
        "config": str(path),
        "schema": None if schema is None else str(schema),
        "found": summary(found),
        "choices": list(found.choices),
        "source": found.source["source"],
        "path": found.source.get("path"),
        "image_shape": [channels, *found.shape[1:]],
        "samples": found.samples,
        "classes": dict(zip(found.classes, found.counts, strict=True)),
        "has_test": found.has_test,
        "has_validation": found.has_validation,
        "parameters": network.layout.trainable_count,
        "Max": config.training.Max,
    }


def summary(found: Findings) -> str:
    """What was found, in a line."""
    fewest, most = min(found.present), max(found.present)
    each = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    color = "gray" if found.is_gray else "color" if found.shape[0] == 3 else f"{found.shape[0]} channels"
    H, W = found.image_size or found.shape[1:]
    sizes = f"about {H} x {W}" if found.image_size else f"{H} x {W}"
    return f"{found.name}: {found.samples:,} images of {len(found.present):,} classes, {each} each; {color}, {sizes}"


def check(path: Path) -> None:
    """Raise UsageError if ``path`` cannot become a new file."""
    if is_taken(path):
        raise UsageError(f"{path} is there already, and no file is overwritten; name another with --out FILE")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.absolute().parent}")


def write_schema(folder: Path) -> Path | None:
    """Write the schema that the config names beside it, and return its path; None if there is such a file already."""
    path = folder / SCHEMA
    try:
        write_new(path, schema_text().encode())
    except OSError:  # only editors miss it
        return None
    return path


def write(path: Path, text: str) -> None:
    """Write a new file; one that has come in the meantime stays as it is."""
    try:
        write_new(path, text.encode())
    except FileExistsError:
        check(path)
        raise
    except OSError as error:
        raise UsageError(f"{path}: the file cannot be written: {error.strerror}") from error
