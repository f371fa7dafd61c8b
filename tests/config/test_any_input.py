"""Whatever the input, a config or a ConfigError comes of it: no other exception, no warning, no endless work."""

from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnntrain.config import config_from_dict, load_config, to_yaml
from cnntrain.errors import ConfigError

IN_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
"""Each example writes the same file anew."""

words = st.sampled_from(
    ["network", "data", "training", "layers", "input", "source", "conv", "pool", "fc", "K", "F", "k", "type", "units"]
) | st.sampled_from(
    ["alpha", "Max", "digits", "idx", "path", "softmax", "activation", "loss", "filters", "epochs", "<<"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=5)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=3), inner, max_size=5)
)
snippets = words | st.sampled_from(
    [*"{}[]'\"|>#%\t\\1e.~,\r\0\ufeffα\x85\n", "\n  ", "- ", ": ", "? ", "&a ", "*a", "!!", "---", "..."]
)


def outcome(make, *arguments):
    """The config, or the lines of the error."""
    try:
        return make(*arguments)
    except ConfigError as error:
        return str(error).split("\n")


def check_file(content, *overrides):
    Path("a.yaml").write_bytes(content)
    found = outcome(load_config, "a.yaml", overrides)
    if isinstance(found, list):
        assert all(line.startswith(("a.yaml:", "override ", "and ")) for line in found)
    else:
        Path("b.yaml").write_text(to_yaml(found), encoding="utf-8")
        assert load_config("b.yaml") == found


@IN_ONE_FOLDER
@given(st.binary(max_size=200))
def test_any_bytes(content):
    check_file(content)


@IN_ONE_FOLDER
@given(st.text(max_size=200) | st.lists(snippets, max_size=40).map("".join))
def test_any_text(text):
    check_file(text.encode("utf-8", "surrogatepass"))


@IN_ONE_FOLDER
@given(trees)
def test_any_yaml(tree):
    check_file(yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"))


@IN_ONE_FOLDER
@given(trees)
def test_any_plain_data(tree):
    found = outcome(config_from_dict, tree, "w")
    assert not isinstance(found, list) or all(line.startswith(("w: ", "and ")) for line in found)


@IN_ONE_FOLDER
@given(
    st.lists(words | st.sampled_from(["0", "1", "-1", ""]) | st.text(max_size=3), max_size=6).map(".".join),
    st.lists(snippets, max_size=6).map("".join),
)
def test_any_override(key, value):
    text = b"network: {input: [1, 9, 9], layers: [conv: {K: 1, F: 1}, fc: {units: 2, activation: softmax}]}"
    check_file(text, f"{key}={value}")
