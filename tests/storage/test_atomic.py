"""A file takes another's place whole or not at all, wherever writing it is cut short."""

import errno
import json
import os

import pytest

from cnntrain.storage import disk as disk_module
from cnntrain.storage import sweep, write_file, write_json
from cnntrain.storage.disk import DISK, Disk

OLD, NEW = b"old content", b"the new content, which is longer"


def test_the_file_is_written_and_nothing_else_is_left(tmp_path):
    write_file(tmp_path / "a", OLD)
    write_file(tmp_path / "a", NEW)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": NEW}


def test_everything_is_synced_in_its_order(tmp_path, disk):
    write_file(tmp_path / "a", NEW, disk)
    assert [operation[0] for operation in disk.operations] == ["create", "write", "sync", "replace", "sync_folder"]


def test_after_any_crash_the_file_is_the_old_or_the_new_one(tmp_path, disk, crashes):
    (tmp_path / "a").write_bytes(OLD)
    write_file(tmp_path / "a", NEW, disk)
    found = [state["a"] for state in crashes({"a": OLD}, disk.operations)]
    assert set(found) == {OLD, NEW}


@pytest.mark.parametrize("damaged", [OLD[:-1], OLD + b"x", b"x" + OLD[1:], b""])
def test_what_is_read_back_is_compared_to_the_last_byte(tmp_path, damaged, monkeypatch):
    monkeypatch.setattr(disk_module, "CHUNK", 4)
    (tmp_path / "a").write_bytes(OLD)
    assert DISK.holds(tmp_path / "a", OLD)
    assert not DISK.holds(tmp_path / "a", damaged)


@pytest.mark.parametrize("left_out", ["sync", "sync_folder"])
def test_the_states_after_a_crash_show_what_a_missing_sync_does(tmp_path, disk, crashes, left_out):
    """The proof above would see it."""
    (tmp_path / "a").write_bytes(OLD)
    write_file(tmp_path / "a", NEW, disk)
    rest = [operation for operation in disk.operations if operation[0] != left_out]
    at_the_end = list(crashes({"a": OLD}, rest))[-1:]
    states = [state["a"] for state in crashes({"a": OLD}, rest)]
    if left_out == "sync":
        assert set(states) - {OLD, NEW}
    else:
        assert at_the_end
        assert OLD in states


@pytest.mark.parametrize("operation", range(5))
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_whatever_fails_the_file_is_whole_and_nothing_else_is_left(tmp_path, failing_disk, operation, error):
    (tmp_path / "a").write_bytes(OLD)
    with pytest.raises(type(error)):
        write_file(tmp_path / "a", NEW, failing_disk(operation, error))
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert left == {"a": NEW if operation == 4 else OLD}


def test_a_disk_that_gives_back_something_else_is_found_out(tmp_path):
    class Forgetful(Disk):
        def holds(self, path, content):
            return super().holds(path, content[:-1] + b"?")

    (tmp_path / "a").write_bytes(OLD)
    with pytest.raises(OSError, match="read back") as caught:
        write_file(tmp_path / "a", NEW, Forgetful())
    assert caught.value.filename == str(tmp_path / "a")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": OLD}


def test_json_is_read_back(tmp_path):
    write_json(tmp_path / "a.json", {"é": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"é": [1, None]}


def test_the_sweep_takes_only_what_is_ours(tmp_path):
    (tmp_path / "checkpoint.safetensors.0123abcd.tmp").touch()
    others = {"a.tmp", "a.0123abcd.tmp.txt", "a.0123ABCD.tmp", "a", "report.0123abcd.tmp", ".0123abcd.tmp"}
    for name in others:
        (tmp_path / name).touch()
    (tmp_path / "a.89abcdef.tmp").mkdir()
    sweep(tmp_path, {"checkpoint.safetensors", "a"})
    assert {path.name for path in tmp_path.iterdir()} == {*others, "a.89abcdef.tmp"}


def test_errors_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_file(tmp_path / "no" / "a", NEW)
    assert str(tmp_path / "no" / "a") in caught.value.filename


@pytest.mark.skipif(os.name == "nt", reason="permissions of another kind")
def test_a_new_file_has_the_mode_that_others_have(tmp_path):
    (tmp_path / "b").touch()
    write_file(tmp_path / "a", NEW)
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
