"""A new file takes nothing's place: neither a file, nor a link that leads nowhere, nor what came in the meantime."""

import errno
import os

import pytest

from cnntrain.storage import is_taken, write_new
from cnntrain.storage.disk import Disk


@pytest.fixture(params=["file", "folder", "link", "dangling"])
def taken(tmp_path, request):
    path = tmp_path / "a.png"
    match request.param:
        case "file":
            path.write_text("mine")
        case "folder":
            path.mkdir()
        case "link":
            (tmp_path / "mine").write_text("mine")
            path.symlink_to("mine")
        case "dangling":
            path.symlink_to("gone")
    return path


def test_what_is_there_stays(taken, tmp_path):
    before = {path.name: path.lstat().st_ino for path in tmp_path.iterdir()}
    assert is_taken(taken)
    with pytest.raises(FileExistsError):
        write_new(taken, b"new")
    assert {path.name: path.lstat().st_ino for path in tmp_path.iterdir()} == before


def test_what_came_in_the_meantime_stays(tmp_path):
    class Late(Disk):
        def holds(self, path, content):
            (tmp_path / "a.png").write_text("mine")
            return super().holds(path, content)

    with pytest.raises(FileExistsError):
        write_new(tmp_path / "a.png", b"new", Late())
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_new_file_is_whole(tmp_path, monkeypatch, has_links):
    if not has_links:

        def link(*_):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
    write_new(tmp_path / "a.png", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]
    assert (tmp_path / "a.png").stat().st_nlink == 1
