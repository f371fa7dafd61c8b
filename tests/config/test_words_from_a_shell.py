"""What a shell hands over for a key that takes text is that text; the place in an error can be pasted as a key."""

import re
from pathlib import Path

import pytest

from cnntrain.config import load_config
from cnntrain.config.schema.config import SOURCES
from cnntrain.errors import ConfigError

LAYERS = "network: {layers: [fc: {activation: softmax}]}\n"
ODD = [
    "pics #1", "#1", "a # b", "2024", "1.5", "1e3", "-1", "0x10", "017", "true", "True", "no", "null", "None", "NULL",
    "[x]", "[x", "{y}", "{y: 1}", "@a", "`a`", "%d", "- a", "-", "--", "---", "...", "a: b", "a:", ":a", '"q"', '"q',
    "'q'", "it's", " leading", "trailing ", "  ", "two\nlines", "tab\tbed", "!x", "!!python/none", "&a", "*b", "<<",
    "|", ">", "?", "? a", "a=b", "=", "=a=", "a\\b", "\\", "\\n", "😀", "日本", "é", "e\u0301", "a,b", "a;b", "$HOME",
    "*.png", "(1)", "\u00a0", "\u2028", "\x1b[31m", "\x07", "a" * 255, "~x~", "a~",
]  # fmt: skip


def load(folder, data, *words):
    path = folder / "a.yaml"
    path.write_text(f"data: {{{data}}}\n{LAYERS}")
    return load_config(path, words)


@pytest.mark.parametrize("name", ODD)
def test_a_path_is_taken_as_it_is(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for source in ("npz", "images", "mnist", "cifar10"):
        assert load(tmp_path, f"source: {source}, path: x", f"data.path={name}").data.path == tmp_path / name
    assert load(tmp_path, "source: images, path: x", f"data.split={name}").data.split == tmp_path / name


@pytest.mark.parametrize("name", [name for name in ODD if not re.fullmatch(r"-?\d+", name) and name != "017"])
def test_a_column_is_taken_as_it_is(tmp_path, name):
    assert load(tmp_path, "source: csv, path: x", f"data.label={name}").data.label == name


@pytest.mark.parametrize(
    ("word", "label"), [("3", 3), ("-1", -1), ("2024", 2024), ('"3"', "3"), ("'-1'", "-1"), ("017", "017")]
)
def test_a_number_is_a_column_s_index_unless_it_is_in_quotes(tmp_path, word, label):
    assert load(tmp_path, "source: csv, path: x", f"data.label={word}").data.label == label


def test_the_source_may_come_after_the_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = load(tmp_path, "source: digits", "data.path=pics #1", "data.source=images").data
    assert (data.source, data.path) == ("images", tmp_path / "pics #1")


def test_a_home_is_a_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert load(tmp_path, "source: npz, path: x", "data.path=~").data.path == tmp_path
    assert load(tmp_path, "source: npz, path: x", "data.path=~/pics #1").data.path == tmp_path / "pics #1"


@pytest.mark.parametrize(
    ("words", "mirrors"),
    [
        (["data.mirrors=http://a/x #1"], ("http://a/x #1",)),
        (["data.mirrors=[http://a, http://b]"], ("http://a", "http://b")),
        (["data.mirrors=[http://a, http://b]", "data.mirrors.1=https://c/ #2"], ("http://a", "https://c/ #2")),
        (["data.mirrors=[http://a, http://b]", "data.mirrors[0]=https://c/{x}"], ("https://c/{x}", "http://b")),
    ],
)
def test_a_mirror_is_taken_as_it_is(tmp_path, words, mirrors):
    assert load(tmp_path, "source: mnist", *words).data.mirrors == mirrors


def test_every_path_of_every_source_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for source, options in SOURCES.items():
        for key, field in options.model_fields.items():
            if Path in (field.annotation, *getattr(field.annotation, "__args__", ())):
                data = load(tmp_path, f"source: {source}, path: y", f"data.{key}=pics #1: [x").data
                assert getattr(data, key) == tmp_path / "pics #1: [x"


@pytest.mark.parametrize(
    "word",
    ["layers[0].conv.K=0", "network.layers[0].conv.K=0", "network.layers.0.conv.K=0", "layers.0.conv.filters=0"],
)
def test_the_place_in_an_error_is_a_key(tmp_path, word):
    path = tmp_path / "a.yaml"
    path.write_text("network: {input: [1, 9, 9], layers: [conv: {K: 1, F: 3}, fc: {units: 2}]}")
    with pytest.raises(ConfigError) as caught:
        load_config(path, [word])
    place = str(caught.value).removeprefix(f"override {word}: ").partition(": expected")[0]
    assert load_config(path, [f"{place}=7"]).network.layers[0].options.K == 7


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("network.input[2]=7", (1, 9, 7)),
        ("network.input.2=7", (1, 9, 7)),
    ],
)
def test_entries_of_lists_go_by_either_form(tmp_path, word, found):
    path = tmp_path / "a.yaml"
    path.write_text("network: {input: [1, 9, 9], layers: [fc: {units: 2}]}")
    assert load_config(path, [word]).network.input == found


@pytest.mark.parametrize("key", ["layers[0", "layers]0[", "layers[].K", "layers[0]]", "[0]", "a.[0]", "layers[0]K"])
def test_a_key_with_odd_brackets_is_incomplete(tmp_path, key):
    with pytest.raises(ConfigError, match="the key is incomplete"):
        load(tmp_path, "source: digits", f"{key}=1")
