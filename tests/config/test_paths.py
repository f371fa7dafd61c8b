"""``data.path``: what it is relative to."""

import os

import pytest

from cnntrain.config import config_from_dict, load_config, to_yaml
from cnntrain.errors import ConfigError

TEXT = "data: {{source: idx, path: {}}}\nnetwork: {{layers: [fc: {{activation: softmax}}]}}\n"


@pytest.fixture
def elsewhere(folder):
    (folder / "configs").mkdir()
    return folder / "configs" / "a.yaml"


def test_in_a_file_it_is_relative_to_the_files_own_folder(folder, elsewhere):
    elsewhere.write_text(TEXT.format("../data/mnist"))
    assert load_config("configs/a.yaml").data.path == folder / "data" / "mnist"
    assert load_config(elsewhere).data.path == folder / "data" / "mnist"


def test_in_an_override_it_is_relative_to_the_current_folder(folder, elsewhere):
    elsewhere.write_text(TEXT.format("x"))
    assert load_config(elsewhere, ["data.path=y"]).data.path == folder / "y"
    assert load_config(elsewhere, ["data={source: npz, path: y.npz}"]).data.path == folder / "y.npz"


def test_an_absolute_one_stays(folder, elsewhere):
    elsewhere.write_text(TEXT.format(folder / "z"))
    assert load_config(elsewhere).data.path == folder / "z"


def test_a_tilde_is_the_home_folder(folder, elsewhere, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    elsewhere.write_text(TEXT.format("~/mnist"))
    assert load_config(elsewhere).data.path == folder / "mnist"


def test_a_linked_folder_is_followed_as_the_system_does(folder, elsewhere):
    elsewhere.write_text(TEXT.format("../data"))
    (folder / "deep").mkdir()
    os.symlink(folder / "configs", folder / "deep" / "link", target_is_directory=True)
    assert load_config("deep/link/a.yaml").data.path == folder / "data"


def test_a_name_that_is_not_utf_8_is_refused_for_that(folder, elsewhere):
    elsewhere.write_text(TEXT.format("x"))
    with pytest.raises(
        ConfigError, match="is not UTF-8 and cannot be kept in a config; rename the folder or file"
    ) as told:
        load_config("configs/a.yaml", ["data.path=" + os.fsdecode(b"\xff")])
    assert str(told.value).isprintable()


@pytest.mark.parametrize("path", ['"a\\0b"', '"\\ud800"'])
def test_what_no_path_can_be_is_refused(faults, path):
    (told,) = faults(TEXT.format(path))
    assert told.startswith("a.yaml:1:27: data.path: expected the path of a file or folder, got '")
    assert told.isprintable()


@pytest.mark.parametrize(
    "name", ["a: b", "# a", "'a'", '"a"', "ä α 日本", " a ", "a" * 200, "-", "1e3", "a\tb", "x\u2028y", "[a]"]
)
def test_any_name_survives_being_written_and_read(folder, name):
    data = {"data": {"source": "npz", "path": str(folder / name)}, "network": {"layers": [{"fc": {}}]}}
    config = config_from_dict(data, "test")
    (folder / "b.yaml").write_text(to_yaml(config), encoding="utf-8")
    assert load_config("b.yaml") == config
    assert config.data.path == folder / name
