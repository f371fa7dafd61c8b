"""A regular expression from a stranger's config ends soon, or is refused."""

import time

import pytest

from cnntrain.data.image_folder import group_pattern
from cnntrain.data.image_folder.group_pattern import GroupPattern
from cnntrain.errors import DataError

PATH = "train/cat/p07_2024-05-01_img-0012.jpg"
RIGHT = {
    r"/(p\d+)_": "p07",
    r"(p\d{2,4})": "p07",
    r"(\d{4}-\d{2})-\d{2}": "2024-05",
    r"^[^/]+/[^/]+/([a-z]\d+)_.*\.jpe?g$": "p07",
    r"(?:cat|dog)/(.+?)_": "p07",
    r"(?<=/)(p\d+)(?=_)": "p07",
    r"(?i)(P\d++)": "p07",
    r"(?P<person>p(?>\d+))": "p07",
    r"(?:train/)?(cat)": "cat",
}


@pytest.mark.parametrize("pattern", RIGHT)
def test_usual_patterns_are_taken(pattern):
    expression = GroupPattern(pattern, "data.group")
    expression.check_length(100)
    assert next(expression.search_all([PATH]))[1] == RIGHT[pattern]


EVIL = [
    r"(a+)+$",
    r"((?:a*)*)b",
    r"(?:a|a)*(b)",
    r"(?:a|ab|b)+?(c)",
    r"((?:a?){40}a{40})",
    r"((?:a+){2,}b)",
    r"(?:(?:ab?)+)?(c)",
    r"(?=(a+)+b)",
    r"(?:(?:){1000}){1000}(a)",
    r"(?:){4000000000}(a)",
    r"(a)\1*\1*\1*b",
    r"(a)(?(1)b*|c*)*d",
    r"(a{2000})",
    "(" + "a" * 500 + ")",
    "(" * 400 + ")" * 400,
    *(
        r"(" + part * count + "b)"
        for part, count in (("a*", 9), (".*?", 12), ("a?", 60), ("(?:a|a)", 60), ("a{0,9}", 20))
    ),
    "(" + "a+" * 4 + "b)",
]


@pytest.mark.parametrize("pattern", EVIL, ids=lambda pattern: pattern[:30])
def test_what_could_take_long_is_refused(pattern):
    begin = time.process_time()
    with pytest.raises(DataError, match=r"^data.group "):
        GroupPattern(pattern, "data.group").check_length(255)
    assert time.process_time() - begin < 1


@pytest.mark.parametrize("pattern", [r"(a*a*b)", r"(\w*\w*c)", r"(.*.*)x", r"a?a?a?a?a?(a*)b", r"(?:a|b|c)(.+)x"])
def test_what_is_taken_ends_soon(pattern):
    expression = GroupPattern(pattern, "data.group")
    expression.check_length(255)
    begin = time.process_time()
    assert list(expression.search_all(["a" * 255])) == [None]
    assert time.process_time() - begin < 5


def test_many_paths_share_the_time(monkeypatch):
    monkeypatch.setattr(group_pattern, "MAX_SECONDS", 0.05)
    with pytest.raises(DataError, match="takes longer than"):
        list(GroupPattern(r"(a*a*b)", "data.group").search_all(["a" * 255] * 1000))


@pytest.mark.parametrize(
    ("pattern", "words"), [("(", "missing ), unterminated subpattern at character 1"), ("a", "0 groups")]
)
def test_what_is_no_pattern(pattern, words):
    with pytest.raises(DataError, match=words.replace(")", r"\)")):
        GroupPattern(pattern, "data.group")
