"""How the text of a file is read: YAML 1.1's traps, syntax errors, tags, duplicates, merges, encodings."""

import pytest

NETWORK = "network: {input: [1, 28, 28], layers: [fc: {units: 10, activation: softmax}]}\n"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1e-3", 0.001),
        ("1E-3", 0.001),
        ("1e3", 1000.0),
        ("1.5e-3", 0.0015),
        (".5", 0.5),
        ("5.", 5.0),
        (".5e1", 5.0),
        ("+1E+2", 100.0),
        ("1_0.5", None),
        ("1,5", None),
        ("0x1p3", None),
        ("e3", None),
        ("1:30", None),
        ("１", None),
        ("017", None),
        ("08.5", 8.5),
    ],
)
def test_numbers_are_read_as_people_mean_them(training, training_faults, written, number):
    if number is None:
        assert len(training_faults(f"\n  alpha: {written}")) == 1
    else:
        assert training(f"{{alpha: {written}}}").alpha == number


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "y", "n", "No", "'true'"])
def test_only_true_and_false_are_truth_values(training_faults, word):
    (told,) = training_faults(f"{{shuffle: {word}}}")
    assert told.startswith("a.yaml:2:21: training.shuffle: expected true or false, got ")


@pytest.mark.parametrize(("word", "value"), [("true", True), ("True", True), ("FALSE", False)])
def test_true_and_false_may_have_capitals(training, word, value):
    assert training(f"{{shuffle: {word}}}").shuffle is value


@pytest.mark.parametrize("name", ["no", "on", "017", "1:30", "1e3x", "2001-01-01", "=", "0o17"])
def test_other_words_stay_text(load, name):
    data = load(f"{NETWORK}data: {{source: idx, path: {name}}}").data
    assert data.path.name == name


@pytest.mark.parametrize("key", ["no", "1", "null", "1.5", "true", "2001-01-01"])
def test_keys_are_text(faults, key):
    (told,) = faults(f"{NETWORK}{key}: 3")
    assert told == f"a.yaml:2:1: unknown key '{key}'; known here: data, network, training"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: the config is empty; it needs the keys data, network and training"),
        ("# only a comment\n", "1:1: the config is empty; it needs the keys data, network and training"),
        ("---\n", "2:1: expected the keys data, network and training, got nothing"),
        ("- 1\n- 2\n", "1:1: expected the keys data, network and training, got [1, 2]"),
        ("just words", "1:1: expected the keys data, network and training, got 'just words'"),
        ("a: 1\n---\nb: 2\n", "2:1: a second document begins here; a config is one document, without '---' lines"),
        ("a: [1, 2\n", "2:1: not valid YAML: a ',' or ']' is missing in the list; the beginning is at 1:4"),
        ("a: {b: 1\n", "2:1: not valid YAML: a ',' or '}' is missing in the mapping; the beginning is at 1:4"),
        ("a: 'text\n", "2:1: not valid YAML: the quotes are not closed; the beginning is at 1:4"),
        ("a:\n\tb: 1\n", "2:1: not valid YAML: a tab; indent with spaces"),
        ("a: @b\n", "1:4: not valid YAML: a character that cannot begin a word; put quotes around text"),
        ("a:\n  b: 1\n c: 2\n", "3:2: not valid YAML: the indentation does not fit the lines above"),
        (
            "a: b: c\n",
            "1:5: not valid YAML: a ':' where no key can stand; begin a new line, or put quotes around text",
        ),
        ("alpha: 1\nMax 3\nseed: 1\n", "3:1: not valid YAML: a ':' is missing after a key"),
        (
            'a: "\\q"\n',
            "1:6: not valid YAML: an unknown escape after '\\'; single quotes keep every '\\' as it is",
        ),
        ('a: "\\U99999999"\n', "1:1: not valid YAML: an escape or version beyond all bounds"),
        (f"%YAML 1.{'1' * 5000}\n---\na: 1\n", "1:1: not valid YAML: an escape or version beyond all bounds"),
        ("a: - 1\n", "1:4: not valid YAML: a '-' where no list can stand; begin a new line"),
        ("? [a]\n: 1\n", "1:3: a list or mapping cannot be a key"),
        ("a: *b\n", "1:4: the alias '*b' has no anchor '&b' before it"),
        ("a: &b [1, *b]\n", "1:11: the alias '*b' stands inside what it stands for"),
        ("a: \x07\n", "1:4: the character '\\x07' is not text; is this a YAML file?"),
        (b"a: 1\nb: \x00\n", "2:4: the character '\\x00' is not text; is this a YAML file?"),
        (b"\x89PNG\r\n\x1a\n\x00", "1:1: the byte 0x89 is not UTF-8 text; is this a YAML file?"),
        (b"a: 1\nb: caf\xe9\n", "2:7: the byte 0xe9 is not UTF-8 text; is this a YAML file?"),
        ("a: 1".encode("utf-16"), "1:1: the file is UTF-16; save it as UTF-8"),
        (b"\xfe\xff" + "a: 1".encode("utf-16-be"), "1:1: the file is UTF-16; save it as UTF-8"),
        ("a: 1".encode("utf-32"), "1:1: the file is UTF-32; save it as UTF-8"),
    ],
)
def test_what_cannot_be_read_is_one_fault_with_its_position(faults, text, message):
    assert faults(text) == [f"a.yaml:{message}"]


def test_a_byte_order_mark_is_fine_and_moves_no_column(load, faults):
    assert load(b"\xef\xbb\xbf" + NETWORK.encode()).network.input == (1, 28, 28)
    assert faults(b"\xef\xbb\xbfa: b: c")[0].startswith("a.yaml:1:5: ")


def test_lines_may_end_as_in_windows(faults):
    assert faults("training:\r\n  alpha: x\r\n" + NETWORK) == [
        "a.yaml:2:10: training.alpha: expected a number above 0, got 'x'"
    ]


def test_a_duplicate_key_is_told_with_both_positions(faults):
    text = (
        "network:\n  input: [1, 28, 28]\n  layers:\n    - conv: {K: 1, F: 3, K: 2}\ntraining: {Max: 1}\ntraining: {}\n"
    )
    assert faults(text) == [
        "a.yaml:4:26: layers[0].conv: duplicate key 'K', first given at 4:14",
        "a.yaml:6:1: duplicate key 'training', first given at 5:1",
    ]


def test_duplicates_are_told_together_with_other_faults(training_faults):
    assert training_faults("{Max: many, Max: 3}") == [
        "a.yaml:2:17: training.Max: expected a whole number of at least 1, got 'many'",
        "a.yaml:2:23: training: duplicate key 'Max', first given at 2:12",
    ]


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("!!python/object/apply:os.system ['rm']", "!!python/object/apply:os.system"),
        ("!!python/name:os.system", "!!python/name:os.system"),
        ("!mine 3", "!mine"),
        ("! 3", "!"),
        ("!!float 3", "!!float"),
        ("!!map {a: b}", "!!map"),
    ],
)
def test_tags_are_not_followed(training_faults, written, tag):
    assert training_faults(f"{{alpha: {written} }}") == [
        f"a.yaml:2:19: training.alpha: the tag '{tag}' is not allowed; write the value alone"
    ]


def test_anchors_and_merges_save_typing(load):
    layers = load(
        """\
network:
  input: [1, 28, 28]
  layers:
    - conv: &same {K: 4, F: 3, activation: relu}
    - conv: *same
    - conv: {<<: *same, K: 8}
    - conv: {<<: [{K: 1}, *same]}
"""
    ).network.layers
    assert [layer.options.K for layer in layers] == [4, 4, 8, 1]
    assert {layer.options.activation for layer in layers} == {"relu"}


def test_a_fault_in_what_aliases_stand_for_is_told_where_it_is_written(faults):
    assert faults("network:\n  input: [1, 9, 9]\n  layers:\n    - conv: &same {K: no, F: 3}\n    - conv: *same\n") == [
        "a.yaml:4:23: layers[0].conv.K: expected a whole number of at least 1, got 'no'",
        "a.yaml:4:23: layers[1].conv.K: expected a whole number of at least 1, got 'no'",
    ]


def test_only_mappings_can_be_merged(training_faults):
    assert training_faults("{<<: [3]}") == ["a.yaml:2:17: training: '<<' merges mappings, and this is not one"]


def test_an_anchor_given_again_means_the_new_value(load):
    layers = load(
        "network: {input: [1, 9, 9], layers: [conv: {K: &n 2, F: &n 3}, conv: {K: *n, F: 1}]}",
    ).network.layers
    assert layers[1].options.K == 3
