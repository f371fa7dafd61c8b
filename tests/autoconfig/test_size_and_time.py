"""``cnntrain init --size``, ``--small``, ``--large`` and ``--minutes``."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnntrain.autoconfig import time_budget
from cnntrain.autoconfig.recommend import FILTERS
from cnntrain.cli.app import app
from cnntrain.config import load_config


@pytest.fixture
def init(here):
    assert here.is_dir()
    return lambda *words: CliRunner().invoke(app, ["init", "digits", "--progress", "none", *words])


@pytest.fixture
def speed(monkeypatch):
    """Sets the seconds per epoch for each number of filters."""

    def set_speed(seconds):
        def timed(config, reporter):
            return {"seconds_per_epoch": seconds[config.network.layers[0].conv.K]}

        monkeypatch.setattr(time_budget, "dry_run", timed)

    return set_speed


def filters():
    return load_config("digits.yaml").network.layers[0].conv.K


@pytest.mark.parametrize(("words", "size"), [([], "medium"), (["--small"], "small"), (["--large"], "large")])
def test_small_and_large_halve_and_double_the_filters(init, words, size):
    assert init(*words).exit_code == 0
    assert filters() == FILTERS[size]


@pytest.mark.parametrize(
    ("seconds", "words", "filters_taken", "epochs"),
    [
        ({32: 0.9, 16: 0.5}, [], 32, 66),  # the recommended 66 epochs fit into a minute
        ({32: 2.0, 16: 0.5}, [], 16, 66),
        ({32: 2.0, 16: 6.0}, [], 16, 10),
        ({32: 2.0}, ["--large"], 64, None),
    ],
)
def test_the_largest_network_is_taken_whose_epochs_fit(init, speed, seconds, words, filters_taken, epochs):
    speed({64: 3.0} | seconds)
    shown = init("--minutes", "1", *words)
    assert shown.exit_code == 0, shown.output
    assert filters() == filters_taken
    assert load_config("digits.yaml").training.Max == (epochs or 20)
    assert f"time: a {dict(zip(FILTERS.values(), FILTERS, strict=True))[filters_taken]} network" in shown.stdout
    assert ("66 epochs would be better" in " ".join(shown.stdout.split())) == (epochs != 66)


def test_too_little_time_is_refused_with_what_is_needed(init, speed):
    speed({32: 60.0, 16: 30.0})
    shown = init("--minutes", "1")
    assert shown.exit_code == 2
    assert "a small network needs about 30 seconds an epoch here, so --minutes 1 is too little" in shown.stderr
    assert "allow at least 1.5" in shown.stderr
    assert list(Path().iterdir()) == []


def test_real_steps_are_timed(init):
    assert init("--minutes", "30").exit_code == 0
    assert load_config("digits.yaml").training.Max == 66


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--small", "--large"], "--small and --large exclude each other"),
        (["--minutes", "0"], "--minutes is a number above 0, got 0"),
        (["--minutes", "nan"], "--minutes is a number above 0, got nan"),
        (["--size", "32"], "--size is for folders of images, and digits has images of one size"),
    ],
)
def test_what_does_not_apply_is_refused(init, tmp_path, words, message):
    shown = init(*words)
    assert shown.exit_code == 2
    assert message in shown.stderr
    assert list(Path().iterdir()) == []


def test_a_size_for_a_folder_of_images(images):
    words = ["--size", "20", "--out", "a.yaml", "--progress", "none"]
    shown = CliRunner().invoke(app, ["init", str(images(size=(64, 60))), *words])
    assert shown.exit_code == 0, shown.output
    config = load_config("a.yaml")
    assert (config.data.size, config.data.features) == ((20, 20), None)
