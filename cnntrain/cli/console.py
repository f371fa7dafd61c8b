"""Rich's console as a command wants it."""

from typing import TextIO

from rich.console import Console

_WIDTH_OFF_TERMINAL = 1000
"""Columns where no terminal sets a limit: a file or a pipe wants whole lines."""


class CommandConsole(Console):
    """A console that takes all text literally: ``[conv]`` or ``:x:`` in a message is no markup.

    Args:
        stream: Where to print.
        live: Move the cursor and use colours even if the stream is no terminal.
    """

    def __init__(self, stream: TextIO, live: bool = False) -> None:
        super().__init__(file=stream, force_terminal=live or None, markup=False, emoji=False, highlight=False)
        if not stream.isatty():
            self.width = _WIDTH_OFF_TERMINAL

    def on_broken_pipe(self) -> None:
        """Leave the BrokenPipeError to the command; Rich would exit with status 1, which says "a bug"."""
        raise
