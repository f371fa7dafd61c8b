"""The dictionary of explanations: every sentence in English and Chinese, for the terminal and for the page."""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Language = Literal["en", "zh"]


@cache
def dictionary() -> dict[str, dict[Language, str]]:
    """Return the sentences by key and language."""
    content: dict[str, dict[Language, str]] = json.loads(
        files("cnntrain.explain").joinpath("texts.json").read_text(encoding="utf-8")
    )
    return content


def sentence(key: str, language: Language, **values: Any) -> str:
    """Return a sentence with its values filled in."""
    return dictionary()[key][language].format(**values)
