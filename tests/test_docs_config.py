"""docs/config.md agrees with the schema: every key, its names, values and default; its examples work."""

import re
from pathlib import Path

import pytest
import yaml

from cnntrain.config import load_config
from cnntrain.config.file import MAX_BYTES
from cnntrain.config.messages import expectation, properties
from cnntrain.config.schema.augmentation import AugmentationOptions
from cnntrain.config.schema.config import (
    SOURCES,
    AnyData,
    Cifar10Options,
    Cifar100Options,
    CsvOptions,
    IdxOptions,
    ImagesOptions,
    NamedOptions,
    NetworkOptions,
    NpzOptions,
    TrainingOptions,
)
from cnntrain.config.schema.entries import OPTIONS
from cnntrain.config.schema.features import FeaturesOptions
from cnntrain.config.yaml.reader import ALIASES, DEPTH, VALUES
from cnntrain.config.yaml.wording import either
from cnntrain.errors import ConfigError

PAGE = (Path(__file__).parent.parent / "docs" / "config.md").read_text(encoding="utf-8")
COMMON = set(AnyData.model_fields)
SECTIONS = {
    "data": (AnyData, set()),
    "source: idx": (IdxOptions, COMMON),
    "source: npz": (NpzOptions, COMMON),
    "source: mnist": (NamedOptions, COMMON),
    "source: cifar10": (Cifar10Options, COMMON),
    "source: cifar100": (Cifar100Options, COMMON),
    "source: csv": (CsvOptions, COMMON),
    "source: images": (ImagesOptions, COMMON - {"validation"}),
    "features": (FeaturesOptions, set()),
    "network": (NetworkOptions, set()),
    **{kind: (options, set()) for kind, options in OPTIONS.items()},
    "training": (TrainingOptions, set()),
    "augmentation": (AugmentationOptions, set()),
}
"""By heading: the part of the schema, and those of its keys that are in another table."""


def table(heading):
    """The rows of the table under a heading, by key."""
    (section,) = re.findall(rf"^#+ `{re.escape(heading)}`\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in rows}


def fences(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def allowed(heading, key):
    """What the messages say that a key may be."""
    model = SECTIONS[heading][0]
    if key == "source":
        return either(SOURCES)
    return expectation(properties(model)[key]) or "a mapping"


KEYS = [
    (heading, key) for heading, (model, others) in SECTIONS.items() for key in model.model_fields if key not in others
]


def test_every_source_and_table_is_of_the_schema():
    headings = set(re.findall(r"^#+ `(.*)`$", PAGE, re.MULTILINE))
    assert headings == set(SECTIONS)
    named = {"mnist", "fashion-mnist", "kmnist", "emnist-letters", "cifar10"}
    assert set(SOURCES) == {"digits", "idx", "npz", "cifar100", "csv", "images"} | named


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_tables_have_the_keys_of_the_schema_in_its_order(heading):
    assert list(table(heading)) == [key for place, key in KEYS if place == heading]


@pytest.mark.parametrize(("heading", "key"), KEYS)
def test_each_key_is_documented_with_its_names_values_and_default(heading, key):
    model = SECTIONS[heading][0]
    also, value, default, meaning = table(heading)[key]
    assert re.findall(r"`(.*?)`", also) == [name for name, short in model.long_names.items() if short == key]
    assert value == allowed(heading, key)
    assert meaning
    field = model.model_fields[key]
    if field.is_required():
        assert default == "needed"
    elif field.default is None:
        assert re.match(r"(as|by|from) |none$", default)
    else:
        documented = yaml.safe_load(default.strip("`"))
        assert (type(field.default)(**documented) if isinstance(documented, dict) else documented) == field.default


@pytest.mark.parametrize("example", fences("yaml"))
def test_the_examples_load(example, tmp_path):
    rest = "" if "network:" in example else "network: {layers: [fc: {activation: softmax}]}\n"
    rest += "" if "data:" in example or "input:" in example else "data: {source: digits}\n"
    (tmp_path / "a.yaml").write_text(example + rest, encoding="utf-8")
    assert load_config(tmp_path / "a.yaml")


def test_the_example_of_overrides_loads(tmp_path):
    (tmp_path / "a.yaml").write_text(fences("yaml")[0], encoding="utf-8")
    (command,) = fences("text")
    assert load_config(tmp_path / "a.yaml", command.split()[3:]).training.alpha == 0.001


def test_the_errors_of_the_faulty_example_are_those_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("configs").mkdir()
    (text,), (documented,) = fences("yaml wrong"), fences("text wrong")
    Path("configs/a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config("configs/a.yaml")
    assert str(caught.value) == documented.rstrip("\n")


def test_the_limits_are_those_of_the_reader():
    documented = " ".join(PAGE.split())
    assert f"at most {MAX_BYTES:,} bytes, {DEPTH} nested mappings and lists, {ALIASES} aliases" in documented
    assert f"and {VALUES:,} keys and values" in documented
