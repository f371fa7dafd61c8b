"""docs/sweep.md: its example loads, its table has every key, and the mistakes shown are reported."""

import re
from pathlib import Path

import pytest

from cnntrain.config.schema.sweep import SweepOptions
from cnntrain.config.sweep.search import REFUSED
from cnntrain.config.sweep.sweep_file import load_sweep
from cnntrain.errors import ConfigError

PAGE = (Path(__file__).parent.parent / "docs" / "sweep.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"^```yaml sweep\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_example_loads(tmp_path):
    (tmp_path / "s.yaml").write_text(EXAMPLE, encoding="utf-8")
    sweep = load_sweep(tmp_path / "s.yaml")
    assert set(sweep.settled()) == set(SweepOptions.model_fields)


def test_the_table_has_every_key_with_its_default():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE.partition("## On the command line")[0], re.MULTILINE))
    assert rows.keys() == SweepOptions.model_fields.keys()
    for key in ("method", "wave", "seed", "halving"):
        default = SweepOptions.model_fields[key].default
        assert rows[key].strip("`") == str(default).lower()


def test_the_mistakes_are_reported_as_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ["base: digits", "search:", "  training.alfa: [1, 2]", "  training.batch_size: [16, 32, many]"]
    Path("photos-sweep.yaml").write_text("\n".join(lines), encoding="utf-8")
    (documented,) = re.findall(r"^```text errors\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    with pytest.raises(ConfigError) as caught:
        load_sweep("photos-sweep.yaml")
    assert f"{caught.value}\n" == documented


@pytest.mark.parametrize(
    "word", re.findall(r"`((?:training|layers)\.[\w.]+=[^`]*)`", PAGE.partition("## How trials")[0])
)
def test_the_words_are_understood(word):
    assert load_sweep("digits", [word, "training.l2=0,1"]).dimensions


def test_keys_that_cannot_vary_are_named():
    for key in ("data.path", "data.validation", "training.workers"):
        assert key in REFUSED
        assert f"`{key}`" in PAGE
