"""Only one process works in a folder, and a dead one keeps nobody out."""

import errno
import os
import shutil
import subprocess
import sys

import pytest

from cnntrain.errors import UsageError
from cnntrain.storage import FolderLock

HOLD = "import sys, pathlib; from cnntrain.storage import FolderLock; lock = FolderLock(pathlib.Path(sys.argv[1])); \
print('held', flush=True); sys.stdin.read()"


def test_a_second_one_is_refused_until_the_first_is_released(tmp_path):
    lock = FolderLock(tmp_path)
    with pytest.raises(UsageError, match="another process is working on this run") as caught:
        FolderLock(tmp_path)
    assert str(tmp_path) in str(caught.value)
    lock.release()
    assert list(tmp_path.iterdir()) == []
    FolderLock(tmp_path).release()


def test_a_process_that_is_killed_lets_others_in(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(UsageError):
            FolderLock(tmp_path)
        other.kill()
        other.wait()
    FolderLock(tmp_path).release()


def test_a_file_that_a_dead_process_left_is_no_lock(tmp_path):
    (tmp_path / ".lock").touch()
    FolderLock(tmp_path).release()


def test_a_folder_that_is_gone_is_told(tmp_path):
    (tmp_path / "run").mkdir()
    lock = FolderLock(tmp_path / "run")
    lock.check()
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(FileNotFoundError):
        lock.check()
    (tmp_path / "run").mkdir()
    lock.check()  # it has come back, and is ours
    with pytest.raises(UsageError):
        FolderLock(tmp_path / "run")
    lock.release()


def test_a_folder_in_its_place_that_is_another_process_s_is_not_ours(tmp_path):
    (tmp_path / "run").mkdir()
    lock = FolderLock(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").mkdir()
    other = FolderLock(tmp_path / "run")
    with pytest.raises(UsageError):
        lock.check()
    lock.release()
    with pytest.raises(UsageError):
        FolderLock(tmp_path / "run")
    other.release()


@pytest.mark.skipif(os.name == "nt", reason="locks of another kind")
@pytest.mark.parametrize("name", ["ENOLCK", "EOPNOTSUPP", "EBADF", "EINVAL", "ENOSYS"])
def test_a_file_system_without_locks_is_no_obstacle(tmp_path, monkeypatch, name):
    def flock(*_):
        raise OSError(getattr(errno, name), "no locks here")

    monkeypatch.setattr("fcntl.flock", flock)
    lock = FolderLock(tmp_path)
    assert lock.note == f"{tmp_path}: the file system has no locks; nothing keeps other processes out of this run"
    lock.check()
    lock.release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="locks of another kind")
def test_other_errors_of_a_lock_are_told(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(OSError, match="Input/output error"):
        FolderLock(tmp_path)


def test_a_file_of_that_name_that_is_not_ours_keeps_its_content(tmp_path):
    (tmp_path / ".lock").write_text("mine")
    FolderLock(tmp_path).release()
    assert (tmp_path / ".lock").read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "run" / ".lock").symlink_to("../victim")
    with pytest.raises(OSError, match="symbolic links"):
        FolderLock(tmp_path / "run")
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_name_that_never_stays_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(FolderLock, "_is_mine", lambda self, file: False)
    with pytest.raises(UsageError, match="keep creating and removing"):
        FolderLock(tmp_path)
