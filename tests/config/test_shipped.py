"""Configs that come with cnntrain: found by name anywhere, and their data by themselves."""

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.config import load_config, shipped
from cnntrain.errors import ConfigError

ROOT = Path(__file__).parents[2]
NAMES = ["article", "cifar10", "cifar10_resnet", "digits", "mnist", "mnist_lenet5"]


def test_all_of_them_are_in_the_wheel():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["force-include"] == {"configs": "cnntrain/configs"}
    assert list(shipped.shipped()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_found_by_name(name):
    config = load_config(name)
    assert config == load_config(ROOT / "configs" / f"{name}.yaml") == load_config(f"configs/{name}.yaml")
    assert config.name == name


def test_a_package_that_is_installed_has_them_inside(tmp_path, monkeypatch):
    package = tmp_path / "cnntrain"
    (package / "configs").mkdir(parents=True)
    (package / "configs" / "own.yaml").write_text("network: {input: [1, 2, 2], layers: [fc: ]}")
    monkeypatch.setattr(shipped, "__file__", str(package / "config" / "shipped.py"))
    shipped.folder.cache_clear()
    shipped.shipped.cache_clear()
    try:
        assert load_config("own") == load_config("configs/own.yaml")
    finally:
        monkeypatch.undo()
        shipped.folder.cache_clear()
        shipped.shipped.cache_clear()


def summary(word):
    shown = CliRunner().invoke(app, ["summary", word])
    return shown.exit_code, shown.stderr


def test_a_file_wins_and_that_is_said():
    Path("digits").write_text("network: {input: [1, 2, 2], layers: [fc: {units: 3}]}")
    assert len(load_config("digits").network.layers) == 1
    told = "note: digits is the file in this folder, not the bundled config of the same name\n"
    assert summary("digits") == (0, told)


def test_a_path_that_leads_to_one_is_said():
    told = "note: no file configs/digits.yaml; using the bundled config\n"
    assert summary("configs/digits.yaml") == (0, told)
    assert summary("digits") == (0, "")


def test_a_file_of_that_path_is_just_that():
    Path("configs").mkdir()
    Path("configs/digits.yaml").write_text("network: {input: [1, 2, 2], layers: [fc: {units: 3}]}")
    assert len(load_config("configs/digits.yaml").network.layers) == 1
    assert summary("configs/digits.yaml") == (0, "")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("digts", "digts: there is no such file; bundled configs: article, cifar10, cifar10_resnet, digits, "),
        ("digits.yaml", "digits.yaml: there is no such file; the bundled config is configs/digits.yaml"),
        ("x/digits.yaml", "x/digits.yaml: there is no such file; the bundled config is configs/digits"),
        ("photos.yaml", "photos.yaml: there is no such file"),
    ],
)
def test_what_is_no_name_is_told_what_is(word, told):
    with pytest.raises(ConfigError) as caught:
        load_config(word)
    assert str(caught.value).startswith(told)


def test_a_folder_of_that_name_is_no_config():
    Path("digits").mkdir()
    with pytest.raises(ConfigError, match=r"writes one; the bundled config is configs/digits\.yaml$"):
        load_config("digits")
    assert load_config("configs/digits.yaml").data.source == "digits"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with a config for MNIST."""
    configs = tmp_path / "repository" / "configs"
    configs.mkdir(parents=True)
    (configs / "mnist.yaml").write_text((ROOT / "configs" / "mnist.yaml").read_text(encoding="utf-8"))
    monkeypatch.setattr("cnntrain.config.paths.CHECKOUT", configs)
    return configs


def test_data_are_downloaded_unless_they_lie_where_they_were_looked_for(checkout, tmp_path):
    path = checkout / "mnist.yaml"
    assert load_config(path).data.path is None
    local = checkout.parent / "data" / "mnist"
    local.mkdir(parents=True)
    assert load_config(path).data.path == local
    assert load_config(path, ["data.path=elsewhere"]).data.path == tmp_path / "elsewhere"
    assert load_config(path, ["data.source=kmnist"]).data.path is None
    assert load_config(path, ["data={source: digits}"]).data.source == "digits"
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "own.yaml").write_text(path.read_text())
    assert load_config(tmp_path / "own" / "own.yaml").data.path is None
