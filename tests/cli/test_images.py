"""From a folder of images to a run and its evaluation, by the command line."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cnntrain.cli.app import app

CONFIG = """
data: {source: images, path: photos}
network: {layers: [conv: {K: 2, F: 3, activation: relu}, fc: {activation: softmax}]}
training: {Max: 1, batch_size: 4, workers: 1}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a config and two classes of ten images; the current one."""
    monkeypatch.setenv("CNNTRAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name, brightness in (("dark", 0), ("light", 155)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(10):
            pixels = np.random.default_rng(brightness + i).integers(0, 100, (9, 8, 3)) + brightness
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "photos" / name / f"{i}.png")
    (tmp_path / "a.yaml").write_text(CONFIG)
    return tmp_path


def run(*words):
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.stdout, result.stderr


def rows(path):
    with path.open(newline="") as file:
        return {row["file"]: row["split"] for row in csv.DictReader(file)}


def test_a_run_keeps_its_splits(folder):
    code, stdout, stderr = run("train", "a.yaml", "--out", "one", "--json")
    assert (code, json.loads(stdout)["test"]["samples"]) == (0, 4)
    assert "decoding images" in stderr
    split = rows(folder / "one" / "split.csv")
    assert sorted(split.values()) == ["test"] * 4 + ["train"] * 14 + ["validation"] * 2
    for i in range(10, 40):
        (folder / "photos" / "light" / f"{i}.png").write_bytes((folder / "photos" / "light" / "0.png").read_bytes())
    code, stdout, stderr = run("eval", "one", "--json")
    assert (code, json.loads(stdout)["samples"]) == (0, 4)
    assert "note: skipped 30 images not listed in one/split.csv" in stderr
    code, *_ = run("train", "a.yaml", "data.split=one/split.csv", "training.seed=9", "--out", "two", "--json")
    assert code == 0
    assert rows(folder / "two" / "split.csv") == split


def test_a_run_judged_on_another_folder(folder):
    """Its split file says nothing of other images; of the same ones elsewhere it does."""
    run("train", "a.yaml", "--out", "one", "--json")
    (folder / "photos").rename(folder / "moved")
    code, stdout, stderr = run("eval", "one")
    assert (code, stdout, stderr.startswith("error: ")) == (4, "", True)  # and no word of splits
    code, stdout, stderr = run("eval", "one", "data.path=moved", "--json")
    assert (code, json.loads(stdout)["samples"]) == (0, 4)
    assert "note:" not in stderr
    for name in ("dark", "light"):
        for path in list((folder / "moved" / name).iterdir()):
            path.rename(path.with_name(f"new{path.name}"))
    code, stdout, stderr = run("eval", "one", "data.path=moved", "--json")
    assert (code, json.loads(stdout)["samples"]) == (0, 4)
    assert "note: one/split.csv lists no image in" in stderr


def test_a_run_keeps_its_split_when_the_file_that_it_came_from_is_gone(folder):
    run("train", "a.yaml", "--out", "one", "--json")
    (folder / "one" / "split.csv").rename(folder / "given.csv")
    run("train", "a.yaml", "data.split=given.csv", "--out", "two", "--json")
    (folder / "given.csv").unlink()
    assert run("eval", "two", "--json")[0] == 0


def test_the_size_is_kept_with_the_run(folder):
    run("train", "a.yaml", "--out", "one", "--json")
    assert "size:\n    - 9\n    - 8\n" in (folder / "one" / "config.yaml").read_text()
    Image.new("RGB", (99, 99)).save(folder / "photos" / "dark" / "large.png")
    assert run("eval", "one", "--json")[0] == 0


def test_unreadable_pictures_end_it_before_anything_is_written(folder):
    for i in (3, 7):
        (folder / "photos" / "dark" / f"{i}.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    code, stdout, stderr = run("train", "a.yaml", "--out", "one")
    assert (code, stdout) == (4, "")
    assert [line for line in stderr.splitlines() if line.startswith("error:")][:2] == [
        f"error: {folder}/photos/dark/{i}.png: it is not a JPEG, PNG, BMP, GIF, WebP, TIFF or PPM image, or its header "
        "is damaged"
        for i in (3, 7)
    ]
    assert not (folder / "one").exists()
    code, _, stderr = run("train", "a.yaml", "data.on_bad=skip", "--out", "one")
    assert code == 0
    assert "note: skipped 2 unreadable images" in stderr


def test_a_split_in_the_file_is_relative_to_it(folder, monkeypatch):
    run("train", "a.yaml", "--out", "one", "--json")
    (folder / "b.yaml").write_text(CONFIG.replace("path: photos", "path: photos, split: one/split.csv"))
    monkeypatch.chdir("/")
    assert run("train", str(folder / "b.yaml"), "--out", str(folder / "two"), "--json")[0] == 0


@pytest.mark.parametrize(
    ("word", "words"),
    [
        (
            "data.size=0",
            "data.size: expected a whole number of at least 1 and at most 4096 or a list of two, each a whole number "
            "of at least 1 and at most 4096, got 0",
        ),
        ("data.size=[0,4]", "data.size: expected a whole number of at least 1 and at most 4096 or a list of two, each"),
        ("data.channels=2", "data.channels: expected 1 or 3, got 2"),
        ("data.fit=scale", "data.fit: expected crop, stretch or pad, got 'scale'"),
        ("data.test=1.5", "data.test: expected a number of at least 0 and below 1, got 1.5"),
        ("data.on_bad=ignore", "data.on_bad: expected error or skip, got 'ignore'"),
    ],
)
def test_wrong_keys(folder, word, words):
    code, _, stderr = run("train", "a.yaml", word)
    assert code == 2
    assert words in stderr
