"""``cnntrain explain``."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnntrain.cli.commands.eval import Split
from cnntrain.cli.config_argument import note_which_config
from cnntrain.cli.options import JsonOption, Overrides
from cnntrain.cli.views.terminal import errors_as_messages, print_json, print_note, results
from cnntrain.errors import StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from cnntrain.explain.texts import Language

    Explained = tuple[dict[str, Any], Iterator[Text]]


class LanguageName(StrEnum):
    """A language of explanations."""

    EN = "en"
    ZH = "zh"


SourceArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="RUN|CONFIG",
        help="Run folder, .safetensors file, YAML file or name of a bundled config.",
        callback=note_which_config,
        show_default=False,
    ),
]
SampleOption = Annotated[
    int | None,
    typer.Option("--sample", metavar="N", help="Index of the sample in its split. Default: 0.", show_default=False),
]
SplitOption = Annotated[
    Split | None,
    typer.Option(
        "--split", help="Split of the sample. Default: test, else validation, else train.", show_default=False
    ),
]
LayerOption = Annotated[
    str | None,
    typer.Option(
        "--layer",
        metavar="I",
        help="Explain layer I in numbers: the index in network.layers, or I.J inside a residual entry.",
        show_default=False,
    ),
]
FilterOption = Annotated[
    int | None,
    typer.Option(
        "--filter",
        metavar="K",
        help="Filter, channel or unit of the layer. Default: that with the largest |delta|.",
        show_default=False,
    ),
]
AtOption = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="R,C",
        help="Row and column of a pixel of the layer's input, or the index of a vector's entry. Default: where |delta| "
        "is largest.",
        show_default=False,
    ),
]
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page that explores all layers, offline.", show_default=False),
]
LanguageOption = Annotated[LanguageName, typer.Option("--lang", help="Language: English or Chinese.")]
ExamplesOption = Annotated[
    bool, typer.Option("--examples", help="Explain the article's worked examples instead of a network.")
]


def explain(
    source: SourceArgument = None,
    overrides: Overrides = None,
    sample: SampleOption = None,
    split: SplitOption = None,
    layer: LayerOption = None,
    filter: FilterOption = None,
    at: AtOption = None,
    html: HtmlOption = None,
    language: LanguageOption = LanguageName.EN,
    examples: ExamplesOption = False,
    json: JsonOption = False,
) -> None:
    """Show forward and backward pass of one sample in numbers.

    Without --layer: one line per layer. All numbers are the engine's, in float64; each printed sum is recomputed from
    its operands by the literal formulas. Exit status 3: one of them differs.
    """
    with errors_as_messages():
        pixel = _parse_at(at)
        if layer is None and (filter is not None or pixel is not None):
            raise UsageError("--filter and --at need --layer")
        _check_free(html)
        if examples:
            if source is not None or layer is not None or sample is not None or split is not None:
                raise UsageError(
                    "--examples explains the article's examples: leave out RUN|CONFIG, --sample, --split and --layer"
                )
            explained = _explain_examples(html, language.value)
        else:
            wanted = layer, filter, pixel
            explained = _explain_sample(
                source, overrides or [], split and split.value, sample or 0, wanted, html, language.value
            )
        result, lines = explained
        if json:
            print_json(result)
            return
        console = results()
        _note_encoding(language, console.encoding)
        for line in lines:
            console.print(line)


def _note_encoding(language: LanguageName, encoding: str) -> None:
    """Note that the output cannot show Chinese letters."""
    try:
        "\u4e2d".encode(encoding if language is LanguageName.ZH else "utf-8")
    except UnicodeEncodeError:
        print_note(f"{encoding}, the encoding of the output, has no Chinese letters; PYTHONUTF8=1 sets UTF-8")


def _explain_examples(html: Path | None, language: "Language") -> "Explained":
    # imported late: `cnntrain --help` needs none of it
    from cnntrain.cli.views.explain_text import examples_lines
    from cnntrain.explain.examples import explain_examples

    result = explain_examples()
    if html is None:
        return result, examples_lines(result, language)
    from cnntrain.explain.page.html import examples_page

    return _written(html, examples_page(language), result, language)


def _explain_sample(
    source: Path | None,
    overrides: list[str],
    split: str | None,
    sample: int,
    wanted: tuple[str | None, int | None, tuple[int, ...] | None],
    html: Path | None,
    language: "Language",
) -> "Explained":
    if source is None:
        raise UsageError("missing argument RUN|CONFIG: a run folder, a YAML file or the name of a bundled config")
    # imported late: `cnntrain --help` needs none of it
    from cnntrain.cli.views.explain_text import layer_lines, sample_lines
    from cnntrain.cli.views.progress_view import open_reporter
    from cnntrain.explain.explanation import explain_layer, explain_sample
    from cnntrain.explain.subject import load_subject

    with open_reporter() as reporter:
        subject = load_subject(source, overrides, split, sample, reporter)
    layer, filter, at = wanted
    result = explain_sample(subject) if layer is None else explain_layer(subject, layer, filter, at)
    if html is None:
        return result, sample_lines(result, language) if layer is None else layer_lines(result, language)
    from cnntrain.explain.page.html import sample_page

    return _written(html, sample_page(subject, language, layer, filter, at), result, language)


def _check_free(path: Path | None) -> None:
    """Refuse to replace anything but a page that explain wrote."""
    if path is None or not os.path.lexists(path):
        return
    from cnntrain.explain.page.html import is_page

    if path.is_dir():
        raise UsageError(f"--html {path}: this is a folder; name a file, such as {path / 'page.html'}")
    if not is_page(path):
        raise UsageError(f"--html {path}: this file is no page of explain, so it is not replaced; name another file")


def _written(path: Path, page: str, result: dict[str, Any], language: "Language") -> "Explained":
    from cnntrain.cli.views.explain_text import page_lines
    from cnntrain.storage import write_file

    content = page.encode()
    try:
        write_file(path, content)
    except OSError as error:
        raise StorageError(f"--html {path}: the page cannot be written: {error.strerror or error}") from error
    result = {**result, "html": str(path), "bytes": len(content)}
    return result, page_lines(result, language)


def _parse_at(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise UsageError(f"--at: expected a row and a column such as 4,5, or one whole number, got {text[:80]!r}")
    return tuple(map(int, parts))
