"""Commands that are printed can be pasted."""

import os
import shutil
import subprocess

import pytest

from cnntrain.cli.views.terminal import command


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    "word", ["a", "a b", "it's", "a\x1b[31m", "two\nlines", "\udcff", "ü\u202e'\\", "$HOME", "é\x85", "\x01" + "1"]
)
def test_a_word_comes_back(word):
    line = command("printf", "%s", word)
    assert line.isprintable()
    shown = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert shown.stdout == os.fsencode(word)
