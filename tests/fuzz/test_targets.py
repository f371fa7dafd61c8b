"""Every reader takes well-formed files, and answers malformed ones with a sentence."""

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from seeds import seeds_of
from targets import TARGETS, attempt


@pytest.mark.parametrize("name", TARGETS)
def test_well_formed_files_are_taken(name, tmp_path):
    for number, content in enumerate(seeds_of(name, tmp_path)):
        (tmp_path / str(number)).mkdir()
        assert attempt(TARGETS[name], tmp_path / str(number), content)


@pytest.mark.parametrize("name", TARGETS)
def test_what_the_fuzzer_found_interesting_is_answered(name, tmp_path):
    for content in (Path(__file__).parent / "corpus" / name).glob("*"):
        (tmp_path / content.name).mkdir()
        attempt(TARGETS[name], tmp_path / content.name, content.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=25)
@given(data=st.data())
def test_malformed_files_are_answered_with_a_sentence(name, data):
    with tempfile.TemporaryDirectory() as folder:
        seeds = seeds_of(name, Path(folder))
        content = bytearray(data.draw(st.sampled_from(seeds)))
        for _ in range(data.draw(st.integers(0, 3))):
            start = data.draw(st.integers(0, len(content)))
            stop = data.draw(st.integers(start, min(len(content), start + 20)))
            content[start:stop] = data.draw(st.binary(max_size=20))
        (Path(folder) / "in").mkdir()
        attempt(TARGETS[name], Path(folder) / "in", bytes(content))
