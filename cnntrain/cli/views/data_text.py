"""Tables and lines that ``cnntrain data`` prints."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.table import Table

from cnntrain.cli.views.tables import add_columns, bytes_text, choice_lines, plain_table, shape_text
from cnntrain.config.schema.config import SOURCES, AnyData
from cnntrain.data.cache_folder import ENVIRONMENT_VARIABLE, cache_folder
from cnntrain.data.downloads.fetch import folder_of, is_cached
from cnntrain.data.downloads.registry import REGISTRY
from cnntrain.data.image_folder.cache_cleanup import features_folder, images_folder, own_files
from cnntrain.evaluation.display_names import visible

MAX_CHANNELS = 8
"""Channels whose mean and standard deviation are listed; of more, the range is."""
MAX_CLASSES = 100
"""Classes that are listed; ``--json`` has them all."""


def known_sources() -> list[dict[str, Any]]:
    """Return what is known of each source without loading it, for ``cnntrain data list --json``."""
    return [_about(name, options) for name, options in SOURCES.items()]


def _about(name: str, options: type[AnyData]) -> dict[str, Any]:
    named = REGISTRY.get(name)
    if named is None:
        what = (options.__doc__ or "").strip().partition(", ")[2].rstrip(".")
        return {"source": name, "what": what, "named": False}
    return {
        "source": name,
        "what": named.what,
        "named": True,
        "train": named.train,
        "test": named.test,
        "image_shape": list(named.shape),
        "classes": list(named.classes),
        "download_bytes": named.size,
        "cached": is_cached(named),
        "path": str(folder_of(named)),
        "license": named.license,
        "page": named.page,
    }


def cache_sizes() -> dict[str, Any]:
    """Return the disk usage of the cache, for ``cnntrain data list --json``."""
    downloads = 0
    for named in REGISTRY.values():
        for name in named.cached_files:
            with suppress(OSError):
                downloads += (folder_of(named) / name).stat().st_size
    return {
        "downloads_bytes": downloads,
        "decoded_images": _usage(images_folder()),
        "features": _usage(features_folder()),
    }


def _usage(folder: Path) -> dict[str, Any]:
    """Return the disk usage of our files in a folder."""
    files = list(own_files(folder))
    return {"path": str(folder), "files": len(files), "bytes": sum(file.bytes for file in files)}


def cache_lines(sizes: dict[str, Any]) -> list[str]:
    """Return lines on the cache: its path and sizes."""
    return [
        f"cache: {cache_folder()} (the environment variable {ENVIRONMENT_VARIABLE} names another)",
        f"downloads: {bytes_text(sizes['downloads_bytes'])}",
        _usage_line("decoded images", sizes["decoded_images"]),
        *([_usage_line("features", sizes["features"])] if sizes["features"]["files"] else []),
    ]


def _usage_line(what: str, usage: dict[str, Any]) -> str:
    files = "1 file" if usage["files"] == 1 else f"{usage['files']} files"
    hint = "; `cnntrain data clear` removes them" if usage["files"] else ""
    return f"{what}: {bytes_text(usage['bytes'])} in {files}{hint}"


def sources_table(sources: list[dict[str, Any]]) -> Table:
    """Return a table of the sources."""
    table = plain_table()
    add_columns(table, "left", "source")
    table.add_column("what", overflow="fold")
    for source in sources:
        table.add_row(source["source"], source["what"])
    return table


def downloads_table(sources: list[dict[str, Any]]) -> Table:
    """Return a table of the named datasets."""
    table = plain_table()
    add_columns(table, "left", "downloads")
    add_columns(table, "right", "images", "size", "classes", "bytes")
    add_columns(table, "left", "cached")
    for source in sources:
        if source["named"]:
            table.add_row(
                source["source"],
                f"{source['train']:,} + {source['test']:,}",
                shape_text(source["image_shape"]),
                str(len(source["classes"])),
                bytes_text(source["download_bytes"]),
                "yes" if source["cached"] else "no",
            )
    return table


def facts_lines(result: dict[str, Any]) -> list[str]:
    """Return the lines above the table of classes."""
    samples = ", ".join(f"{count:,} {split}" for split, count in result["samples"].items() if count is not None)
    channels = len(result["mean"])
    named = None if result["path"] else REGISTRY.get(result["source"])
    about = f": {named.what}; license: {named.license}; {named.page}" if named else ""
    sizes = result["image_sizes"]
    of = "" if channels == 1 else " of each channel"
    whose = "features of training images" if result.get("features") else "pixels in 0..1, training images"
    return [
        f"source     {result['source']}" + (f": {result['path']}" if result["path"] else about),
        f"samples    {samples}; {len(result['classes'])} classes",
        *choice_lines(result["choices"], len("source     ")),
        f"images     {shape_text(result['image_shape'])} (channels x rows x columns), {result['pixels']}",
        *([f"files      {_sizes(sizes)}"] if sizes else []),
        f"mean       {_numbers(result['mean'])}{of}, {whose}",
        f"std        {_numbers(result['std'])}",
    ]


def classes_table(result: dict[str, Any]) -> Table:
    """Return a table with the number of samples per class and split."""
    table = plain_table()
    splits = [split for split, count in result["samples"].items() if count is not None]
    add_columns(table, "right", "")
    table.add_column("class", overflow="fold")
    add_columns(table, "right", *splits)
    for i, row in enumerate(result["classes"][:MAX_CLASSES]):
        table.add_row(str(i), visible(row["name"]), *(f"{row[split]:,}" for split in splits))
    more = len(result["classes"]) - MAX_CLASSES
    if more > 0:
        table.add_row("", f"and {more:,} more; --json lists them all")
    return table


def _sizes(sizes: dict[str, Any]) -> str:
    smallest, middle, largest = (shape_text(sizes[which]) for which in ("smallest", "median", "largest"))
    if smallest == largest:
        return f"all {smallest} (rows x columns)"
    return f"{smallest} to {largest} (rows x columns), in the middle {middle}"


def _numbers(values: list[float]) -> str:
    if len(values) > MAX_CHANNELS:
        return f"{min(values):.4f} to {max(values):.4f}"
    return " ".join(f"{value:.4f}" for value in values)
