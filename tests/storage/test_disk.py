"""The disk itself: writes that are cut short, and file systems that cannot do everything."""

import errno
import os

import pytest

from cnntrain.storage.disk import DISK, NO_FOLDERS

CONTENT = bytes(range(256)) * 4


@pytest.mark.parametrize("most", [1, 100, 1023])
def test_a_write_that_takes_a_part_goes_on_with_the_rest(tmp_path, monkeypatch, most):
    """As Linux does above 2 GB, and a pipe or a network drive at any size."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, content: write(file, content[:most]))
    file = DISK.create(tmp_path / "a")
    DISK.write(file, CONTENT, tmp_path / "a")
    DISK.close(file)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_write_that_fails_in_the_middle_names_the_file(tmp_path, monkeypatch):
    def write(file, content):
        if len(content) < len(CONTENT):
            raise OSError(errno.ENOSPC, "No space left on device")
        return 10

    file = DISK.create(tmp_path / "a")
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space left") as error:
        DISK.write(file, CONTENT, tmp_path / "a")
    DISK.close(file)
    assert error.value.filename == str(tmp_path / "a")


@pytest.mark.skipif(os.name == "nt", reason="folders are not synced there")
@pytest.mark.parametrize("number", sorted({*NO_FOLDERS, errno.EIO, errno.ENOSPC}))
def test_a_file_system_that_cannot_sync_folders_is_no_failure(tmp_path, monkeypatch, number):
    def sync(file):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", sync)
    if number in NO_FOLDERS:
        DISK.sync_folder(tmp_path)
        return
    with pytest.raises(OSError, match=os.strerror(number)) as error:
        DISK.sync_folder(tmp_path)
    assert error.value.filename == str(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="folders are not synced there")
def test_a_folder_that_is_synced_is_closed(tmp_path):
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        DISK.sync_folder(tmp_path)
    assert len(os.listdir("/dev/fd")) == before
