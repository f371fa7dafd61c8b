"""Only one process works in a folder, and a dead one keeps nobody out."""

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
