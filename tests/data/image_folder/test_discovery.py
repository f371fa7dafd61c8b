"""`source: images`: which files of a folder are images, of which class and split."""

import os

import pytest

from cnntrain.data.image_folder import split_file
from cnntrain.errors import DataError


@pytest.mark.parametrize(
    "names",
    [
        ("train", "validation", "test"),
        ("Train", "val", "TEST"),
        ("TRAIN", "Valid", "test"),
        ("Training", "val", "testing"),
    ],
)
def test_split_folders(photos, names, Told):
    kinds = [("cat", 4), ("dog", 3)]
    folder = photos(*(f"{split}/{kind}/{i}.png" for split in names for kind, n in kinds for i in range(n)))
    told = Told(folder)
    for split, name in zip(("train", "validation", "test"), names, strict=True):
        assert told.names(split) == tuple(f"{name}/{kind}/{i}.png" for kind, n in kinds for i in range(n))
    assert told.data.classes == ("cat", "dog")


def test_missing_split_folders(photos, Told):
    folder = photos(*(f"train/{kind}/{i}.png" for kind in "ab" for i in range(10)))
    told = Told(folder)
    assert [len(told.names(split)) for split in ("train", "validation", "test")] == [18, 2, 0]
    told = Told(folder, test=0.2, validation=0.25)
    assert [len(told.names(split)) for split in ("train", "validation", "test")] == [12, 4, 4]
    folder = photos("test/a/9.png")
    assert Told(folder, validation=0.0).names("test") == ("test/a/9.png",)


def test_a_class_may_be_called_train(photos, Told):
    folder = photos(*(f"{kind}/{i}.png" for kind in ("train", "bus", "car") for i in range(5)))
    assert Told(folder).data.classes == ("bus", "car", "train")


def test_classes_that_train_does_not_have(photos, Told):
    folder = photos("train/a/1.png", "train/b/1.png", "test/a/2.png", "test/c/1.png", "val/a/3.png")
    with pytest.raises(DataError, match=r"test holds classes that .*train does not have: c$"):
        Told(folder)


def test_two_folders_for_one_split(photos, Told):
    folder = photos("train/a/1.png", "train/b/1.png", "val/a/1.png", "validation/a/1.png")
    with pytest.raises(DataError, match="holds val, validation, and only one can be the validation split"):
        Told(folder)


def test_what_is_no_picture_is_skipped_and_counted(flat, Told):
    (flat / "notes.txt").write_text("beside")
    (flat / ".git" / "x").mkdir(parents=True)
    (flat / "__MACOSX" / "cat").mkdir(parents=True)
    (flat / "cat" / ".hidden.png").write_bytes(b"")
    (flat / "cat" / "Thumbs.db").write_bytes(b"")
    (flat / "cat" / "about.txt").write_text("no image")
    (flat / "cat" / "README").write_text("no image")
    (flat / "cat" / "BM").write_text("BM no image")
    (flat / "cat" / "pipe").touch()
    os.unlink(flat / "cat" / "pipe")
    os.mkfifo(flat / "cat" / "pipe.png")
    (flat / "empty").mkdir()
    told = Told(flat, validation=0.2)
    assert sum(len(told.names(split)) for split in ("train", "validation", "test")) == 35
    assert told.notes == [
        "skipped 4 files that are not images (others 2, .png 1, .txt 1), 4 hidden, "
        "1 other file next to the class folders",
        "not a class, because there are no images in it: 'empty'",
    ]


def test_a_picture_without_an_ending_is_one(flat, Told):
    os.rename(flat / "cat" / "00.png", flat / "cat" / "00")
    assert "cat/00" in Told(flat, test=0.0, validation=0.0).names("train")


def test_pictures_lie_deeper_and_links_are_followed_once(photos, tmp_path, Told):
    folder = photos("cat/1.png", "cat/more/deep/2.png", "dog/1.png")
    elsewhere = photos("../elsewhere/hare/7.png") / "../elsewhere"
    (folder / "cat" / "loop").symlink_to(folder / "cat")
    (folder / "cat" / "more" / "up").symlink_to(folder)
    (folder / "cat" / "all").symlink_to("/")
    (folder / "dog" / "self").symlink_to("self")
    (folder / "dog" / "twin").symlink_to(folder / "cat" / "more")
    (folder / "another").symlink_to(folder / "dog")
    (folder / "hare").symlink_to(elsewhere / "hare")
    (folder / "dog" / "linked.png").symlink_to(elsewhere / "hare" / "7.png")
    told = Told(folder, test=0.0, validation=0.0)
    assert told.names("train") == ("cat/1.png", "cat/more/deep/2.png", "dog/1.png", "dog/linked.png", "hare/7.png")
    assert told.data.classes == ("cat", "dog", "hare")
    assert "5 links to folders that are already read" in told.notes[0]
    for link in ("cat/loop", "cat/more/up", "cat/all", "dog/twin"):
        (folder / link).unlink()
    assert "1 link to a folder that is already read" in Told(folder).notes[0]
    assert told.notes[-1] == "1 image is in more than one class: 'dog/linked.png' = 'hare/7.png'"


def test_the_folder_of_a_class_whose_name_cannot_be_shown(photos, Told):
    folder = photos("cat/1.png", "new\nline/1.png")
    with pytest.raises(DataError) as caught:
        Told(folder)
    assert str(caught.value) == rf"{folder} holds the name 'new\nline', which cannot be shown; give the class another"


def test_links_between_splits(photos, Told):
    """A link does not take what lies in a folder that comes later."""
    folder = photos("train/a/1.png", "train/b/1.png", "test/a/2.png", "test/b/2.png")
    (folder / "train" / "a" / "link").symlink_to(folder / "test" / "a")
    told = Told(folder, validation=0.0)
    assert told.names("train") == ("train/a/1.png", "train/b/1.png")
    assert told.names("test") == ("test/a/2.png", "test/b/2.png")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "there is none"),
        (["a/1.png"], "there is only one, 'a'$"),
        (["a/b/1.png", "a/c/1.png"], r"there is only one, 'a'; was \S+/a meant, which holds 'b', 'c'\?"),
        (
            ["Test/b/1.png", "Test/c/1.png"],
            "holds Test, but no training split; call its folder 'train'",
        ),
        (["1.png", "2.png"], "there is none; 2 images in .*photos are not in a class folder"),
        (["train/1.png", "train/2.png", "test/2.png"], r"are not in class folders \(test 1, train 2\)"),
    ],
)
def test_fewer_than_two_classes(photos, names, words, Told):
    folder = photos(*names)
    folder.mkdir(exist_ok=True)
    with pytest.raises(DataError, match=words):
        Told(folder)


def test_what_was_skipped_is_told_where_nothing_is_left(photos, tmp_path, Told):
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "1.txt").touch()
    with pytest.raises(DataError, match=r"there is none; skipped 2 files that are not images \(\.txt 2\)"):
        Told(tmp_path / "photos")


def test_no_folder_and_a_file(tmp_path, Told):
    (tmp_path / "file").touch()
    for name, words in (("missing", "there is no such folder"), ("file", "is a file")):
        with pytest.raises(DataError, match=words):
            Told(tmp_path / name)


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.png", b"line\nbreak.png", "日本 語.png".encode(), b'quo"te,comma.png', b"\r.png"]
)
def test_any_name(photos, tmp_path, name, Told):
    folder = photos("a/1.png", "b/1.png", "b/2.png")
    try:
        os.rename(folder / "a" / "1.png", os.path.join(os.fsencode(folder), b"a", name))
    except OSError:
        pytest.skip("this file system has no such names")
    told = Told(folder, test=0.4, validation=0.0)
    assert told.names("train")[0] == "a/" + os.fsdecode(name)
    split_file.write(tmp_path / "split.csv", told.data)
    again = Told(folder, split=tmp_path / "split.csv")
    assert [again.names(split) for split in again.data.splits()] == [told.names(split) for split in told.data.splits()]
