"""What ``init`` writes reads back to the same path and values, whatever a folder is called."""

import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cnntrain.autoconfig.inspect import Findings
from cnntrain.autoconfig.recommend import recommend
from cnntrain.autoconfig.render import render, value
from cnntrain.config import load_config

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
)


def written(folder, name, header="x"):
    """The config that ``init`` would write for a folder of images."""
    source = {"source": "images", "path": str(folder / name)}
    found = Findings(source, name, (3, 32, 32), (32, 32), False, ("a", "b"), (50, 50), False, False, False, (name,))
    path = folder / "c.yaml"
    path.write_text(render(found, recommend(found), path, [header, *found.choices]), encoding="utf-8", newline="")
    return load_config(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(name=NAMES)
@example("two\nlines")
@example("two\r\ndata: {source: digits}")
@example("~")
@example("~root")
@example("~/x".replace("/", ""))
@example("a # b")
@example("null")
@example('"\\')
@example("\u0085\u2028\ufeff\x7f\x1b")
@example("😀 日本")
@example("ends ")
@example("- a: [b")
@example("C:\\x")
def test_any_name_reads_back(tmp_path, name):
    config = written(tmp_path, name, f"{name}: 3 images")
    assert config.data.path == tmp_path / name or os.path.realpath(tmp_path / name) == str(config.data.path)
    assert config.network == written(tmp_path, "plain").network


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(name=NAMES)
def test_a_comment_stays_a_comment(tmp_path, name):
    (tmp_path / "c.yaml").touch()
    text = written(tmp_path, "plain", name)
    assert text == written(tmp_path, "plain", "a header")
    lines = (tmp_path / "c.yaml").read_text(encoding="utf-8").splitlines()
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("of", ["yes", "No", "1", "1e3", "", " ", "#", "a: b", "null", "~", "a\tb"])
def test_text_stays_text(of):
    assert value(of).startswith('"')
