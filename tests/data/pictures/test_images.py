"""`source: images`: a folder of pictures, from files to splits."""

import os
import re

import numpy as np
import pytest
from PIL import Image

from cnntrain.data import Watch, load_data
from cnntrain.data.pictures import decoded as decoded_module
from cnntrain.data.pictures import decoding, split_file
from cnntrain.errors import DataError, PictureError


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """A cache folder of the test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CNNTRAIN_CACHE", str(folder))
    return folder / "pictures"


@pytest.fixture
def photos(tmp_path):
    """Writes noise as pictures, each another one; gives the folder."""
    rng = np.random.default_rng(0)

    def write(*names, size=(9, 7)):
        for name in names:
            path = tmp_path / "photos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(path)
        return tmp_path / "photos"

    return write


@pytest.fixture
def flat(photos):
    """Three classes of 10, 20 and 5 pictures."""
    return photos(*(f"{name}/{i:02}.png" for name, n in (("cat", 10), ("dog", 20), ("hare", 5)) for i in range(n)))


class Told:
    """Loads a folder, and keeps what is told meanwhile."""

    def __init__(self, path, **options):
        self.notes, self.progress = [], []
        watch = Watch(lambda *what: self.progress.append(what), self.notes.append)
        self.data = load_data("images", path=path, watch=watch, **({"size": (6, 6), "validation": 0.1} | options))

    def names(self, split):
        dataset = self.data.splits()[split]
        return () if dataset is None else dataset.names


def test_classes_shapes_and_shares(flat):
    told = Told(flat, validation=0.25)
    data = told.data
    assert data.classes == ("cat", "dog", "hare")
    assert data.input_shape == (3, 6, 6)
    assert [len(told.names(split)) for split in ("train", "validation", "test")] == [21, 7, 7]
    np.testing.assert_array_equal(np.bincount(data.test.labels), [2, 4, 1])
    assert sorted(name for split in data.splits() for name in told.names(split)) == sorted(
        f"{path.parent.name}/{path.name}" for path in flat.glob("*/*.png")
    )
    assert data.preprocessing.fit == "crop"
    assert told.progress[-1] == (35, 35, "decoding pictures")
    assert not told.notes


def test_samples_are_the_pictures_that_their_names_say(flat):
    from cnntrain.data.pictures.form import Form
    from cnntrain.data.pictures.reading import read_picture

    data = Told(flat).data
    for dataset in data.splits().values():
        pixels = dataset.gather(np.arange(len(dataset)))
        for picture, label, name in zip(pixels, dataset.labels, dataset.names, strict=True):
            np.testing.assert_array_equal(picture, read_picture(flat / name, Form(3, 6, 6, "crop")))
            assert name.startswith(data.classes[label] + "/")


def test_the_seed_decides_and_repeats(flat):
    first, again, other = (Told(flat, seed=seed) for seed in (1, 1, 2))
    for split in ("train", "validation", "test"):
        assert first.names(split) == again.names(split)
    assert first.names("test") != other.names("test")


def test_every_class_keeps_a_picture_to_train_on(photos):
    folder = photos("a/1.png", "b/1.png", "c/1.png", "c/2.png")
    told = Told(folder, test=0.9, validation=0.0)
    assert told.names("train") == ("a/1.png", "b/1.png", "c/1.png") or "c/2.png" in told.names("train")
    assert len(told.names("test")) == 1
    assert Told(photos("d/1.png"), test=0.0, validation=0.4).data.validation is not None


@pytest.mark.parametrize(
    "names",
    [
        ("train", "validation", "test"),
        ("Train", "val", "TEST"),
        ("TRAIN", "Valid", "test"),
        ("Training", "val", "testing"),
    ],
)
def test_split_folders(photos, names):
    kinds = [("cat", 4), ("dog", 3)]
    folder = photos(*(f"{split}/{kind}/{i}.png" for split in names for kind, n in kinds for i in range(n)))
    told = Told(folder)
    for split, name in zip(("train", "validation", "test"), names, strict=True):
        assert told.names(split) == tuple(f"{name}/{kind}/{i}.png" for kind, n in kinds for i in range(n))
    assert told.data.classes == ("cat", "dog")


def test_missing_split_folders(photos):
    folder = photos(*(f"train/{kind}/{i}.png" for kind in "ab" for i in range(10)))
    told = Told(folder)
    assert [len(told.names(split)) for split in ("train", "validation", "test")] == [18, 2, 0]
    told = Told(folder, test=0.2, validation=0.25)
    assert [len(told.names(split)) for split in ("train", "validation", "test")] == [12, 4, 4]
    folder = photos("test/a/9.png")
    assert Told(folder, validation=0.0).names("test") == ("test/a/9.png",)


def test_a_class_may_be_called_train(photos):
    folder = photos(*(f"{kind}/{i}.png" for kind in ("train", "bus", "car") for i in range(5)))
    assert Told(folder).data.classes == ("bus", "car", "train")


def test_classes_that_train_does_not_have(photos):
    folder = photos("train/a/1.png", "train/b/1.png", "test/a/2.png", "test/c/1.png", "val/a/3.png")
    with pytest.raises(DataError, match=r"test holds classes that .*train does not have: c$"):
        Told(folder)


def test_two_folders_for_one_split(photos):
    folder = photos("train/a/1.png", "train/b/1.png", "val/a/1.png", "validation/a/1.png")
    with pytest.raises(DataError, match="holds val, validation, and only one can be the validation split"):
        Told(folder)


def test_what_is_no_picture_is_skipped_and_counted(flat):
    (flat / "notes.txt").write_text("beside")
    (flat / ".git" / "x").mkdir(parents=True)
    (flat / "__MACOSX" / "cat").mkdir(parents=True)
    (flat / "cat" / ".hidden.png").write_bytes(b"")
    (flat / "cat" / "Thumbs.db").write_bytes(b"")
    (flat / "cat" / "about.txt").write_text("no picture")
    (flat / "cat" / "README").write_text("no picture")
    (flat / "cat" / "BM").write_text("BM no picture")
    (flat / "cat" / "pipe").touch()
    os.unlink(flat / "cat" / "pipe")
    os.mkfifo(flat / "cat" / "pipe.png")
    (flat / "empty").mkdir()
    told = Told(flat)
    assert sum(len(told.names(split)) for split in ("train", "validation", "test")) == 35
    assert told.notes == [
        "skipped 4 files that are no pictures (others 2, .png 1, .txt 1), 4 hidden, 1 beside the class folders",
        "without pictures, and so no class: 'empty'",
    ]


def test_a_picture_without_an_ending_is_one(flat):
    os.rename(flat / "cat" / "00.png", flat / "cat" / "00")
    assert "cat/00" in Told(flat, test=0.0, validation=0.0).names("train")


def test_pictures_lie_deeper_and_links_are_followed_once(photos, tmp_path):
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
    assert "5 links to folders that are read already" in told.notes[0]
    for link in ("cat/loop", "cat/more/up", "cat/all", "dog/twin"):
        (folder / link).unlink()
    assert "1 link to a folder that is read already" in Told(folder).notes[0]
    assert told.notes[-1] == "1 picture is in more than one class: 'dog/linked.png' = 'hare/7.png'"


def test_the_folder_of_a_class_whose_name_cannot_be_shown(photos):
    folder = photos("cat/1.png", "new\nline/1.png")
    with pytest.raises(DataError) as caught:
        Told(folder)
    assert str(caught.value) == rf"{folder} holds the name 'new\nline', which cannot be shown; give the class another"


def test_a_share_for_the_test_plays_no_part_where_there_are_pictures_to_test_with(photos):
    folder = photos("train/a/1.png", "train/b/1.png", "test/a/2.png", "test/b/2.png")
    assert Told(folder, test=0.3).notes == ["data.test: 0.3 plays no part, for the folder has pictures to test with"]
    assert Told(folder, test=0.0).notes == Told(folder).notes == []


def test_links_between_splits(photos):
    """A link does not take what lies in a folder that comes later."""
    folder = photos("train/a/1.png", "train/b/1.png", "test/a/2.png", "test/b/2.png")
    (folder / "train" / "a" / "link").symlink_to(folder / "test" / "a")
    told = Told(folder, validation=0.0)
    assert told.names("train") == ("train/a/1.png", "train/b/1.png")
    assert told.names("test") == ("test/a/2.png", "test/b/2.png")


def test_an_unreadable_picture_with_an_odd_name_is_told_on_one_line(photos):
    folder = photos("a/1.png", "b/1.png")
    (folder / "a" / "line\nbreak.png").touch()
    with pytest.raises(DataError) as caught:
        Told(folder)
    assert str(caught.value).splitlines()[0] == f"{folder}/a/line\\nbreak.png: it is empty"


def test_unreadable_pictures_are_all_named(flat):
    bad = [flat / "dog" / f"{i:02}.png" for i in range(15)]
    for path in bad:
        path.write_bytes(b"")
    (flat / "cat" / "gone.jpg").symlink_to("nowhere")
    with pytest.raises(DataError) as caught:
        Told(flat)
    *lines, mend = str(caught.value).splitlines()
    assert lines == [
        f"{flat}/cat/gone.jpg: it cannot be read: No such file or directory",
        *(f"{path}: it is empty" for path in bad),
    ]
    assert mend.startswith("data.path: 16 unreadable pictures are in the folder")
    told = Told(flat, on_bad="skip")
    assert sum(len(told.names(split)) for split in ("train", "validation", "test")) == 20
    assert told.notes[0].startswith("16 unreadable pictures are left out: ")
    assert told.notes[0].endswith("; and 11 more")


def test_a_class_without_readable_pictures(flat):
    for path in (flat / "hare").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(DataError, match="no picture to train on of 'hare'"):
        Told(flat, on_bad="skip")


def test_twins_in_train_and_test_are_noted(flat):
    for path in (flat / "cat").iterdir():
        path.write_bytes((flat / "cat" / "00.png").read_bytes())
    told = Told(flat)
    (note,) = told.notes
    assert note.startswith("1 picture is in more than one of train, validation and test: 'cat/00.png' = 'cat/")
    pair = set(re.findall("'(.*?)'", note))
    assert len(pair) == 2
    assert not any(pair <= set(told.names(split)) for split in ("train", "validation", "test"))


def test_twins_of_two_classes_are_noted_with_one_of_each(photos):
    folder = photos("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")
    for name in ("cat/2.png", "dog/2.png"):
        (folder / name).write_bytes((folder / "cat" / "1.png").read_bytes())
    assert Told(folder, test=0.0, validation=0.0).notes == [
        "1 picture is in more than one class: 'cat/1.png' = 'dog/2.png'"
    ]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "there is none"),
        (["a/1.png"], "there is only one, 'a'$"),
        (["a/b/1.png", "a/c/1.png"], r"there is only one, 'a'; was \S+/a meant, which holds 'b', 'c'\?"),
        (["Test/b/1.png", "Test/c/1.png"], "there is only one, 'Test'; beside it there must be a folder 'train'"),
        (["1.png", "2.png"], "there is none; 2 pictures lie in no such folder"),
        (["train/1.png", "test/2.png"], "train: two classes are needed"),
    ],
)
def test_fewer_than_two_classes(photos, names, words):
    folder = photos(*names)
    folder.mkdir(exist_ok=True)
    with pytest.raises(DataError, match=words):
        Told(folder)


def test_what_was_skipped_is_told_where_nothing_is_left(photos, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "1.heic").touch()
    with pytest.raises(DataError, match=r"there is none; skipped 2 files that are no pictures \(\.heic 2\)"):
        Told(tmp_path / "photos")


def test_no_folder_and_a_file(tmp_path):
    (tmp_path / "file").touch()
    for name, words in (("missing", "there is no such folder"), ("file", "is a file")):
        with pytest.raises(DataError, match=words):
            Told(tmp_path / name)


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.png", b"line\nbreak.png", "日本 語.png".encode(), b'quo"te,comma.png', b"\r.png"]
)
def test_any_name(photos, tmp_path, name):
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


def test_a_split_file_repeats_the_splits(flat, photos, tmp_path):
    first = Told(flat, seed=3)
    split_file.write(tmp_path / "split.csv", first.data)
    photos("cat/new.png", "newer/1.png")
    (flat / "dog" / "bad.png").write_bytes(b"bad")
    again = Told(flat, seed=4, split=tmp_path / "split.csv", validation=0.5)
    for split in ("train", "validation", "test"):
        assert first.names(split) == again.names(split)
    assert again.notes == [f"3 pictures that {tmp_path / 'split.csv'} does not name are left out"]
    assert again.data.classes == ("cat", "dog", "hare")
    os.unlink(flat / "dog" / "00.png")
    with pytest.raises(
        DataError, match=r"dog/00\.png: it is gone, .*split\.csv names it\ndata.path: 1 picture is gone; put it "
    ):
        Told(flat, split=tmp_path / "split.csv")
    notes = Told(flat, split=tmp_path / "split.csv", on_bad="skip").notes
    assert [len(notes), notes[1].partition(":")[0]] == [2, "1 picture is gone"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "its first line is not file,class,split"),
        ("file,class\n", "its first line is not"),
        ("file,class,split\ncat/00.png,cat\n", "line 2 has 2 values"),
        ("file,class,split\ncat/00.png,cat,tset\n", "line 2 names the split 'tset'"),
        ("file,class,split\na,b,train\na,b,test\n", "line 3 names 'a' a second time"),
        ("file,class,split\na,b,test\n", "names no picture to train on"),
        ('file,class,split\n"a,b,test\n', "is malformed"),
        ("file,class,split\ncat/00.png,dog,train\n", "is of the class 'dog' there"),
    ],
)
def test_a_split_file_that_is_wrong(flat, tmp_path, content, words):
    (tmp_path / "split.csv").write_text(content)
    with pytest.raises(DataError, match=words):
        Told(flat, split=tmp_path / "split.csv")


def test_a_split_file_that_is_not_there(flat, tmp_path):
    with pytest.raises(DataError, match="the split file cannot be read: No such file"):
        Told(flat, split=tmp_path / "split.csv")


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(40, 30)] * 4, (30, 40)),
        ([(64, 64)] * 4, (64, 64)),
        ([(300, 200)] * 4, (64, 64)),
        ([(40, 30), (50, 20), (90, 28), (28, 70)], (28, 28)),
        ([(65, 64)] * 4, (64, 64)),
    ],
)
def test_the_size_by_the_pictures(photos, sizes, expected):
    for i, size in enumerate(sizes):
        folder = photos(f"{'ab'[i % 2]}/{i}.png", size=size)
    assert Told(folder, size=None).data.input_shape == (3, *expected)


def test_grey(flat):
    assert Told(flat, channels=1).data.input_shape == (1, 6, 6)


def forbid_decoding(monkeypatch):
    def fail(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(decoding, "read_picture", fail)


def test_the_second_time_nothing_is_decoded(flat, monkeypatch, cache):
    first = Told(flat)
    forbid_decoding(monkeypatch)
    again = Told(flat)
    assert again.notes == first.notes
    assert not again.progress
    for split, dataset in first.data.splits().items():
        other = again.data.splits()[split]
        places = np.arange(len(dataset))
        np.testing.assert_array_equal(dataset.gather(places), other.gather(places))
        assert other.is_mapped
    assert len(list(cache.iterdir())) == 1


def test_a_picture_that_could_not_be_read_is_tried_again(flat, monkeypatch):
    (flat / "cat" / "bad.png").write_bytes(b"bad")
    real, refused = decoding.read_picture, ["cat/00.png"]

    def read(file, form):
        if refused and str(file).endswith(refused[0]):
            raise PictureError(file, "it cannot be read: Permission denied")
        return real(file, form)

    monkeypatch.setattr(decoding, "read_picture", read)
    assert Told(flat, on_bad="skip").notes[0].startswith("2 unreadable pictures are left out")
    again = Told(flat, on_bad="skip")
    assert again.notes[0].startswith("2 unreadable pictures are left out")
    assert not again.progress
    refused.clear()
    mended = Told(flat, on_bad="skip")
    assert mended.notes[0].startswith("1 unreadable picture is left out")
    assert sum(len(mended.names(split)) for split in mended.data.splits()) == 35
    assert not Told(flat, on_bad="skip").progress


def test_any_change_is_seen(flat, photos, cache):
    Told(flat)
    os.utime(flat / "cat" / "00.png", ns=(1, 1))
    assert Told(flat).progress
    photos("cat/00.png", size=(30, 30))
    assert Told(flat).progress
    os.rename(flat / "cat" / "00.png", flat / "cat" / "99.png")
    assert Told(flat).progress
    assert not Told(flat).progress
    assert len(list(cache.iterdir())) == 1  # the old ones are gone
    assert Told(flat, size=(5, 6)).progress
    assert Told(flat, fit="pad").progress
    assert Told(flat, channels=1).progress
    assert not Told(flat).progress
    assert len(list(cache.iterdir())) == 4


@pytest.mark.parametrize("place", [0, 30, 200, 1000, -1, -10, -20, -40, None])
def test_a_damaged_cache_is_made_again(flat, cache, place):
    first = Told(flat).data.train.gather(np.arange(5))
    (path,) = cache.iterdir()
    content = bytearray(path.read_bytes())
    if place is None:
        path.write_bytes(content[: len(content) // 2])
    else:
        content[place] ^= 1
        path.write_bytes(content)
    again = Told(flat)
    assert again.progress
    np.testing.assert_array_equal(again.data.train.gather(np.arange(5)), first)
    assert not Told(flat).progress


def test_without_a_cache_folder_the_pictures_stay_in_memory(flat, monkeypatch, tmp_path):
    expected = Told(flat).data.test
    (tmp_path / "file").touch()
    monkeypatch.setenv("CNNTRAIN_CACHE", str(tmp_path / "file"))
    told = Told(flat)
    assert told.notes[0].startswith("the decoded pictures are kept in memory alone")
    assert not told.data.test.is_mapped
    np.testing.assert_array_equal(told.data.test.gather(np.arange(7)), expected.gather(np.arange(7)))


def test_a_full_disk(flat, monkeypatch, cache):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(decoded_module.decoded_file.Writer, "add", full)
    assert "No space left on device" in Told(flat).notes[0]
    assert list(cache.iterdir()) == []


def test_whoever_watches_can_stop_it(flat, cache):
    def stop(done, total, what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_data("images", path=flat, size=(6, 6), watch=Watch(progress=stop))
    assert list(cache.iterdir()) == []


def test_left_over_files_go(flat, cache):
    cache.mkdir()
    for name, age in (("a-b.npy", 100), ("c-d.npy", 1), ("e.npy.01234567.tmp", 2), ("f.npy.01234567.tmp", 0)):
        (cache / name).touch()
        os.utime(cache / name, (os.times().elapsed, __import__("time").time() - age * 86400))
    Told(flat)
    assert {path.name for path in cache.iterdir()} >= {"c-d.npy", "f.npy.01234567.tmp"}
    assert len(list(cache.iterdir())) == 3


def test_real_photos(real_data):
    told = Told(real_data / "photos", size=(16, 16))
    assert told.data.classes[:2] == ("bonsai", "butterfly")
    assert sum(len(told.names(split)) for split in ("train", "validation", "test")) == 776
    assert not told.notes


def test_classes_that_are_too_small_to_be_tested_are_noted(photos):
    folder = photos(*(f"{name}/{number}.png" for name in "abc" for number in range(2)))
    (note,) = Told(folder, test=0.2).notes
    assert note == "data.test: 2 of 3 classes have too few pictures for one to be drawn to test with: b, c"
