"""``KEY=VALUE`` words."""

import pytest

CONFIG = """\
network:
  input: [1, 28, 28]
  layers:
    - conv: {K: 4, F: 3}
    - pool: {k: 2, type: max}
    - fc: {units: 10, activation: softmax}
training:
  epochs: 3
"""


@pytest.mark.parametrize(
    ("word", "path", "value"),
    [
        ("training.alpha=0.01", ("training", "alpha"), 0.01),
        ("training.alpha=1e-3", ("training", "alpha"), 0.001),
        ("training.Max=5", ("training", "Max"), 5),
        ("training.epochs=5", ("training", "Max"), 5),
        ("training.α=5", ("training", "alpha"), 5.0),
        ("training.batch_size=all", ("training", "batch_size"), "all"),
        ("training={alpha: 3}", ("training", "Max"), 10),
        ("training={epochs: 3}", ("training", "Max"), 3),
        ("training=null", ("training", "Max"), 10),
        ("network.layers[0].conv.K=8", ("network", "input"), (1, 28, 28)),
        ("training.alpha= 3 # comment", ("training", "alpha"), 3.0),
        ("network.input=[3, 32, 32]", ("network", "input"), (3, 32, 32)),
        ("network.input.0=3", ("network", "input"), (3, 28, 28)),
        ("data.source=digits", ("data", "source"), "digits"),
    ],
)
def test_a_word_replaces_or_adds_a_value(load, word, path, value):
    found = load(CONFIG, word)
    for name in path:
        found = getattr(found, name)
    assert found == value


@pytest.mark.parametrize("key", ["K", "filters"])
def test_a_layer_is_named_by_its_number(load, key):
    layers = load(CONFIG, f"network.layers.0.conv.{key}=8").network.layers
    assert layers[0].options.K == 8
    assert layers[0].options.F == 3


def test_a_whole_layer_can_be_replaced(load):
    layers = load(CONFIG, "network.layers.1={pool: {size: 3, type: average}}").network.layers
    assert (layers[1].options.k, layers[1].options.type) == (3, "average")


def test_later_words_win_under_whichever_name(load):
    assert load(CONFIG, "training.epochs=5", "training.Max=6").training.Max == 6
    assert load(CONFIG, "training.Max=6", "training.epochs=5").training.Max == 5


def test_an_override_reaches_one_of_several_aliases(load):
    text = "network:\n  input: [1, 28, 28]\n  layers:\n    - conv: &c {K: 4, F: 3}\n    - conv: *c\n"
    layers = load(text, "network.layers.0.conv.K=8").network.layers
    assert [layer.options.K for layer in layers] == [8, 4]


def test_an_empty_section_can_be_filled(load):
    assert load("network: {input: [1, 2, 2], layers: [fc: ]}\ntraining:\n", "training.Max=2").training.Max == 2


def test_an_override_can_mend_the_file(load):
    assert load("network: {input: [1, 2, 2], layers: [fc: ]}\ntraining: {Max: x}", "training.Max=2").training.Max == 2


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("abc", "expected KEY=VALUE, such as training.alpha=0.01"),
        ("", "expected KEY=VALUE, such as training.alpha=0.01"),
        ("=3", "the key is incomplete; a key is written as in training.alpha=0.01"),
        ("training..alpha=3", "the key is incomplete; a key is written as in training.alpha=0.01"),
        ("training.=3", "the key is incomplete; a key is written as in training.alpha=0.01"),
        ("training.alpha=abc", "training.alpha: expected a number above 0, got 'abc'"),
        ("training.alpha=", "training.alpha: expected a number above 0, got nothing"),
        ("training.epochs=abc", "training.epochs: expected a whole number of at least 1, got 'abc'"),
        ("training.shuffle=no", "training.shuffle: expected true or false, got 'no'; write false"),
        ("training.alhpa=1", "training: unknown key 'alhpa'; did you mean 'alpha'?"),
        ("trianing.alpha=1", "unknown key 'trianing'; did you mean 'training'?"),
        ("network.layers.0.conv.K=0", "layers[0].conv.K: expected a whole number of at least 1, got 0"),
        (
            "network.layers.3.conv.K=8",
            "network.layers: there is no entry '3'; its 3 entries are numbered 0 to 2",
        ),
        (
            "network.layers.-1.conv.K=8",
            "network.layers: there is no entry '-1'; its 3 entries are numbered 0 to 2",
        ),
        (
            "network.layers.conv.K=8",
            "network.layers: there is no entry 'conv'; its 3 entries are numbered 0 to 2",
        ),
        ("network.layers.0.pool.k=8", "layers[0]: there is no key 'pool' in it, but conv"),
        ("network.layers.0.K=8", "layers[0]: there is no key 'K' in it, but conv; write layers[0].conv.K"),
        ("training.epochs.x=8", "training.epochs: there is no key 'x' in it, as it is 3"),
        ("training.alpha=[1", "training.alpha: not valid YAML: a ',' or ']' is missing in the list"),
        (
            "training.alpha=!!python/none",
            "training.alpha: the tag '!!python/none' is not allowed; write the value alone",
        ),
        ("training={Max: 1, Max: 2}", "training: duplicate key 'Max'"),
        ("training={Max: 1, epochs: 2}", "training: 'Max' and 'epochs' mean the same; keep one of them"),
        ("training.alpha=" + "[" * 51, "training.alpha: more than 50 mappings and lists inside each other"),
        ("a." * 50 + "a=1", "the key has more than 50 parts"),
        ("network.layers.0.conv.F=30", "layers[0].conv: F = 30 does not fit"),
    ],
)
def test_what_is_wrong_with_a_word_is_told_with_the_word(faults, word, message):
    (told,) = faults(CONFIG, word)
    shown = word if len(word) <= 80 else word[:79] + "…"
    if "does not fit" in message:
        assert told.startswith(f"a.yaml:4:13: {message}")
    else:
        assert told == f"override {shown}: {message}"


def test_words_are_told_after_the_file(faults):
    assert faults(CONFIG + "  alpha: x\n", "training.seed=x", "abc") == [
        "a.yaml:9:10: training.alpha: expected a number above 0, got 'x'",
        "override abc: expected KEY=VALUE, such as training.alpha=0.01",
        "override training.seed=x: training.seed: expected a whole number of at least 0, got 'x'",
    ]


def test_a_list_without_entries_has_none_to_override(faults):
    told = faults("network: {input: [1, 2, 2], layers: []}", "network.layers.0.fc.units=3")
    assert "override network.layers.0.fc.units=3: network.layers: there is no entry '0'; it has no entries" in told


def test_a_word_can_hold_no_more_than_a_file(faults):
    (told,) = faults(CONFIG, f"training.alpha=[{'1, ' * 10_000}]")
    assert told.endswith(": training.alpha: more than 10,000 keys and values, counting all that aliases stand for")
    assert len(told) < 300


@pytest.mark.parametrize("key", ["alpha", "learning_rate", "Max"])
def test_a_key_of_training_without_its_section_is_known(faults, key):
    short = "alpha" if key == "learning_rate" else key
    told = [f"override {key}=3: unknown key '{key}'; did you mean 'training.{short}'?"]
    assert faults(CONFIG, f"{key}=3") == told
