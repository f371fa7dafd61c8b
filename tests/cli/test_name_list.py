import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.cli.name_list import MAX_NAME, names_in
from cnntrain.errors import UsageError


class Slow(io.BytesIO):
    """Hands over a few bytes at a time, as a pipe does."""

    def read1(self, _size=-1):
        return super().read1(5)


def names(content):
    return list(names_in(io.BytesIO(content)))


@pytest.mark.parametrize(
    "content",
    [
        b"a.png\nb c.png\n",
        b"a.png\r\nb c.png",
        b"\n\na.png\r\n\r\nb c.png\r\n",
        b"\xef\xbb\xbfa.png\nb c.png\n",
        b"a.png\0b c.png\0",
        b"\xef\xbb\xbfa.png\0b c.png",
        "a.png\r\nb c.png\r\n".encode("utf-16"),
        "\ufeffa.png\nb c.png".encode("utf-16-be"),
    ],
)
def test_lists_as_programs_write_them(content):
    assert names(content) == ["a.png", "b c.png"]


def test_a_list_that_comes_slowly():
    assert list(names_in(Slow(b"\xef\xbb\xbfa.png\r\nlonger name.png\n"))) == ["a.png", "longer name.png"]


def test_a_name_with_a_line_break_between_nuls():
    assert names(b"a\n.png\0b\r\0") == ["a\n.png", "b\r"]


def test_names_are_bytes():
    assert names(b"caf\xe9.png\n") == [os.fsdecode(b"caf\xe9.png")]
    assert names("käse 猫.png\n".encode("utf-16")) == [os.fsdecode("käse 猫.png".encode())]


def test_the_first_names_come_before_the_list_ends():
    def chunks():
        yield b"a.png\nb.p"
        raise AssertionError("read too far")

    class Stream(io.BytesIO):
        coming = chunks()

        def read1(self, _size=-1):
            return next(self.coming)

    assert next(names_in(Stream())) == "a.png"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("a.png\nb.png\n".encode("utf-16-le"), "UTF-16 without a mark"),
        (b"\xff\xfea", "begins as UTF-16, and is not"),
        (b"a\n" * 40_000 + b"b\0c\0", "holds NUL and line breaks"),
        (b"x" * 10_000_000, "a name of more than 32,768 bytes; is it a list of names"),
        (b"x" * (MAX_NAME + 1) + b"\na.png", "a name of more than"),
        ("x".encode("utf-16") * (MAX_NAME + 1), "a name of more than"),
    ],
)
def test_what_is_no_list_of_names(content, why):
    with pytest.raises(UsageError, match=f"^-: .*{why}") as caught:
        names(content)
    assert len(str(caught.value)) < 200


@given(st.lists(st.text("ab é猫.", min_size=1).map(lambda name: f"./{name}")), st.sampled_from(["\n", "\r\n", "\0"]))
def test_any_list(wanted, separator):
    content = "".join(name + separator for name in wanted).encode()
    assert names(content) == [os.fsdecode(name.encode()) for name in wanted]
    assert list(names_in(Slow(content))) == names(content)
