"""What libraries say of a file, in plain words."""

import gzip
import json
import zlib
from pathlib import Path

import pytest

from cnntrain.errors import DataError, reason_of


def raised(call):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the point is what each of them becomes
        call()
    return caught.value


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: json.loads("{}\n\n{"), "it is not JSON from line 3 on"),
        (lambda: b"\xff".decode(), "it is not UTF-8 text"),
        (lambda: gzip.decompress(gzip.compress(b"a" * 99)[:-9]), "it is cut off"),
        (lambda: gzip.decompress(b"no gzip"), "its bytes are not as they were written"),
        (lambda: zlib.decompress(b"no zlib"), "its bytes are not as they were written"),
        (lambda: Path("/nowhere/at/all").read_bytes(), "No such file or directory"),
        (lambda: int("a"), "it does not hold what it should"),
        (lambda: json.loads("[" * 100_000), "it is nested too deep"),
    ],
)
def test_no_words_of_python(call, reason):
    assert reason_of(raised(call)) == reason


def test_our_own_words_stay():
    assert reason_of(DataError("a: b")) == "a: b"
