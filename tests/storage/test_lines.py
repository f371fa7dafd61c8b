"""Lines are there once each, whatever became of those who wrote them."""

import errno

import pytest

from cnntrain.storage import Lines


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.jsonl"


def test_lines_are_added(path):
    lines = Lines(path)
    lines.add("one")
    lines.add("two")
    assert path.read_text() == "one\ntwo\n"
    assert lines.mark.length == 8


def test_nothing_is_made_before_the_first_line(path):
    Lines(path).write()
    assert not path.exists()


@pytest.mark.parametrize("behind", ["", "th", "three\nfour\n"])
def test_what_is_behind_the_mark_is_forgotten(path, behind):
    lines = Lines(path)
    lines.add("one")
    lines.add("two")
    path.write_text(path.read_text() + behind)
    again = Lines(path)
    assert again.go_back_to(lines.mark, [])
    again.cut()
    assert path.read_text() == "one\ntwo\n"
    again.add("three")
    assert path.read_text() == "one\ntwo\nthree\n"


@pytest.mark.parametrize("content", [None, "one\n", "one\ntwi\n", ""])
def test_a_file_that_was_changed_is_found_out(path, content):
    lines = Lines(path)
    lines.add("one")
    lines.add("two")
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert not Lines(path).go_back_to(lines.mark, [])


@pytest.mark.parametrize("operation", ["cut", "write", "sync"])
def test_a_line_that_could_not_be_written_waits(path, failing_disk, operation):
    place = ["create", "cut", "write", "cut", "write", "sync"].index(operation, 3)
    lines = Lines(path, failing_disk(place, OSError(errno.ENOSPC, "No space left on device")))
    lines.add("one")
    lines.waiting.append("two")
    with pytest.raises(OSError, match="No space"):
        lines.write(sync=True)
    lines.add("three")
    assert path.read_text() == "one\ntwo\nthree\n"
    assert lines.waiting == []


def test_after_any_crash_what_was_synced_is_there(path, disk, crashes):
    lines = Lines(path, disk)
    lines.add("one")
    lines.write(sync=True)
    disk.sync_folder(path.parent)
    before = len(disk.operations)
    mark = lines.mark
    lines.add("two")
    lines.write(sync=True)
    for state in crashes({path.name: b"one\n"}, disk.operations[before:]):
        path.write_bytes(state[path.name])
        again = Lines(path)
        assert again.go_back_to(mark, [])
