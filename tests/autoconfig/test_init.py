"""``cnntrain init``: what it writes can be trained as it is, and it overwrites nothing."""

import gzip
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

import cnntrain
from cnntrain.autoconfig.init import init
from cnntrain.builder import load_config_data
from cnntrain.cli.app import app
from cnntrain.config import load_config
from cnntrain.config.json_schema import SCHEMA_FILE, json_schema
from cnntrain.data import ProgressReporter
from cnntrain.errors import DataError, UsageError


def npz(name="data.npz", count=40, shape=(12, 12), classes=2, **more):
    rng = np.random.default_rng(0)
    np.savez(name, images=rng.integers(0, 256, (count, *shape), np.uint8), labels=np.arange(count) % classes, **more)
    return name


def idx(folder="idx"):
    Path(folder).mkdir()
    for name, count in (("train", 60), ("t10k", 12)):
        pixels = np.random.default_rng(0).integers(0, 256, (count, 10, 10), np.uint8)
        header = struct.pack(">4i", 0x803, *pixels.shape)
        Path(folder, f"{name}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        labels = (np.arange(count) % 3).astype(np.uint8)
        Path(folder, f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, count) + labels.tobytes())
    return folder


def csv(name="letters.csv.gz"):
    rng = np.random.default_rng(0)
    rows = [[i % 3, *rng.integers(0, 256, 49)] for i in range(36)]
    with gzip.open(name, "wt") as file:
        file.write("label," + ",".join(f"pixel{i}" for i in range(49)) + "\n")
        file.writelines(",".join(map(str, row)) + "\n" for row in rows)
    return name


def kinds(config):
    return [layer.kind for layer in config.network.layers]


@pytest.mark.parametrize(
    "make", [lambda _: "digits", lambda _: npz(), lambda _: idx(), lambda _: csv(), lambda make: str(make())]
)
def test_it_can_be_trained_as_it_is(make, images, here):
    result = init(make(images))
    config = load_config(result["config"], ["training.Max=1", "training.workers=1"])
    trained = cnntrain.train(config, "run", plots=False)
    assert trained["stop"] == "max"
    assert cnntrain.load("run").in_shape == tuple(result["image_shape"])
    held = [trained[split]["samples"] for split in ("train", "validation", "test") if trained[split]]
    assert sum(held) == result["samples"] + (trained["test"]["samples"] if result["has_test"] else 0)


@pytest.mark.parametrize("make", [lambda _: "digits", lambda _: npz(), lambda make: str(make(size=(8, 9)))])
def test_its_gradients_are_right(make, images):
    assert cnntrain.gradcheck(init(make(images))["config"], samples=2)["passed"]


def test_it_begins_with_the_schema_that_editors_need_and_is_valid(images):
    jsonschema = pytest.importorskip("jsonschema")
    text = Path(init(str(images()))["config"]).read_text(encoding="utf-8")
    first, second, *_ = text.splitlines()
    assert first == "# yaml-language-server: $schema=cnntrain.schema.json"
    assert Path("cnntrain.schema.json").read_text(encoding="utf-8") == SCHEMA_FILE.read_text(encoding="utf-8")
    assert second.startswith("# photos: 11 images of 2 classes, 5 to 6 each; color, about 20 x 24.")
    jsonschema.validate(yaml.safe_load(text), json_schema())
    assert max(map(len, text.splitlines())) <= 140


def test_photographs_are_mirrored_and_digits_are_not(images):
    photos = load_config(init(str(images(size=(70, 90))))["config"])
    assert photos.data.size == (64, 64)
    assert photos.training.augmentation.horizontal_flip
    assert kinds(photos)[-3:] == ["pool", "dropout", "fc"]
    assert photos.network.layers[-3].options.k == "all"
    digits = load_config(init("digits")["config"])
    assert not digits.training.augmentation.horizontal_flip
    assert digits.training.augmentation.crop
    assert kinds(digits)[-3:] == ["pool", "dropout", "fc"]
    assert digits.network.layers[-3].options.k == 2


def test_grey_pictures_are_read_as_grey(images):
    for mode in ("L", "RGB"):
        result = init(str(images(name=mode, mode=mode)))
        config = load_config(result["config"])
        assert (config.data.channels, result["image_shape"][0]) == ((1, 1) if mode == "L" else (3, 3))


def test_splits_of_the_folder_are_kept(images):
    images(name="a/train")
    images(name="a/test")
    first = load_config(init("a")["config"])
    assert (first.data.test, first.data.validation) == (None, 0)  # too few to hold any out
    images(name="a/val")
    result = init("a", Path("b.yaml"))
    assert "validation:" not in Path("b.yaml").read_text()
    assert (result["has_test"], result["has_validation"]) == (True, True)
    data = load_config_data(load_config("b.yaml"))
    assert [len(split) for split in data.splits().values()] == [11, 11, 11]


def test_without_splits_a_fifth_is_for_the_test_and_a_tenth_for_validation(images):
    config = load_config(init(str(images(counts={"cat": 30, "dog": 20})))["config"])
    assert (config.data.test, config.data.validation) == (0.2, 0.1)
    assert [len(split) for split in load_config_data(config).splits().values()] == [36, 4, 10]


def test_a_source_that_cannot_set_a_test_apart_holds_out_more():
    assert load_config(init(npz())["config"]).data.validation == 0.2


def test_classes_of_uneven_size_are_balanced(images):
    uneven = load_config(init(str(images(counts={"cat": 13, "dog": 4})))["config"])
    assert uneven.training.class_weights == "balanced"
    even = load_config(init(str(images("even", counts={"cat": 12, "dog": 4})))["config"])
    assert even.training.class_weights is None


def test_pictures_that_cannot_be_read_are_left_out(images):
    folder = images()
    (folder / "cat" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    notes = []
    config = load_config(init(str(folder), reporter=ProgressReporter(note=notes.append))["config"])
    assert config.data.on_bad == "skip"
    assert len([note for note in notes if "broken.png" in note]) == 1
    assert len(load_config_data(config).train) > 5


@pytest.mark.parametrize(
    "name", ["my photos", "my.photos", "näme: {x}", "yes", "1e3", ".5", ".inf", "# a", "'quoted'", "x"]
)
def test_any_path_is_found_again(images, here, name):
    if os.name == "nt" and set(name) & set(':"?*'):
        pytest.skip("no such names on Windows")
    images(name=name)
    Path("configs").mkdir()
    for word, out in (
        (name, Path("a.yaml")),
        (str(here / name), Path("configs/b.yaml")),
        (name, here.parent / "c.yaml"),
    ):
        init(word, out)
        assert load_config(out).data.path == (here / name).resolve()
    assert init(name)["config"] == f"{name}.yaml"
    assert "relative" in Path("a.yaml").read_text(encoding="utf-8")


def test_nothing_is_overwritten(images, monkeypatch):
    folder = str(images())
    init(folder)
    before = Path("photos.yaml").read_bytes()
    monkeypatch.setattr("cnntrain.autoconfig.init.inspect", None)  # fails before anything is decoded
    with pytest.raises(UsageError, match=r"photos\.yaml exists"):
        init(folder)
    with pytest.raises(UsageError, match="exists"):
        init(folder, Path("photos.yaml"))
    with pytest.raises(UsageError, match="there is no folder"):
        init(folder, Path("nowhere/a.yaml"))
    assert Path("photos.yaml").read_bytes() == before


def test_what_is_no_data_is_told(here):
    (here / "empty").mkdir()
    (here / "a.txt").write_text("a")
    for word in ("nothing", "empty", "a.txt"):
        with pytest.raises(DataError):
            init(word)
    assert not list(here.glob("*.yaml"))


def test_the_command_says_what_to_do_next(images):
    folder = str(images())
    shown = CliRunner().invoke(app, ["init", folder])
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[0] == "found photos: 11 images of 2 classes, 5 to 6 each; color, about 20 x 24"
    assert "next: cnntrain train photos.yaml" in shown.stdout.splitlines()
    again = CliRunner().invoke(app, ["init", folder])
    assert (again.exit_code, again.stdout) == (2, "")
    shown = CliRunner().invoke(app, ["init", folder, "--out", "b.yaml", "--json"])
    result = json.loads(shown.stdout)
    assert (result["config"], result["classes"]) == ("b.yaml", {"cat": 6, "dog": 5})
    assert CliRunner().invoke(app, ["init", "nothing"]).exit_code == 4


def test_training_finds_the_pictures_decoded(images, here):
    cache = here.parent / "cache"
    config = load_config(init(str(images(size=(70, 90))))["config"])
    before = sorted(path for path in cache.rglob("*") if path.is_file())
    assert before
    load_config_data(config)
    assert sorted(path for path in cache.rglob("*") if path.is_file()) == before


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(20, 24), (70, 90)])
def test_training_decodes_no_picture_again(images, mode, size, monkeypatch):
    init(str(images(mode=mode, size=size)))
    monkeypatch.setattr("cnntrain.data.image_folder.parallel_decode.decode", None)
    config = load_config("photos.yaml")
    assert load_config_data(config).input_shape[0] == {"RGB": 3, "L": 1}[mode]


def split_course(here):
    for split in ("training_set", "test_set"):
        for name in ("cats", "dogs"):
            yield from (f"{split}/{name}/{i}.png" for i in range(4))


def labelled(here):
    rows = [f"{i},{'ab'[i % 2]}" for i in range(8)]
    (here / "photos").mkdir()
    (here / "photos" / "labels.csv").write_text("\n".join(["id,label", *rows]))
    yield from (f"images/{i}.png" for i in range(8))


def beside_a_run(here):
    (here / "photos" / "runs" / "x").mkdir(parents=True)
    for name in ("config.yaml", "metrics.jsonl"):
        (here / "photos" / "runs" / "x" / name).touch()
    yield from ("a/1.png", "a/2.png", "b/1.png", "b/2.png", "runs/x/loss.png")


@pytest.mark.parametrize(
    ("names", "classes", "choices"),
    [
        (split_course, ("cats", "dogs"), ("splits: training_set/ as train, test_set/ as test",)),
        (labelled, ("a", "b"), ("labels: labels.csv, column 'label'; images: column 'id'",)),
        (beside_a_run, ("a", "b"), ()),
    ],
)
def test_training_reads_a_folder_as_init_does(here, names, classes, choices):
    for i, name in enumerate(names(here)):
        (here / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (i, i, 99)).save(here / "photos" / name)
    result = init("photos")
    data = load_config_data(load_config(result["config"]))
    assert tuple(result["classes"]) == data.classes == classes
    assert tuple(result["choices"]) == data.choices == choices
