"""PyYAML's parser, and what it finds wrong with a text in plain words.

Only the pure Python parser will do: the C one dies on deep nesting.
"""

from collections.abc import Iterator

import yaml

from cnntrain.config.yaml.nodes import Mark, Origin

SENTENCES = {
    "could not find expected ':'": "a ':' is missing after a key",
    "mapping values are not allowed": "a ':' where no key can stand; begin a new line, or put quotes around text",
    "found character '\\t'": "a tab; indent with spaces",
    "found character": "a character that cannot begin a word; put quotes around text",
    "expected <block end>": "the indentation does not fit the lines above",
    "expected ',' or ']'": "a ',' or ']' is missing in the list",
    "expected ',' or '}'": "a ',' or '}' is missing in the mapping",
    "found unexpected end of stream": "the quotes are not closed",
    "found unexpected document separator": "the quotes are not closed",
    "found unknown escape character": "an unknown escape after '\\'; single quotes keep every '\\' as it is",
    "expected ' ', but found": "a space is missing",
    "sequence entries are not allowed": "a '-' where no list can stand; begin a new line",
    "expected the node content": "a value is missing",
}
"""By the beginning of PyYAML's own words; the most usual ones."""


class Unreadable(Exception):
    """The text cannot be read any further."""

    def __init__(self, mark: Mark, sentence: str):
        super().__init__(sentence)
        self.mark, self.sentence = mark, sentence


def events(text: str, origin: Origin) -> Iterator[yaml.Event]:
    """Yield the parser's events one by one.

    Raises:
        Unreadable: The text is not YAML from here on.
    """
    try:
        yield from yaml.parse(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise unreadable(error, origin) from None
    except yaml.reader.ReaderError as error:
        line, column = text.count("\n", 0, error.position), error.position - text.rfind("\n", 0, error.position) - 1
        sentence = f"the character {chr(error.character)!r} is not text; is this a YAML file?"
        raise Unreadable(origin.mark(line, column), sentence) from None
    except (ValueError, OverflowError):
        # PyYAML 6.0 lets these through from "\\U99999999" and from a %YAML version of thousands of digits.
        raise Unreadable(origin.mark(0, 0), "not valid YAML: an escape or version beyond all bounds") from None


def unreadable(error: yaml.MarkedYAMLError, origin: Origin) -> Unreadable:
    """Return the error in plain words."""
    found = error.problem or error.context or "something is wrong here"
    sentence = next((plain for begin, plain in SENTENCES.items() if found.startswith(begin)), found)
    at, begin = error.problem_mark or error.context_mark, error.context_mark
    if origin.numbered and begin and sentence.endswith(("the list", "the mapping", "not closed")):
        sentence += f"; the beginning is at {begin.line + 1}:{begin.column + 1}"
    return Unreadable(origin.mark(at.line, at.column) if at else origin.mark(0, 0), f"not valid YAML: {sentence}")
