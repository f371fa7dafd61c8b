import inspect
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.data.image_folder.skipped import SkippedFiles
from cnntrain.errors import ImageError
from cnntrain.inference import walk as walk_module
from cnntrain.inference.walk import names_in, walk


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def found(folder):
    return [os.path.relpath(item, folder) for item in walk(str(folder), SkippedFiles()) if isinstance(item, str)]


def test_every_folder_in_the_order_of_its_names(tmp_path):
    make(tmp_path, "b.jpg", "a/2.PNG", "a/10.Tif", "c/d/e.webp", "B.jpeg")
    assert found(tmp_path) == ["B.jpeg", "a/10.Tif", "a/2.PNG", "b.jpg", "c/d/e.webp"]


def test_hidden_ones_and_what_is_no_picture_are_left_out(tmp_path):
    make(tmp_path, ".a.jpg", ".git/b.jpg", "c.txt", "jpg", "d.jpg.part", "e.gif", "Thumbs.db", "__MACOSX/f.png")
    os.mkfifo(tmp_path / "g.png")
    assert found(tmp_path) == ["e.gif"]


def test_what_is_left_out_is_counted(tmp_path):
    make(tmp_path, "a.jpg", "b.txt", "c/d.jp2", "c/e.jp2", ".hidden")
    skipped = SkippedFiles()
    assert [os.path.relpath(item, tmp_path) for item in walk(str(tmp_path), skipped)] == ["a.jpg"]
    assert list(skipped.sentences()) == [
        "2 JPEG 2000 images cannot be read: convert them to JPEG or PNG",
        "skipped 1 file that is not an image (.txt 1)",
    ]


def test_a_picture_under_another_name_is_one(tmp_path):
    (tmp_path / "png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "nowhere.png").symlink_to("gone")
    assert found(tmp_path) == ["nowhere.png", "png"]


def test_links_in_a_circle_end(tmp_path):
    make(tmp_path, "a/b/x.png", "y.png")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(".")
    (tmp_path / "once").symlink_to("a")
    (tmp_path / "twice").symlink_to("a")
    assert found(tmp_path) == ["a/b/x.png", "once/b/x.png", "y.png"]


def test_a_folder_without_pictures_is_told(tmp_path):
    make(tmp_path, "a/notes.txt")
    (error,) = walk(str(tmp_path), SkippedFiles())
    assert isinstance(error, ImageError)
    assert "there is no image in this folder" in str(error)


def test_a_folder_that_cannot_be_read_is_told_and_the_rest_goes_on(tmp_path, monkeypatch):
    make(tmp_path, "a/x.png", "b/x.png")
    scan = os.scandir

    def refuse(path):
        if path.endswith("a"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    error, file = walk(str(tmp_path), SkippedFiles())
    assert str(error) == f"{tmp_path}/a: the folder cannot be read: Permission denied"
    assert file == f"{tmp_path}/b/x.png"


def test_folders_deeper_than_functions_may_be(tmp_path):
    make(tmp_path, "/".join(["d"] * 120 + ["a.png"]))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        items = list(walk(str(tmp_path), SkippedFiles()))
    finally:
        sys.setrecursionlimit(limit)
    assert len(items) == 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    make(folder, *(f"{i * 7919 % 1000:03}.png" for i in range(60)))
    return folder


@given(at_a_time=st.integers(1, 70))
def test_the_order_does_not_depend_on_how_many_are_held(folder, at_a_time):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk_module, "CHUNK", at_a_time)
        assert list(names_in(str(folder))) == sorted(os.listdir(folder))
