"""How much a config may hold: each limit just below, at, and beyond; and hostile files cost neither time nor memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cnntrain.config import load_config
from cnntrain.config.file import MAX_BYTES
from cnntrain.config.yaml.reader import ALIASES, DEPTH, VALUES
from cnntrain.errors import ConfigError

NETWORK = "network: {input: [1, 28, 28], layers: [fc: {units: 10, activation: softmax}]}\n"


def padded(size):
    return NETWORK + "#" * (size - len(NETWORK) - 1) + "\n"


def nested(depth):
    """A config in which ``depth`` mappings and lists are inside each other."""
    return f"{NETWORK}training:\n  alpha: {'[' * (depth - 2)}{']' * (depth - 2)}\n"


def aliased(count):
    return f"{NETWORK}training: {{alpha: &a 1, seed: [{', '.join(['*a'] * count)}]}}\n"


def counted(values):
    return f"[{', '.join(['1'] * (values - 1))}]"


def aliased_values(values):
    """A list that is written short, and stands for ``values`` values with itself and the list in it."""
    half = (values - 2) // 2
    return f"[&a [{', '.join(['1'] * (half - 1))}], *a{', 1' * (values - 1 - 2 * half)}]"


@pytest.mark.parametrize("size", [MAX_BYTES - 1, MAX_BYTES])
def test_a_file_may_be_as_long_as_the_limit(load, size):
    assert load(padded(size)).network.input == (1, 28, 28)


def test_a_longer_file_is_refused(faults):
    assert MAX_BYTES == 1_000_000
    told = ["a.yaml:1:1: the file is larger than 1,000,000 bytes, the maximum for a config"]
    assert faults(padded(MAX_BYTES + 1)) == told
    assert faults(padded(5 * MAX_BYTES)) == told


@pytest.mark.parametrize("depth", [DEPTH - 1, DEPTH])
def test_values_may_be_nested_as_deep_as_the_limit(faults, depth):
    (told,) = faults(nested(depth))
    assert told.startswith("a.yaml:3:10: training.alpha: expected a number above 0, got [[[")


@pytest.mark.parametrize("depth", [DEPTH + 1, 100_000])
def test_deeper_nesting_is_refused(faults, depth):
    assert DEPTH == 50
    assert faults(nested(depth)) == ["a.yaml:3:58: more than 50 mappings and lists inside each other"]


@pytest.mark.parametrize("start", ["- ", "? ", "{a: ", "["])
def test_every_form_of_nesting_counts(faults, start):
    (told,) = faults(start * 10_000)
    assert told.endswith(": more than 50 mappings and lists inside each other")


@pytest.mark.parametrize("count", [ALIASES - 1, ALIASES])
def test_as_many_aliases_as_the_limit_are_fine(faults, count):
    (told,) = faults(aliased(count))
    assert told.startswith("a.yaml:2:31: training.seed: expected a whole number of at least 0, got [1, 1, ")


def test_more_aliases_are_refused(faults):
    assert ALIASES == 100
    assert faults(aliased(ALIASES + 1)) == ["a.yaml:2:432: more than 100 aliases (*name)"]


@pytest.mark.parametrize("form", [counted, aliased_values])
@pytest.mark.parametrize("values", [VALUES - 1, VALUES])
def test_as_many_values_as_the_limit_are_fine(faults, form, values):
    (told,) = faults(form(values))
    assert told.startswith("a.yaml:1:1: expected the keys data, network and training, got [")


@pytest.mark.parametrize("form", [counted, aliased_values])
def test_more_values_are_refused(faults, form):
    (told,) = faults(form(VALUES + 1))
    assert told.endswith(": more than 10,000 keys and values, counting all that aliases stand for")


def test_merged_keys_count_as_well(faults):
    keys = ", ".join(f"k{number}: 1" for number in range(90))
    (told,) = faults(f"[&a {{{keys}}}, {', '.join(['{<<: *a}'] * 90)}]")
    assert told.endswith(": more than 10,000 keys and values, counting all that aliases stand for")


def laughs(levels=9, width=10):
    """The billion laughs: each line stands for ten times the one before."""
    lines = ["a0: &a0 [ha, ha]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]" for level in range(1, levels)]
    return "\n".join(lines) + "\n"


HOSTILE = {
    "billion laughs": laughs(),
    "a smaller bomb": f"{NETWORK}training:\n  l1: &a [1, 1]\n  l2: &b [{'*a, ' * 40}]\n  seed: [{'*b, ' * 40}]\n",
    "aliases of faulty layers": "network:\n  layers:\n    - &a {conv: {K: a, F: b, c: d}}\n" + "    - *a\n" * 99,
    "unknown keys": "training:\n" + "".join(f"  alpha{number}: 1\n" for number in range(4_990)),
    "long unknown keys": "training:\n" + "".join(f"  {'alpha' * 36}{number}: 1\n" for number in range(4_990)),
    "brackets": "[" * 900_000,
    "a long number": "training: {seed: " + "1" * 900_000 + "}\n",
    "a long fraction": "training: {alpha: 0." + "1" * 900_000 + "}\n",
    "long text": "training: {loss: '" + "mse " * 220_000 + "'}\n",
    "lines of text": "a\n" * 499_000,
    "directives": "%F a\n" * 190_000 + "---\na\n",
    "faulty layers": "network:\n  layers:\n" + "    - conv: {K: many, kernal: 3}\n" * 1_100,
}


PROGRAM = """
import json, pathlib, sys
from cnntrain.config import load_config
from cnntrain.errors import ConfigError
told = []
for path in sys.argv[1:]:
    try:
        load_config(path)
    except ConfigError as error:
        told.append(str(error).split("\\n"))
status = pathlib.Path("/proc/self/status").read_text().split()
print(json.dumps([told, int(status[status.index("VmHWM:") + 1])]))
"""


@pytest.mark.slow
def test_hostile_files_are_refused_in_few_words_and_little_memory(folder):
    """In a process of its own, which tells how much it ever held (not ru_maxrss: that begins at what pytest holds)."""
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells what a process held at most")
    for number, text in enumerate(HOSTILE.values()):
        (folder / f"{number}.yaml").write_text(text)
    paths = [f"{number}.yaml" for number in range(len(HOSTILE))]
    printed = subprocess.run(
        [sys.executable, "-c", PROGRAM, *paths], capture_output=True, check=True, timeout=60
    ).stdout
    errors, most = json.loads(printed)
    assert len(errors) == len(HOSTILE)
    assert all(len(lines) <= 101 and max(map(len, lines)) < 600 for lines in errors)
    assert most * 1024 < 300 * 10**6


def test_files_that_are_none_are_refused(folder):
    (folder / "folder.yaml").mkdir()
    for path, message in [
        ("missing.yaml", "missing.yaml: there is no such file"),
        (
            "folder.yaml",
            "folder.yaml: this is a folder, not a config file; `cnntrain init FOLDER` writes one",
        ),
        ("a\0.yaml", "a\\x00.yaml: cannot be read: no file has such a name"),
        ("x" * 5000, None),
    ]:
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        assert message is None or str(caught.value) == message
