"""``cnntrain explain``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnntrain.cli.commands.eval import Split
from cnntrain.cli.config_argument import note_which_config
from cnntrain.cli.options import JsonOption, Overrides
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results
from cnntrain.errors import UsageError

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
SampleOption = Annotated[int, typer.Option("--sample", metavar="N", help="Index of the sample in its split.")]
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
LanguageOption = Annotated[LanguageName, typer.Option("--lang", help="Language: English or Chinese.")]
ExamplesOption = Annotated[
    bool, typer.Option("--examples", help="Explain the article's worked examples instead of a network.")
]


def explain(
    source: SourceArgument = None,
    overrides: Overrides = None,
    sample: SampleOption = 0,
    split: SplitOption = None,
    layer: LayerOption = None,
    filter: FilterOption = None,
    at: AtOption = None,
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
        result, lines = (
            _examples(source, layer, language.value)
            if examples
            else _sample(source, overrides or [], split and split.value, sample, (layer, filter, pixel), language.value)
        )
        if json:
            print_json(result)
            return
        console = results()
        for line in lines:
            console.print(line)


def _examples(source: Path | None, layer: str | None, language: "Language") -> "Explained":
    if source is not None or layer is not None:
        raise UsageError("--examples explains the article's examples: leave out RUN|CONFIG and --layer")
    # imported late: `cnntrain --help` needs none of it
    from cnntrain.cli.views.explain_text import examples_lines
    from cnntrain.explain.examples import explain_examples

    result = explain_examples()
    return result, examples_lines(result, language)


def _sample(
    source: Path | None,
    overrides: list[str],
    split: str | None,
    sample: int,
    wanted: tuple[str | None, int | None, tuple[int, ...] | None],
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
    if layer is None:
        result = explain_sample(subject)
        return result, sample_lines(result, language)
    result = explain_layer(subject, layer, filter, at)
    return result, layer_lines(result, language)


def _parse_at(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise UsageError(f"--at: expected a row and a column such as 4,5, or one whole number, got {text[:80]!r}")
    return tuple(map(int, parts))
