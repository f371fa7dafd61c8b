"""Lines are there once each, whatever became of those who wrote them."""

import errno
import os
from contextlib import suppress

import pytest

from cnntrain.storage import LineFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.jsonl"


def test_lines_are_added(path):
    lines = LineFile(path)
    lines.add("one")
    lines.add("two")
    assert path.read_text() == "one\ntwo\n"
    assert lines.mark.length == 8


def test_nothing_is_made_before_the_first_line(path):
    LineFile(path).write()
    assert not path.exists()


@pytest.mark.parametrize("behind", ["", "th", "three\nfour\n"])
def test_what_is_behind_the_mark_is_forgotten(path, behind):
    lines = LineFile(path)
    lines.add("one")
    lines.add("two")
    path.write_text(path.read_text() + behind)
    again = LineFile(path)
    assert again.rewind(lines.mark, [])
    again.cut()
    assert path.read_text() == "one\ntwo\n"
    again.add("three")
    assert path.read_text() == "one\ntwo\nthree\n"


@pytest.mark.parametrize("content", [None, "one\n", "one\ntwi\n", ""])
def test_a_file_that_was_changed_is_found_out(path, content):
    lines = LineFile(path)
    lines.add("one")
    lines.add("two")
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert not LineFile(path).rewind(lines.mark, [])


@pytest.mark.parametrize("operation", ["cut", "write", "sync"])
def test_a_line_that_could_not_be_written_waits(path, failing_disk, operation):
    place = ["create", "cut", "write", "cut", "write", "sync"].index(operation, 3)
    lines = LineFile(path, failing_disk(place, OSError(errno.ENOSPC, "No space left on device")))
    lines.add("one")
    lines.waiting.append("two")
    with pytest.raises(OSError, match="No space"):
        lines.write(sync=True)
    lines.add("three")
    assert path.read_text() == "one\ntwo\nthree\n"
    assert lines.waiting == []


def test_while_writing_fails_it_is_tried_ever_more_rarely(path, disk):
    """Otherwise each line would cost as much as all lines before it."""
    lines, attempts = LineFile(path, disk), []

    def fail(file, content, path):
        attempts.append(len(lines.waiting))
        raise OSError(errno.ENOSPC, "No space left on device")

    disk.write = fail
    for number in range(1000):
        with suppress(OSError):
            lines.add(str(number))
    assert attempts == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    del disk.write
    lines.write()
    lines.add("1000")
    assert path.read_text().split() == [str(number) for number in range(1001)]
    assert lines.waiting == []


def test_after_any_crash_what_was_synced_is_there(path, disk, crashes):
    lines = LineFile(path, disk)
    lines.add("one")
    lines.write(sync=True)
    disk.sync_folder(path.parent)
    before = len(disk.operations)
    mark = lines.mark
    lines.add("two")
    lines.write(sync=True)
    for state in crashes({path.name: b"one\n"}, disk.operations[before:]):
        path.write_bytes(state[path.name])
        again = LineFile(path)
        assert again.rewind(mark, [])


@pytest.mark.parametrize("behind", ["", "thr", "three\nfour\n"])
@pytest.mark.parametrize("does", ["adds", "cuts", "syncs"])
def test_a_file_with_another_name_is_left_as_it_is_there(path, behind, does):
    """``cp -al`` makes such names, and anybody can make one for any file of theirs."""
    lines = LineFile(path)
    lines.add("one")
    lines.add("two")
    path.write_text(path.read_text() + behind)
    os.link(path, path.with_name("other"))
    again = LineFile(path)
    assert again.rewind(lines.mark, ["three"] if does == "syncs" else [])
    if does == "adds":
        again.add("three")
        again.add("four")
    elif does == "cuts":
        again.cut()
    else:
        again.write(sync=True)
    assert path.with_name("other").read_text() == "one\ntwo\n" + behind
    added = {"adds": "three\nfour\n", "cuts": "", "syncs": "three\n"}[does]
    assert path.read_text() == "one\ntwo\n" + added
    assert not list(path.parent.glob("*.tmp"))


def test_a_name_that_is_made_between_two_lines_is_seen(path):
    lines = LineFile(path)
    lines.add("one")
    os.link(path, path.with_name("other"))
    lines.add("two")
    lines.add("three")
    assert (path.with_name("other").read_text(), path.read_text()) == ("one\n", "one\ntwo\nthree\n")


def test_of_a_file_of_somebody_nothing_is_lost(path):
    """A mark of length 0 and a name for a file that is no list of lines at all."""
    path.with_name("letter").write_text("dear")
    os.link(path.with_name("letter"), path)
    lines = LineFile(path)
    assert lines.rewind(lines.mark, [])
    lines.cut()
    lines.add("one")
    assert (path.with_name("letter").read_text(), path.read_text()) == ("dear", "one\n")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
@pytest.mark.parametrize("target", ["letter", "nowhere"])
def test_a_link_is_not_followed(path, target):
    path.with_name("letter").write_text("dear")
    path.symlink_to(target)
    lines = LineFile(path)
    for _ in range(2):
        with pytest.raises(OSError, match="this is a link"):
            lines.add("one")
    assert sorted(file.name for file in path.parent.iterdir()) == sorted([path.name, "letter"])
    assert path.with_name("letter").read_text() == "dear"
    path.unlink()
    lines.write()
    assert path.read_text() == "one\none\n"


def test_after_any_crash_while_a_copy_takes_the_name_what_was_there_is_there(path, disk, crashes):
    lines = LineFile(path, disk)
    lines.add("one")
    lines.write(sync=True)
    disk.sync_folder(path.parent)
    mark, before = lines.mark, len(disk.operations)
    os.link(path, path.with_name("other"))
    lines.add("two")
    lines.write(sync=True)
    for state in crashes({path.name: b"one\n"}, disk.operations[before:]):
        path.write_bytes(state[path.name])
        again = LineFile(path)
        assert again.rewind(mark, [])
