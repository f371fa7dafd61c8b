"""``cnntrain init DATA KEY=VALUE``: advice in refusals can be pasted, and reaches the config."""

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cnntrain.autoconfig.init import init
from cnntrain.cli.app import app
from cnntrain.config import load_config
from cnntrain.errors import CnntrainError, ConfigError, UsageError

RNG = np.random.default_rng(0)


def table(name, header, rows):
    lines = [",".join(map(str, row)) for row in ([header] if header else []) + rows]
    Path(name).write_text("\n".join(lines) + "\n")
    return name


def two_edges(_):
    return table("a.csv", None, [[i % 3, *RNG.integers(0, 17, 63), 2 - i % 3] for i in range(30)])


def pixels_only(_):
    return table("a.csv", [f"p{i}" for i in range(65)], [[i % 3, *RNG.integers(0, 255, 64)] for i in range(30)])


def two_labels(_):
    names = ["fine", "coarse", *(f"p{i}" for i in range(64))]
    return table("a.csv", names, [[i % 3, i % 2, *RNG.integers(0, 255, 64)] for i in range(30)])


def not_square(_):
    return table("a.csv", ["label", *(f"p{i}" for i in range(60))], [[i % 3, *[9 * i % 255] * 60] for i in range(30)])


def layout(_):
    np.savez("a.npz", x=RNG.integers(0, 255, (30, 3, 8, 3), np.uint8), y=np.arange(30) % 2)
    return "a.npz"


def flat(images, names):
    folder = images("photos", {"x": 24})
    for i in range(24):
        (folder / "x" / f"{i}.png").rename(folder / f"{i}.png")
    (folder / "x").rmdir()
    for name in names:
        table(folder / name, ["file", "kind", "sort"], [[f"{i}.png", "ab"[i % 2], "cd"[i // 12]] for i in range(24)])
    return str(folder)


def two_columns(images):
    return flat(images, ["labels.csv"])


def two_tables(images):
    return flat(images, ["one.csv", "two.csv"])


def unreadable(images):
    folder = images()
    (folder / "cat" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return str(folder)


REFUSED = {
    two_edges: ("data.label=0", {"label": 0}),
    pixels_only: ("data.label=p0", {"label": "p0"}),
    two_labels: ("data.label=coarse", {"label": "coarse"}),
    not_square: ("data.shape=[1, 6, 10]", {"shape": [1, 6, 10]}),
    layout: ("data.layout=NCHW", {"layout": "NCHW"}),
    two_columns: ("data.label=kind", {"label": "kind"}),
    two_tables: ("data.labels=photos/one.csv data.label=sort", {"label": "sort"}),
}


@pytest.mark.parametrize("make", REFUSED)
def test_advice_of_a_refusal_can_be_pasted(make, images, here):
    words, expected = REFUSED[make]
    word, overrides = make(images), re.split(r" (?=data\.)", words)
    refused = CliRunner().invoke(app, ["init", word])
    assert refused.exit_code in (2, 4)
    assert re.search(rf"{re.escape(overrides[0].split('=')[0])}=", refused.stderr)
    shown = CliRunner().invoke(app, ["init", word, *overrides])
    assert shown.exit_code == 0, shown.output
    config = f"{Path(word).stem}.yaml"
    data = load_config(config).resolved()["data"]
    assert {key: data[key] for key in expected} == expected
    if "labels" in data:
        assert Path(data["labels"]) == Path("photos/one.csv").resolve()
    trained = CliRunner().invoke(app, ["train", config, "training.Max=1", "training.workers=1", "--no-plots"])
    assert trained.exit_code == 0, trained.output


def test_keys_of_images_take_the_place_of_what_would_be_chosen(images, here):
    words = ["data.size=[12,16]", "data.channels=1", "data.fit=pad", "data.validation=0.3", r"data.group=(\d)"]
    data = load_config(init(str(images()), overrides=words)["config"]).resolved()["data"]
    assert [data[key] for key in ("size", "channels", "fit", "validation", "group")] == [
        [12, 16],
        1,
        "pad",
        0.3,
        r"(\d)",
    ]
    assert Path("photos.yaml").read_text().count("as given") == 5


def test_a_path_is_written_relative_to_the_config(images, here):
    word = two_tables(images)
    Path("sub").mkdir()
    out = Path("sub/c.yaml")
    init(word, out, overrides=["data.labels=photos/two.csv", "data.label=kind"])
    assert "labels: ../photos/two.csv" in out.read_text()


@pytest.mark.parametrize(
    ("override", "error", "words"),
    [
        ("training.Max=3", UsageError, "init takes keys of data"),
        ("data.no_such=3", ConfigError, "unknown key 'no_such'"),
        ("data.channels=7", ConfigError, "data.channels"),
        ("data.label", ConfigError, "expected KEY=VALUE"),
        ("data.label=", CnntrainError, "got nothing|unknown key"),
    ],
)
def test_other_words_are_refused_and_nothing_is_written(images, here, override, error, words):
    with pytest.raises(error, match=words):
        init(str(images()), overrides=[override])
    assert not list(here.glob("*.yaml"))
