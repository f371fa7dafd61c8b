"""What ``cnntrain doctor`` prints: a line for each check, and what to do about it."""

import textwrap
from typing import Any

from rich.text import Text

from cnntrain.cli.views.console import CommandConsole
from cnntrain.errors import visible

STYLES = {"pass": "green", "warn": "bold yellow", "fail": "bold red"}
INDENT = 6
"""Columns of the status."""
NAME = 25
"""Columns of the name of a check."""


def print_report(report: dict[str, Any], seconds: float, console: CommandConsole) -> None:
    """Print all checks, then how many passed."""
    for check in report["checks"]:
        lines = _wrapped(check["text"], console.width - INDENT - NAME)
        style = STYLES[check["status"]]
        name = f"{check['check']:{NAME}}"
        console.print(Text.assemble((f"{check['status']:{INDENT}}", style), name, lines[0]), soft_wrap=True)
        for line in lines[1:]:
            console.print(Text(" " * (INDENT + NAME) + line), soft_wrap=True)
        for i, line in enumerate(_wrapped(check["advice"] or "", console.width - INDENT - NAME - 2)):
            if line:
                mark = "> " if i == 0 else "  "
                console.print(Text(" " * (INDENT + NAME) + mark + line, style), soft_wrap=True)
    counts = report["counts"]
    total = sum(counts.values())
    parts = [f"{counts['pass']} of {total} checks passed"]
    parts += [f"{counts['warn']} {'warning' if counts['warn'] == 1 else 'warnings'}"] if counts["warn"] else []
    parts += [f"{counts['fail']} failed"] if counts["fail"] else []
    style = STYLES["fail" if counts["fail"] else "warn" if counts["warn"] else "pass"]
    console.print_sentence(Text(f"{', '.join(parts)}, in {seconds:.1f} s", style))


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(visible(text), max(width, 20), break_long_words=False, break_on_hyphens=False) or [""]
