"""Rich's console as a command wants it."""

import textwrap
from collections.abc import Iterator
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from cnntrain.errors import visible

_WIDTH_OFF_TERMINAL = 1000
"""Columns where no terminal sets a limit: a file or a pipe wants whole lines."""


class CommandConsole(Console):
    """A console that takes all text literally: ``[conv]`` or ``:x:`` in a message is no markup, and no escape acts.

    Args:
        stream: Where to print.
        live: Move the cursor and use colors even if the stream is no terminal.
    """

    def __init__(self, stream: TextIO, live: bool = False) -> None:
        super().__init__(file=stream, force_terminal=live or None, markup=False, emoji=False, highlight=False)
        if not stream.isatty():
            self.width = _WIDTH_OFF_TERMINAL

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as one line, with what a terminal would act on made visible: it may be anybody's name."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render, with what a terminal would act on made visible in all text that does not come as a string."""
        for segment in super().render(renderable, options):
            lines = segment.text.split("\n")
            if segment.control or all(line.isprintable() for line in lines):
                yield segment
            else:
                yield segment._replace(text="\n".join(map(visible, lines)))

    def print(self, *objects: Any, crop: bool = False, **options: Any) -> None:
        """Print; what is wider than the terminal is wrapped by it, not cut."""
        super().print(*objects, crop=crop, **options)

    def print_sentence(self, line: str | Text) -> None:
        """Print a line that a narrow terminal breaks between words, not within one: a path stays whole."""
        text = Text(line) if isinstance(line, str) else line
        for part in textwrap.wrap(visible(text.plain), self.width, break_long_words=False, break_on_hyphens=False):
            self.print(Text(part, text.style), soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Leave the BrokenPipeError to the command; Rich would exit with status 1, which says "a bug"."""
        raise
