"""Reads the text of a config file."""

import codecs
import os
from pathlib import Path

from cnntrain.config.shipped import hint, shipped
from cnntrain.config.yaml.nodes import Mark
from cnntrain.config.yaml.problems import Problem, config_error
from cnntrain.errors import ConfigError, visible

MAX_BYTES = 1_000_000
"""Maximum size of a config file."""
FOREIGN = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""Byte order marks of other encodings; UTF-32 first, since its mark begins with that of UTF-16."""


def read_text(path: str | Path) -> str:
    """Return the text of a config file, without a byte order mark.

    Raises:
        ConfigError: The file does not exist, or is unreadable, too large or not UTF-8.
    """
    name = visible(str(path))
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{name}: there is no such file{hint(path)}") from None
    except IsADirectoryError:
        also = hint(path) if os.fspath(path) in shipped() else ""
        sentence = f"this is a folder, not a config file; `cnntrain init FOLDER` writes one{also}"
        raise ConfigError(f"{name}: {sentence}") from None
    except (OSError, ValueError) as error:  # ValueError: the name holds a NUL
        reason = error.strerror if isinstance(error, OSError) else "no file has such a name"
        raise ConfigError(f"{name}: cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise refusal(path, b"", f"the file is larger than {MAX_BYTES:,} bytes, the maximum for a config")
    for begin, encoding in FOREIGN.items():
        if content.startswith(begin):
            raise refusal(path, b"", f"the file is {encoding}; save it as UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        sentence = f"the byte 0x{content[error.start]:02x} is not UTF-8 text; is this a YAML file?"
        raise refusal(path, content[: error.start], sentence) from None


def refusal(path: str | Path, before: bytes, sentence: str) -> ConfigError:
    """Return an error at the position in the file after ``before``."""
    lines = before.decode("utf-8").split("\n")
    return config_error([Problem(Mark(str(path), len(lines), len(lines[-1]) + 1), "", sentence)])
