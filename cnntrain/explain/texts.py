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


def translated(text: str, language: Language) -> str:
    """Return the words of a formula or the name of a matrix; what has no words is the same in every language."""
    key = f"formula: {text}"
    return dictionary()[key][language] if key in dictionary() else text


def labeled(label: str, text: str, language: Language) -> str:
    """Return a text after its label and a colon."""
    return sentence("labeled", language, label=label, text=text)


def in_parentheses(text: str, language: Language) -> str:
    """Return a text in parentheses, as it follows another."""
    return sentence("in_parentheses", language, text=text)
