"""Each kind of fault: where it is told to be, and in which words."""

import pytest

from cnntrain.config import load_config
from cnntrain.config.schema.config import SOURCES
from cnntrain.config.yaml.wording import either
from cnntrain.errors import ConfigError

NETWORK = "network: {input: [1, 28, 28], layers: [fc: {units: 10, activation: softmax}]}\n"
KINDS = either(SOURCES)
LAYERS = "network:\n  input: [1, 28, 28]\n  layers:\n    "


@pytest.mark.parametrize(
    ("key", "written", "message"),
    [
        ("alpha", "0", "expected a number above 0, got 0"),
        ("alpha", "-1e-3", "expected a number above 0, got -1e-3"),
        ("alpha", ".nan", "expected a number above 0, got .nan"),
        ("alpha", "nan", "expected a number above 0, got 'nan'"),
        ("alpha", ".inf", "expected a number above 0, got .inf"),
        ("alpha", "1e999", "expected a number above 0, got 1e999"),
        ("alpha", "true", "expected a number above 0, got true"),
        ("alpha", "", "expected a number above 0, got nothing"),
        ("alpha", "fast", "expected a number above 0, got 'fast'"),
        ("alpha", '"0.1"', "expected a number above 0, got '0.1'; remove the quotes"),
        ("alpha", "[0.1, 0.2]", "expected a number above 0, got [0.1, 0.2]"),
        ("alpha", "{a: [b]}", "expected a number above 0, got {a: ['b']}"),
        ("Max", "0", "expected a whole number of at least 1, got 0"),
        ("Max", "3.5", "expected a whole number of at least 1, got 3.5"),
        ("Max", "3.0", "expected a whole number of at least 1, got 3.0; write 3"),
        ("Max", "1e1", "expected a whole number of at least 1, got 1e1; write 10"),
        ("Max", "true", "expected a whole number of at least 1, got true"),
        ("Max", "017", "expected a whole number of at least 1, got '017'; write 17"),
        ("Max", "1_000", "expected a whole number of at least 1, got '1_000'; write 1000"),
        ("Max", "1:30", "expected a whole number of at least 1, got '1:30'"),
        ("Max", "0x10", "expected a whole number of at least 1, got '0x10'"),
        ("Max", "1" * 5000, "expected a whole number of at least 1, got a number of 5,000 digits"),
        ("seed", "-1", "expected a whole number of at least 0, got -1"),
        ("epsilon", "-1", "expected a number of at least 0, got -1"),
        ("momentum", "1", "expected a number of at least 0 and below 1, got 1"),
        ("batch_size", "half", "expected a whole number of at least 1 or all, got 'half'"),
        ("batch_size", "al", "expected a whole number of at least 1 or all, got 'al'; did you mean 'all'?"),
        ("batch_size", "2.0", "expected a whole number of at least 1 or all, got 2.0; write 2"),
        ("loss", "crossentropy", "expected cross_entropy or mse, got 'crossentropy'; did you mean 'cross_entropy'?"),
        ("dtype", "32", "expected float32 or float64, got 32"),
        ("shuffle", "no", "expected true or false, got 'no'; write false"),
        ("shuffle", "On", "expected true or false, got 'On'; write true"),
        ("shuffle", "1", "expected true or false, got 1"),
        ("shuffle", "maybe", "expected true or false, got 'maybe'"),
        ("nesterov", "true", "nesterov needs momentum; add 'momentum: 0.9' or leave nesterov out"),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(training_faults, key, written, message):
    column = len(f"training: {{{key}: ") + 1 - (not written)
    assert training_faults(f"{{{key}: {written}}}") == [f"a.yaml:2:{column}: training.{key}: {message}"]


def test_the_position_is_that_of_the_value_and_the_name_is_the_one_written(faults):
    assert faults(LAYERS + "- conv: {filters: many, F: 3}\n") == [
        "a.yaml:4:23: layers[0].conv.filters: expected a whole number of at least 1, got 'many'"
    ]


def test_the_path_is_shown_as_given(folder):
    (folder / "configs").mkdir()
    (folder / "configs" / "a.yaml").write_text("a: 1")
    with pytest.raises(ConfigError, match=r"^\./configs/a\.yaml:1:1: "):
        load_config("./configs/a.yaml")


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("conv: {K: 1, F: 1, kernal: 3}", "4:26: layers[0].conv: unknown key 'kernal'; did you mean 'kernel'?"),
        ("conv: {K: 1, F: 1, p: 3}", "4:26: layers[0].conv: unknown key 'p'; did you mean 'P'?"),
        (
            "conv: {K: 1, F: 1, foo: 3}",
            "4:26: layers[0].conv: unknown key 'foo'; known here: K (filters), F (kernel), P (padding), S (stride), "
            "activation, init",
        ),
        (
            "conv: {K: 1, F: 1, Q: 3}",
            "4:26: layers[0].conv: unknown key 'Q'; known here: K (filters), F (kernel), P (padding), S (stride), "
            "activation, init",
        ),
        ("conv: {K: 1, kernal: 3}", "4:20: layers[0].conv: unknown key 'kernal'; did you mean 'kernel'?"),
        ("conv: {K: 1, F:3}", "4:20: layers[0].conv: unknown key 'F:3'; a ':' needs a space after it"),
        ("conv: {K: 1}", "4:13: layers[0].conv: missing key 'F', a whole number of at least 1"),
        ("pool: {k: 1}", "4:13: layers[0].pool: missing key 'type', max or average"),
        (
            "pool: {k: 1, type: maximum}",
            "4:26: layers[0].pool.type: expected max or average, got 'maximum'; did you mean 'max'?",
        ),
        (
            "conv: {K: 1, F: 1, activation: ReLU}",
            "4:38: layers[0].conv.activation: expected identity, relu, leaky_relu, sigmoid, tanh, softplus or elu, "
            "got 'ReLU'; did you mean 'relu'?",
        ),
        ("conv: 3", "4:13: layers[0].conv: expected a mapping with keys such as K, F, P, S, activation or init, got 3"),
        (
            "pool",
            "4:7: layers[0]: expected a mapping with keys such as conv, pool, fc, batch_norm, dropout or residual, "
            "got 'pool'",
        ),
        (
            "{}",
            "4:7: layers[0]: expected one of conv, pool, fc, batch_norm, dropout or residual in each entry, got none",
        ),
        (
            "{pool: {k: 1, type: max}, fc: {units: 1}}",
            "4:7: layers[0]: expected one of conv, pool, fc, batch_norm, dropout or residual in each entry, got pool "
            "and fc",
        ),
        ("cnov: {K: 1, F: 1}", "4:7: layers[0]: unknown key 'cnov'; did you mean 'conv'?"),
        ("lstm: {}", "4:7: layers[0]: unknown key 'lstm'; known here: conv, pool, fc, batch_norm, dropout, residual"),
    ],
)
def test_a_faulty_layer_is_told_in_plain_words(faults, layer, message):
    assert faults(LAYERS + f"- {layer}\n") == [f"a.yaml:{message}"]


def test_options_that_are_not_indented_are_recognised(faults):
    assert faults(LAYERS + "- conv:\n      K: 3\n      kernel: 3\n") == [
        "a.yaml:5:7: layers[0]: unknown key 'K'; it belongs to 'conv': indent it further than 'conv'",
        "a.yaml:6:7: layers[0]: unknown key 'kernel'; it belongs to 'conv': indent it further than 'conv'",
    ]


@pytest.mark.parametrize(
    ("written", "column"), [("[1, 28]", 19), ("[1, 2, 3, 4]", 19), ("[1, 2, 0]", 19), ("28", 19), ("{a: 1}", 19)]
)
def test_an_input_is_three_whole_numbers(faults, written, column):
    assert faults(f"network: {{ input: {written}, layers: [fc: {{units: 1}}]}}") == [
        f"a.yaml:1:{column}: network.input: expected a list of three, each a whole number of at least 1, got {written}"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("netwrok: {}", "1:1: unknown key 'netwrok'; did you mean 'network'?"),
        ("training: {}", "1:1: missing key 'network'"),
        (
            "network: 3",
            "1:10: network: expected a mapping with keys such as input, layers, start_from, start_digest or freeze, "
            "got 3",
        ),
        ("network: {input: [1, 1, 1]}", "1:10: network: missing key 'layers', a list of at least one"),
        (
            "network: {input: [1, 1, 1], layers: []}",
            "1:37: network.layers: expected a list of at least one, got []",
        ),
        (
            "network: {input: [1, 1, 1], layers: {fc: {}}}",
            "1:37: network.layers: expected a list of at least one, got {fc: {}}",
        ),
        (
            "network: {layers: [fc: {units: 1}]}",
            "1:10: network: missing key 'input', [C, H, W]: there is no data section to take it from",
        ),
        ("daat: {source: digits}\nnetwork: {layers: [fc: {}]}", "1:1: unknown key 'daat'; did you mean 'data'?"),
        (
            f"{NETWORK}training: fast",
            "2:11: training: expected a mapping with keys such as alpha, Max, epsilon, patience, min_delta, best_by, "
            "batch_size or reduction, got 'fast'",
        ),
        (f"{NETWORK}data: {{}}", f"2:7: data: missing key 'source': {KINDS}"),
        (
            f"{NETWORK}data: digits",
            "2:7: data: expected a mapping with keys such as source, validation or standardize, got 'digits'",
        ),
        (
            f"{NETWORK}data: {{source: digit}}",
            f"2:16: data.source: expected {KINDS}, got 'digit'; did you mean 'digits'?",
        ),
        (f"{NETWORK}data: {{source: [idx]}}", f"2:16: data.source: expected {KINDS}, got ['idx']"),
        (f"{NETWORK}data: {{source: idx}}", "2:7: data: missing key 'path', text"),
        (f"{NETWORK}data: {{source: idx, path: 3}}", "2:27: data.path: expected text, got 3"),
        (
            f"{NETWORK}data: {{source: idx, path: ''}}",
            "2:27: data.path: expected the path of a file or folder, got ''",
        ),
        (
            f"{NETWORK}data: {{source: digits, path: x}}",
            "2:24: data: unknown key 'path'; known here: source, validation, standardize",
        ),
        (
            f"{NETWORK}data: {{source: mnist, mirrors: [ftp://a]}}",
            "2:32: data.mirrors: expected a list of at least one, each a URL that begins with http:// or https://, "
            "got ['ftp://a']",
        ),
        (
            f"{NETWORK}data: {{source: npz, path: x, layout: NCWH}}",
            "2:38: data.layout: expected NHWC or NCHW, got 'NCWH'; did you mean 'NCHW'?",
        ),
        (
            f"{NETWORK}data: {{source: digits, validation: 1}}",
            "2:36: data.validation: expected a number of at least 0 and below 1, got 1",
        ),
    ],
)
def test_a_faulty_section_is_told_in_plain_words(faults, text, message):
    assert faults(text) == [f"a.yaml:{message}"]


def test_all_faults_are_told_at_once_in_the_order_of_the_file(faults):
    told = faults(
        """\
training:
  alpha: .nan
  alhpa: 1
  Max: many
data: {source: digits, validation: 2}
network:
  input: [1, 28, 28]
  layers:
    - fc: {units: ten}
    - conv: {K: 1, F: 3}
    - fc:
    - fc: {activation: softmax}
extra: 1
"""
    )
    assert [line.split(": ")[:2] for line in told] == [
        ["a.yaml:2:10", "training.alpha"],
        ["a.yaml:3:3", "training"],
        ["a.yaml:4:8", "training.Max"],
        ["a.yaml:5:36", "data.validation"],
        ["a.yaml:9:19", "layers[0].fc.units"],
        ["a.yaml:11:10", "layers[2].fc"],
        ["a.yaml:13:1", "unknown key 'extra'; known here"],
    ]


def test_a_hundred_faults_are_enough(training_faults):
    told = training_faults("{" + ", ".join(f"k{number}: 1" for number in range(150)) + "}")
    assert len(told) == 101
    assert told[-1] == "and 50 more"


def test_values_are_cut_at_eighty_characters(training_faults):
    (told,) = training_faults(f"{{alpha: [{'[0.25, 0.5], ' * 900}]}}")
    shown = told.split("got ")[1]
    assert len(shown) == 80
    assert shown.endswith("…")
    (told,) = training_faults(f"{{alpha: {'x' * 5000}}}")
    assert len(told.split("got ")[1]) == 80
    (told,) = training_faults(f"{{{'x' * 5000}: 1}}")
    assert len(told) < 300


def test_what_a_terminal_would_act_on_is_made_harmless(training_faults):
    told = training_faults('{alpha: "\\e[31mred", "\\e[32m": 1, "\\a\\n": {"\\e": 1}}')
    assert all(line.isprintable() for line in told)
