"""Commands as they can be pasted into a shell."""

import os
import shlex


def command(*words: str) -> str:
    """Return a command line; a word with characters that cannot be shown has them as escapes: ``$'a\\x1bc.yaml'``."""
    return " ".join(map(quoted, words))


def quoted(word: str) -> str:
    """Return one word as bash and zsh read it."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = "".join(f"\\{c}" if c in "'\\" else c if c.isprintable() else _bytes(c) for c in word)
    return f"$'{escaped}'"


def _bytes(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))
