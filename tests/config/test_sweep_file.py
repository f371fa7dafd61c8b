import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.config.sweep.checks import check_candidate_shapes
from cnntrain.config.sweep.dimensions import Range
from cnntrain.config.sweep.sweep_file import load_sweep
from cnntrain.config.yaml.nodes import Mark
from cnntrain.errors import ConfigError, ShapeError

SWEEP = """\
base: digits
search:
  training.alpha: {from: 1e-4, to: 1e-1, scale: log}
  training.batch_size: [16, 32]
  layers[0].conv.filters: {from: 4, to: 16, step: 4}
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads a sweep file with this text."""
    monkeypatch.chdir(tmp_path)

    def load(text, *words):
        (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
        return load_sweep("s.yaml", words)

    return load


def problems(load, text, *words):
    with pytest.raises(ConfigError) as caught:
        load(text, *words)
    return str(caught.value).splitlines()


def test_a_sweep_with_all_defaults(load):
    sweep = load(SWEEP)
    assert sweep.settled() == {
        "base": "base.yaml",
        "search": {
            "training.alpha": {"from": 1e-4, "to": 0.1, "scale": "log"},
            "training.batch_size": [16, 32],
            "network.layers.0.conv.K": {"from": 4, "to": 16, "step": 4},
        },
        "goal": {"minimize": "validation.loss"},
        "trials": 30, "method": "tpe", "halving": False, "wave": 6, "seed": 0,
    }  # fmt: skip
    values = {"training.alpha": 0.01, "training.batch_size": 32, "network.layers.0.conv.K": 12}
    config = sweep.config(values)
    assert (config.training.alpha, config.training.batch_size, config.network.layers[0].options.K) == (0.01, 32, 12)


def test_what_is_written_into_the_folder_is_the_same_sweep(load, tmp_path):
    sweep = load(SWEEP + "halving: {first: 2}\ngoal: validation.accuracy\n")
    (tmp_path / "sweep.yaml").write_text(sweep.to_yaml())
    (tmp_path / "base.yaml").write_text(sweep.base.to_yaml())
    again = load_sweep(tmp_path / "sweep.yaml")
    assert again.settled() == sweep.settled()
    assert again.base.plain() == sweep.base.plain()
    assert load_sweep(tmp_path).settled() == sweep.settled()


@pytest.mark.parametrize("name", ["a\x85b", "a\u2028b", "a\nb"])
def test_what_is_written_into_the_folder_keeps_every_character(load, tmp_path, name):
    data = {"source": "images", "path": str(tmp_path / name), "validation": 0.1}
    network = {"layers": [{"fc": {"activation": "softmax"}}]}
    (tmp_path / "named.yaml").write_text(json.dumps({"data": data, "network": network}), encoding="utf-8")
    sweep = load("base: named.yaml\nsearch: {training.alpha: [0.1, 0.2]}\n")
    (tmp_path / "base.yaml").write_text(sweep.base.to_yaml(), encoding="utf-8")
    (tmp_path / "sweep.yaml").write_text(sweep.to_yaml(), encoding="utf-8")
    assert load_sweep(tmp_path / "sweep.yaml").base.plain() == sweep.base.plain()
    assert sweep.base.plain()["data"]["path"] == str(tmp_path / name)


def test_words_say_the_same_as_a_file(load):
    words = ("training.alpha=1e-4..1e-1", "training.batch_size=16,32", "layers.0.conv.K=4..16..4")
    assert load_sweep("digits", words).settled() == load(SWEEP).settled()


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("training.alpha=0.01..0.1", {"from": 0.01, "to": 0.1}),
        ("training.alpha=0.001..0.1", {"from": 0.001, "to": 0.1, "scale": "log"}),
        ("training.alpha=0.001..0.1:linear", {"from": 0.001, "to": 0.1}),
        ("training.alpha=0.01..0.1:log", {"from": 0.01, "to": 0.1, "scale": "log"}),
        ("training.batch_size=8..64", {"from": 8, "to": 64}),
        ("training.batch_size=8..64..8", {"from": 8, "to": 64, "step": 8}),
        ("training.batch_size=16,all", [16, "all"]),
        ("training.optimizer=sgd,adam", ["sgd", "adam"]),
        ("training.alpha=[0.1, 0.2]", [0.1, 0.2]),
        ("training.alpha={from: 0.1, to: 0.2}", {"from": 0.1, "to": 0.2}),
        ("training.shuffle=true,false", [True, False]),
        ("training.augmentation.crop=0..2", {"from": 0, "to": 2}),
    ],
)  # fmt: skip
def test_a_word_lets_a_key_vary(word, meant):
    extra = () if "optimizer" not in word else ("training.momentum=0",)
    (found,) = load_sweep("digits", [word, *extra]).settled()["search"].values()
    assert found == meant


def test_words_change_a_file(load):
    sweep = load(
        SWEEP, "training.alpha=0.1", "training.Max=3", "trials=7", "goal=validation.accuracy", "halving.first=2"
    )
    assert list(sweep.settled()["search"]) == ["training.batch_size", "network.layers.0.conv.K"]
    config = sweep.config({"training.batch_size": 16, "network.layers.0.conv.K": 4})
    assert (config.training.alpha, config.training.Max) == (0.1, 3)
    assert (sweep.trials, sweep.options.goal.metric) == (7, "validation.accuracy")
    assert sweep.settled()["halving"] == {"first": 2, "factor": 3}


def test_defaults_that_depend_on_what_varies_are_those_of_each_trial(load):
    sweep = load("base: digits\nsearch: {training.optimizer: [sgd, adam]}\n", "training.momentum=0")
    base = load_sweep("digits", ["training.optimizer=sgd,adam", "training.momentum=0"])
    assert sweep.settled() == base.settled()
    alphas = [sweep.config({"training.optimizer": name}).training.alpha for name in ("sgd", "adam")]
    assert alphas == [0.01, 0.01]  # digits sets it


def test_all_mistakes_are_reported_with_their_positions(load):
    text = SWEEP.replace("32]", "many]").replace("alpha:", "alfa:") + "trails: 3\ngoal: {maximize: test.accuracy}\n"
    found = problems(load, text)
    assert [line.split(": ")[0] for line in found] == ["s.yaml:3:3", "s.yaml:4:29", "s.yaml:6:1", "s.yaml:7:18"]
    assert found[0].endswith("unknown key 'alfa'; did you mean 'alpha'?")
    assert found[2].endswith("unknown key 'trails'; did you mean 'trials'?")
    assert found[3].endswith("got 'test.accuracy'; the test split takes no part in a sweep")
    assert found[1].endswith("training.batch_size: expected a whole number of at least 1 or all, got 'many'")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("training.alpha: 0.1", "expected a list such as"),
        ("training.alpha: []", "the list is empty"),
        ("training.alpha: [0.1, 0.1]", "the value 0.1 is in the list twice"),
        ("training.alpha: {from: 1, to: 1}", "'from' must be below 'to', got 1 and 1"),
        ("training.alpha: {from: 0, to: 1, scale: log}", "a log scale needs numbers above 0"),
        ("training.alpha: {from: 1, to: 8, scale: log, step: 1}", "a log scale has no steps"),
        ("training.alpha: {from: 1, to: 8, step: 3}", "steps of 3 from 1 do not reach 8; the last one is 7"),
        ("training.alpha: {from: 1, to: many}", "expected a number, got 'many'"),
        ("training.alpha: {from: 1}", "missing key 'to'"),
        ("training.alpha: {from: 1, to: 2, scales: log}", "unknown key 'scales'; did you mean 'scale'?"),
        ("training.batch_size: {from: 1.5, to: 8}", "this key takes whole numbers, got 1.5, 8"),
        ("training.batch_size: {from: 0, to: 8}", "expected a whole number of at least 1 or all, got 0"),
        ("layers.9.conv.K: [4, 8]", "its 5 entries are numbered 0 to 4"),
        ("data.path: [a, b]", "decides which samples trials are compared on"),
        ("training.workers: [1, 2]", "does not change the result"),
        ("training.loss: [cross_entropy, mse]", "losses of different kinds cannot be compared"),
        ("training: [{}]", "not a key of data, network or training"),
        ("seed: [1, 2]", "not a key of data, network or training"),
    ],
)
def test_what_cannot_vary_is_a_sentence_with_a_position(load, entry, sentence):
    (line,) = problems(load, f"base: digits\nsearch:\n  {entry}\n")
    assert line.startswith("s.yaml:3:")
    assert sentence in line


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("base: digits\n", "missing key 'search'"),
        ("search: {training.alpha: [1, 2]}\n", "missing key 'base'"),
        ("base: nowhere.yaml\nsearch: {}\n", "nowhere.yaml: there is no such file"),
        ("base: digits\nsearch: {}\n", "nothing varies"),
        ("base: digits\nsearch: [1]\n", "expected a mapping of keys of the config"),
        (SWEEP + "halving: true\n", "expected false, or a mapping such as {first: 5, factor: 3}, got true"),
        (SWEEP + "halving: {first: 0}\n", "halving.first: expected a whole number of at least 1, got 0"),
        (SWEEP + "goal: {}\n", "expected either 'minimize: validation.loss' or"),
        (SWEEP + "goal: speed\n", "expected validation.loss or validation.accuracy, got 'speed'"),
        (SWEEP + "method: bayes\n", "expected tpe, random or grid, got 'bayes'"),
        (SWEEP + "trials: 0\n", "expected a whole number of at least 1"),
        (SWEEP + "method: grid\n", "method grid needs single values"),
        (SWEEP + "  training.learning_rate: [1, 2]\n", "'training.alpha' and 'training.learning_rate' mean the same"),
        (SWEEP + "  network.layers.0.conv: [{K: 1}, {K: 2}]\n", "this is part of network.layers.0.conv"),
    ],
)
def test_a_faulty_file_is_a_sentence(load, text, sentence):
    assert any(sentence in line for line in problems(load, text))


def test_a_validation_split_is_required(load):
    (line,) = problems(load, SWEEP, "data.validation=0")
    assert "a sweep compares trials on validation samples, and none are held out" in line


def test_values_need_only_fit_some_of_the_others(load):
    load("base: digits\nsearch:\n  training.warmup: [0, 40]\n  training.Max: [30, 50]\n")
    text = "base: digits\nsearch:\n  training.warmup: [0, 60]\n  training.Max: [30, 50]\n"
    assert "a warm-up of 60 epochs is longer than Max" in "".join(problems(load, text))


def test_shapes_are_checked_when_the_images_are_known(load):
    sweep = load("base: digits\nsearch:\n  layers.0.conv.F: [3, 99]\n")
    with pytest.raises(ShapeError, match=r"s\.yaml:3:|layers\[0\]\.conv: F = 99 does not fit"):
        check_candidate_shapes(sweep.base, sweep.dimensions, (1, 8, 8), 10)


@given(st.floats(1e-6, 1.0), st.floats(1.5, 1e4), st.floats(0, 1))
def test_numbers_are_rounded_within_their_range(low, ratio, share):
    dimension = Range(("training", "alpha"), Mark(""), low, low * ratio, None, is_log=True, is_integer=False)
    value = dimension.rounded(low + share * (low * ratio - low))
    assert low <= value <= low * ratio
    assert value == pytest.approx(low + share * (low * ratio - low), rel=1e-3)
