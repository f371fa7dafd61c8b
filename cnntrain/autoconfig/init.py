"""``cnntrain init``: inspect the data, recommend a config, write it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnntrain.autoconfig.inspect import Findings, inspect, name_of, source_of
from cnntrain.autoconfig.pretrained import chooses_features
from cnntrain.autoconfig.recommend import FIT, NetworkSize, Recommendation, image_size, is_character, recommend
from cnntrain.autoconfig.render import SCHEMA, render
from cnntrain.autoconfig.time_budget import fit_into
from cnntrain.backbones.backbone import lite0_spec
from cnntrain.builder import build_shaped
from cnntrain.config import load_config
from cnntrain.config.json_schema import schema_text
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.errors import UsageError
from cnntrain.storage import is_taken, write_new


def init(
    word: str,
    out: Path | None = None,
    reporter: ProgressReporter = NO_PROGRESS,
    overrides: Sequence[str] = (),
    side: int | None = None,
    size: NetworkSize | None = None,
    minutes: float | None = None,
) -> dict[str, Any]:
    """Write a config for the data that ``word`` names.

    Args:
        word: A folder of images or data files, a file, or the name of a dataset.
        out: The file to write; by default ``NAME.yaml`` in the current folder.
        reporter: The receiver of progress and notes.
        overrides: ``KEY=VALUE`` overrides of keys of ``data``, which are also written into the config.
        side: Rows and columns that images of a folder are resized to; by default at most 64.
        size: Size of a network from scratch; by default medium, or pretrained features where they are better.
        minutes: Time that training may take on this computer; by default the number of epochs follows from the data.

    Returns:
        The JSON object that ``cnntrain init --json`` prints.

    Raises:
        UsageError: The file exists or cannot be written, or an argument does not apply to the data.
        DataError: The data are missing or malformed.
        ConfigError: An override is invalid.
    """
    source = source_of(word, overrides)
    if side is not None:
        if source["source"] != "images":
            raise UsageError(f"--size is for folders of images, and {source['source']} has images of one size")
        source = source_of(word, [*overrides, f"data.size={side}"])
    path = Path(f"{name_of(source)}.yaml") if out is None else out
    check(path)
    findings = inspect(source, image_size, FIT, reporter)
    choices, recommendation = findings.choices, recommend(findings, size)
    if size is not None or source.get("size") is not None:
        choices = (*choices, *without_features(findings, recommendation, size))
    if minutes is not None and any(line.key == "features" for line in recommendation.data):
        span = f"{minutes:g} minute{'' if minutes == 1 else 's'}"
        choices = (*choices, f"time: not {span} but moments, since features are computed once")
    elif minutes is not None:
        recommendation, sentence = fit_into(minutes, findings, size, reporter)
        choices = (*choices, sentence)
    header = [f"{summary(findings)}. Written by cnntrain init.", *choices]
    write(path, render(findings, recommendation, path, header))
    schema = write_schema(path.absolute().parent)
    config = load_config(path)
    features = getattr(config.data, "features", None)
    channels = 1 if findings.is_gray and findings.image_size else findings.shape[0]
    shape = image_shape = (channels, *findings.shape[1:])
    if features is not None:  # chosen only for the backbone of which everything is known
        spec = lite0_spec(None, features.views)
        shape, image_shape = spec.shape, spec.image_shape
    network = build_shaped(config, shape, len(findings.classes))
    return {
        "config": str(path),
        "schema": None if schema is None else str(schema),
        "found": summary(findings),
        "choices": list(choices),
        "source": findings.source["source"],
        "path": findings.source.get("path"),
        "image_shape": list(image_shape),
        "features": None if features is None else features.backbone,
        "samples": findings.samples,
        "classes": dict(zip(findings.classes, findings.counts, strict=True)),
        "has_test": findings.has_test,
        "has_validation": findings.has_validation,
        "parameters": network.layout.trainable_count,
        "Max": config.training.Max,
    }


def without_features(findings: Findings, chosen: Recommendation, size: NetworkSize | None) -> list[str]:
    """Return the sentence on pretrained features that a size rules out; none if they are chosen or not better."""
    free = replace(findings, source={key: value for key, value in findings.source.items() if key != "size"})
    if any(line.key == "features" for line in chosen.data) or not chooses_features(free, is_character(free)):
        return []
    given = " and ".join([*(["the size"] if "size" in findings.source else []), *([f"--{size}"] if size else [])])
    return [f"network: from scratch, because of {given}; pretrained features are better for so few images"]


def summary(findings: Findings) -> str:
    """Return the findings in one line."""
    fewest, most = min(findings.present), max(findings.present)
    each = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    color = "gray" if findings.is_gray else "color" if findings.shape[0] == 3 else f"{findings.shape[0]} channels"
    H, W = findings.image_size or findings.shape[1:]
    sizes = f"about {H} x {W}" if findings.image_size else f"{H} x {W}"
    counts = f"{findings.samples:,} images of {len(findings.present):,} classes, {each} each"
    return f"{findings.name}: {counts}; {color}, {sizes}"


def check(path: Path) -> None:
    """Raise UsageError if ``path`` exists or its folder does not."""
    if is_taken(path):
        raise UsageError(f"{path} exists; cnntrain init overwrites no file: name another with --out FILE")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.absolute().parent}")


def write_schema(folder: Path) -> Path | None:
    """Write the JSON schema next to the config and return its path; None if the file exists."""
    path = folder / SCHEMA
    try:
        write_new(path, schema_text().encode())
    except OSError:  # only editors use it
        return None
    return path


def write(path: Path, text: str) -> None:
    """Write a new file; never overwrite one that was created in the meantime."""
    try:
        write_new(path, text.encode())
    except FileExistsError:
        check(path)
        raise
    except OSError as error:
        raise UsageError(f"{path}: the file cannot be written: {error.strerror}") from error
