"""``cnntrain data``: list, download and inspect image data, and clear the cache."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnntrain.cli.options import JsonOption, Overrides, ProgressMode, ProgressOption
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results
from cnntrain.errors import UsageError

if TYPE_CHECKING:
    from cnntrain.config import Config
    from cnntrain.data import Data
    from cnntrain.data.downloads.registry import DatasetInfo

data = typer.Typer(
    name="data", no_args_is_help=True, rich_markup_mode=None, help="List, download and inspect image data."
)

NamesArgument = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="Named datasets, such as mnist.", show_default=False)
]
MirrorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--mirror",
        metavar="URL",
        help="Server to try first, with the files under URL/ or URL/NAME/. Can be repeated.",
        show_default=False,
    ),
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="Named dataset, folder, data file, or YAML file with a data section.",
        show_default=False,
    ),
]
SheetOption = Annotated[
    Path | None,
    typer.Option(
        "--sheet",
        metavar="FILE",
        help="Write a contact sheet, some images of each class, to this new PNG file.",
        show_default=False,
    ),
]


@data.command("list", epilog="Example: cnntrain data list")
def list_sources(json: JsonOption = False) -> None:
    """List data sources, cached datasets and the size of the cache."""
    with errors_as_messages():
        from cnntrain.cli.views.data_text import (
            cache_lines,
            cache_sizes,
            downloads_table,
            known_sources,
            sources_table,
        )  # imported late: `cnntrain --help` needs none of it
        from cnntrain.data.cache_folder import cache_folder

        sources, sizes = known_sources(), cache_sizes()
        if json:
            print_json({"cache": str(cache_folder()), **sizes, "sources": sources})
            return
        results().print(sources_table(sources))
        results().print()
        results().print(downloads_table(sources))
        results().print()
        for line in cache_lines(sizes):
            results().print_sentence(line)


@data.command("clear", epilog="Example: cnntrain data clear")
def clear(json: JsonOption = False) -> None:
    """Remove decoded images and features from the cache.

    Downloads stay, and so does every file that cnntrain did not write. Images are decoded again when next used.
    A run that is using them is not disturbed.
    """
    with errors_as_messages():
        from cnntrain.cli.views.tables import bytes_text  # imported late: `cnntrain --help` needs none of it
        from cnntrain.data.image_folder.cache_cleanup import features_folder, images_folder, own_files, remove

        folder, features = images_folder(), features_folder()
        for place in (folder, features):
            if place.is_symlink():
                raise UsageError(f"{place}: this is a link; nothing is removed from its target")
        of_images, of_features = remove(own_files(folder)), remove(own_files(features))
        removed = of_images + of_features
        size = sum(file.bytes for file in removed)
        kept = [*own_files(folder), *own_files(features)]
        if json:
            print_json(
                {
                    "path": str(folder),
                    "removed": [{"path": str(file.path), "bytes": file.bytes} for file in removed],
                    "bytes": size,
                    "in_use": [str(file.path) for file in kept],
                }
            )
            return
        for what, place, gone in (("decoded images", folder, of_images), ("features", features, of_features)):
            if gone or place == folder:
                files = "1 file" if len(gone) == 1 else f"{len(gone)} files"
                amount = bytes_text(sum(file.bytes for file in gone))
                results().print(f"removed {files} of {what}, {amount}, from {place}", soft_wrap=True)
        for file in kept:
            results().print(f"{file.path} is in use by another process and was kept", soft_wrap=True)


@data.command("fetch", epilog="Example: cnntrain data fetch mnist fashion-mnist")
def fetch(
    names: NamesArgument,
    mirror: MirrorOption = None,
    progress: ProgressOption = ProgressMode.AUTO,
    json: JsonOption = False,
) -> None:
    """Download named datasets into the cache and verify them.

    Files that are already in the cache are not downloaded again.
    """
    with errors_as_messages():
        from cnntrain.cli.views.progress_view import open_reporter
        from cnntrain.cli.views.tables import bytes_text
        from cnntrain.data.downloads.fetch import fetch

        chosen = [_named(name) for name in names]
        mirrors = [_mirror(url) for url in mirror or ()]
        fetched: list[dict[str, Any]] = []
        for named in chosen:
            with open_reporter(progress) as reporter:
                folder = fetch(named, mirrors, reporter.progress)
            size = sum((folder / name).stat().st_size for name in named.cached_files)
            fetched.append({"source": named.name, "path": str(folder), "bytes": size})
            if not json:
                results().print(f"{named.name}: {folder} ({bytes_text(size)})", soft_wrap=True)
        if json:
            print_json({"fetched": fetched})


@data.command("info", epilog="Example: cnntrain data info photos --sheet photos.png")
def info(
    source: SourceArgument,
    overrides: Overrides = None,
    sheet: SheetOption = None,
    progress: ProgressOption = ProgressMode.AUTO,
    json: JsonOption = False,
) -> None:
    """Show classes, sizes and pixel statistics of image data.

    With --sheet, also draw a contact sheet.
    """
    with errors_as_messages():
        from cnntrain.builder import load_config_data
        from cnntrain.cli.views.data_text import classes_table, facts_lines
        from cnntrain.cli.views.progress_view import open_reporter
        from cnntrain.data.statistics import describe_data, image_sizes

        if sheet is not None:
            _check_sheet(sheet)
        config = _config_of(source, overrides or [])
        if config.data is None:
            raise UsageError(f"{source}: this config has no data section")
        with open_reporter(progress) as reporter:
            data = load_config_data(config, reporter=reporter)
        path = getattr(config.data, "path", None)
        result = {"source": config.data.source, "path": None if path is None else str(path), **describe_data(data)}
        result["image_sizes"] = None if path is None else image_sizes(data, path)
        if sheet is not None:
            _draw(sheet, source, data)
            result["sheet"] = str(sheet)
        if json:
            print_json(result)
            return
        for line in facts_lines(result):
            results().print_sentence(line)
        results().print()
        results().print(classes_table(result))


def _named(name: str) -> "DatasetInfo":
    from cnntrain.config.yaml.wording import did_you_mean
    from cnntrain.data.downloads.registry import REGISTRY

    if name not in REGISTRY:
        hint = did_you_mean(name, REGISTRY) or f"; available: {', '.join(REGISTRY)}"
        raise UsageError(f"there is no dataset named {name[:80]!r} to fetch{hint}")
    return REGISTRY[name]


def _mirror(url: str) -> str:
    from cnntrain.config.schema.config import URL

    if not re.match(URL, url):
        raise UsageError(f"--mirror: expected a URL that begins with http:// or https://, got {url[:80]!r}")
    return url


def _config_of(source: str, overrides: list[str]) -> "Config":
    """Return a config with the data section that ``source`` stands for, and a placeholder network."""
    from cnntrain.config import config_from_dict, load_config
    from cnntrain.data.detect_source import detect_source

    if Path(source).suffix.lower() in (".yaml", ".yml"):
        return load_config(source, overrides)
    network = {"input": [1, 1, 1], "layers": [{"fc": {"units": 1}}]}
    return config_from_dict({"data": detect_source(source), "network": network}, source, overrides)


def _check_sheet(path: Path) -> None:
    """Check the path of the sheet before any work is done."""
    if path.suffix.lower() != ".png":
        raise UsageError(f"{path}: a contact sheet is a PNG file; its name must end in .png")
    from cnntrain.storage import is_taken

    if is_taken(path):
        raise UsageError(f"{path} already exists and is not overwritten; choose another name or remove it")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.absolute().parent}")


def _draw(path: Path, source: str, data: "Data") -> None:
    from cnntrain.cli.views.terminal import messages
    from cnntrain.data.contact_sheet import contact_sheet
    from cnntrain.data.fonts import missing_note
    from cnntrain.storage import write_new

    title = f"{source}: {len(data.classes)} classes, {len(data.train):,} training images of "
    title += " x ".join(map(str, data.input_shape))
    try:
        write_new(path, contact_sheet(title, data.train, data.classes))
    except FileExistsError:  # created meanwhile
        _check_sheet(path)
        raise
    if note := missing_note([title, *data.classes]):
        messages().print_sentence(note)
