"""Render a recommendation as YAML, with the reason for each choice in a comment."""

import json
import os
import re
from pathlib import Path
from typing import Any

from cnntrain.autoconfig.inspect import Findings
from cnntrain.autoconfig.recommend import Line, Recommendation
from cnntrain.config.paths import is_path
from cnntrain.config.schema.config import SOURCES
from cnntrain.errors import visible

SCHEMA = "cnntrain.schema.json"
"""The JSON schema next to the config, from which editors complete and check it."""
PLAIN = re.compile(r"(\.{0,2}/|~/)?[A-Za-z_]([\w./ +-]*[\w/])?")
"""Text that needs no quotes in YAML."""
WORDS = {"true", "false", "null", "yes", "no", "on", "off"}
MAX_WIDTH = 48
"""Maximum width of the columns left of the reasons."""


def render(findings: Findings, recommendation: Recommendation, out: Path, header: list[str]) -> str:
    """Return the YAML text.

    Args:
        findings: The facts about the data, with their source.
        recommendation: The recommended config.
        out: The path of the file; paths in or near its folder are written relative to it.
        header: Comment lines at the top.
    """
    section = []
    for key, of in sorted(findings.source.items(), key=lambda item: item[0] not in ("source", "path")):
        reason = "" if key in ("source", "path") else "as given"
        if is_path(SOURCES[findings.source["source"]].model_fields[key].annotation):
            of, is_relative = path_from(Path(of), out.absolute().parent)
            reason = "relative to the folder of this file" if is_relative and key == "path" else reason
        section.append(Line(key, of, reason))
    section += [line for line in recommendation.data if line.key not in findings.source]
    rows = [
        ("data:", ""),
        *((f"  {line.key}: {value(line.value)}", line.reason) for line in section),
        *((f"  # {comment}", "") for comment in recommendation.comments),
        ("network:", ""),
        ("  layers:", ""),
        *((f"    - {line.key}: {value(line.value)}", line.reason) for line in recommendation.layers),
        ("training:", ""),
        *((f"  {line.key}: {value(line.value)}", line.reason) for line in recommendation.training),
    ]
    width = min(MAX_WIDTH, max(len(left) for left, reason in rows if reason)) + 2
    lines = []
    for left, reason in rows:
        if reason and len(left) > width - 2:
            lines += [f"{left[: len(left) - len(left.lstrip())]}# {reason}", left]
        else:
            lines.append(f"{left.ljust(width)}# {reason}" if reason else left)
    return (
        "\n".join(
            [f"# yaml-language-server: $schema={SCHEMA}", *(f"# {visible(line)}".rstrip() for line in header), *lines]
        )
        + "\n"
    )


def path_from(path: Path, folder: Path) -> tuple[str, bool]:
    """Return how a file in ``folder`` writes a path, and whether that is relative: for paths in or near the folder."""
    try:
        relative = os.path.relpath(path, folder)
    except ValueError:  # another Windows drive
        return str(path), False
    if relative.count("..") > 1:
        return str(path), False
    text = Path(relative).as_posix()
    return f"./{text}" if text.startswith("~") else text, True  # in a config, ~ is the home folder


def value(of: Any) -> str:
    """Return a value as YAML on one line."""
    match of:
        case dict():
            return "{" + ", ".join(f"{key}: {value(item)}" for key, item in of.items()) + "}"
        case list():
            return "[" + ", ".join(map(value, of)) + "]"
        case bool():
            return "true" if of else "false"
        case str() if PLAIN.fullmatch(of) and of.lower() not in WORDS:
            return of
        case str():
            return quoted(of)
        case _:
            return json.dumps(of)


def quoted(text: str) -> str:
    """Return text in double quotes, on one line: a name may hold quotes, line breaks and YAML syntax."""
    escaped = (f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(escaped)}"'
