"""docs/security.md states the limits that the code has."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from cnntrain.errors import ConfigError, DataError, WeightsError

PAGE = (Path(__file__).parent.parent / "docs" / "security.md").read_text(encoding="utf-8")
(TABLE,) = re.findall(r"^\| what \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines()]
LIMITS = {
    "config": (
        "file.MAX_BYTES",
        "yaml.reader.DEPTH",
        "yaml.reader.ALIASES",
        "yaml.reader.VALUES",
        "yaml.scalars.DIGITS",
    ),
    "data.formats": (
        "decompress.DEFLATE_LIMIT",
        "decompress.IMAGE_LIMIT",
        "csv_lines.MAX_LINE",
        "csv_lines.TEXT_LIMIT",
    ),
    "weights.safetensors_file": ("MAX_HEADER", "MAX_TENSORS", "MAX_AXES"),
}
"""Some that must not be forgotten."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_limit_is_the_one_in_the_code(row):
    _, limit, where, _ = row
    module, name = where.strip("`").rsplit(".", 1)
    value = getattr(import_module(f"cnntrain.{module}"), name)
    assert f"{value:,}" == limit.split()[0]


def test_no_limit_is_forgotten():
    documented = {row[2].strip("`") for row in ROWS}
    assert len(documented) == len(ROWS)
    assert documented >= {f"{part}.{name}" for part, names in LIMITS.items() for name in names}


def test_other_figures_are_those_of_the_code():
    from cnntrain.data.formats.decompress import IMAGE_LIMIT_FROM

    assert f"images of more than {IMAGE_LIMIT_FROM:,} bytes" in PAGE
    documented = f"{ConfigError.exit_code} for configs, {DataError.exit_code} for data, 5 for weights"
    assert documented in " ".join(PAGE.split())
    assert WeightsError.exit_code == 5
    fuzzer = (Path(__file__).parent / "fuzz" / "fuzz.py").read_text(encoding="utf-8")
    assert re.search("^[A-Z_]+, [A-Z_]+ = 5, 500$", fuzzer, re.MULTILINE)
    assert "more than 5 seconds and a process of more than 500 MB" in " ".join(PAGE.split())
