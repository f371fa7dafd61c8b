"""`source: images`: a folder of images, from files to splits."""

import os
import re

import numpy as np
import pytest

from cnntrain.data.image_folder import split_file
from cnntrain.errors import DataError


def test_classes_shapes_and_shares(flat, Told):
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
    assert told.progress[-1] == (35, 35, "decoding images")
    assert not told.notes


def test_samples_are_the_pictures_that_their_names_say(flat, Told):
    from cnntrain.data.image_folder.decode import read_image
    from cnntrain.data.image_spec import ImageSpec

    data = Told(flat).data
    for dataset in data.splits().values():
        pixels = dataset.gather(np.arange(len(dataset)))
        for image, label, name in zip(pixels, dataset.labels, dataset.names, strict=True):
            np.testing.assert_array_equal(image, read_image(flat / name, ImageSpec(3, 6, 6, "crop")))
            assert name.startswith(data.classes[label] + "/")


def test_the_seed_decides_and_repeats(flat, Told):
    first, again, other = (Told(flat, seed=seed) for seed in (1, 1, 2))
    for split in ("train", "validation", "test"):
        assert first.names(split) == again.names(split)
    assert first.names("test") != other.names("test")


def test_every_class_keeps_a_picture_to_train_on(photos, Told):
    folder = photos("a/1.png", "b/1.png", "c/1.png", "c/2.png")
    told = Told(folder, test=0.9, validation=0.0)
    assert told.names("train") == ("a/1.png", "b/1.png", "c/1.png") or "c/2.png" in told.names("train")
    assert len(told.names("test")) == 1
    assert Told(photos("d/1.png"), test=0.0, validation=0.4).data.validation is not None


def test_a_share_for_the_test_plays_no_part_where_there_are_pictures_to_test_with(photos, Told):
    folder = photos("train/a/1.png", "train/b/1.png", "test/a/2.png", "test/b/2.png")
    told = Told(folder, test=0.3, validation=0.0)
    assert told.notes == ["data.test: 0.3 has no effect, because the folder has its own test images"]
    assert Told(folder, test=0.0, validation=0.0).notes == Told(folder, validation=0.0).notes == []


def test_an_unreadable_picture_with_an_odd_name_is_told_on_one_line(photos, Told):
    folder = photos("a/1.png", "b/1.png")
    (folder / "a" / "line\nbreak.png").touch()
    with pytest.raises(DataError) as caught:
        Told(folder)
    assert str(caught.value).splitlines()[0] == f"{folder}/a/line\\nbreak.png: it is empty"


def test_unreadable_pictures_are_all_named(flat, Told):
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
    assert mend.startswith("data.path: 16 unreadable images in the folder")
    told = Told(flat, on_bad="skip")
    assert sum(len(told.names(split)) for split in ("train", "validation", "test")) == 20
    assert told.notes[0].startswith("skipped 16 unreadable images: ")
    assert told.notes[0].endswith("; and 11 more")


def test_a_class_without_readable_pictures(flat, Told):
    for path in (flat / "hare").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(DataError, match="no training images of 'hare'"):
        Told(flat, on_bad="skip")


def test_twins_in_train_and_test_are_noted(flat, Told):
    for path in (flat / "cat").iterdir():
        path.write_bytes((flat / "cat" / "00.png").read_bytes())
    told = Told(flat, validation=0.2)
    (note,) = told.notes
    assert note.startswith("1 image is in more than one of train, validation and test: 'cat/00.png' = 'cat/")
    pair = set(re.findall("'(.*?)'", note))
    assert len(pair) == 2
    assert not any(pair <= set(told.names(split)) for split in ("train", "validation", "test"))


def test_twins_of_two_classes_are_noted_with_one_of_each(photos, Told):
    folder = photos("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")
    for name in ("cat/2.png", "dog/2.png"):
        (folder / name).write_bytes((folder / "cat" / "1.png").read_bytes())
    assert Told(folder, test=0.0, validation=0.0).notes == [
        "1 image is in more than one class: 'cat/1.png' = 'dog/2.png'"
    ]


def test_a_split_file_repeats_the_splits(flat, photos, tmp_path, Told):
    first = Told(flat, seed=3)
    split_file.write(tmp_path / "split.csv", first.data)
    photos("cat/new.png", "newer/1.png")
    (flat / "dog" / "bad.png").write_bytes(b"bad")
    again = Told(flat, seed=4, split=tmp_path / "split.csv", validation=0.5)
    for split in ("train", "validation", "test"):
        assert first.names(split) == again.names(split)
    assert again.notes == [f"skipped 3 images not listed in {tmp_path / 'split.csv'}"]
    assert again.data.classes == ("cat", "dog", "hare")
    os.unlink(flat / "dog" / "00.png")
    with pytest.raises(
        DataError, match=r"dog/00\.png: it is gone, .*split\.csv lists it\ndata.path: 1 image is gone; restore it"
    ):
        Told(flat, split=tmp_path / "split.csv")
    notes = Told(flat, split=tmp_path / "split.csv", on_bad="skip").notes
    assert [len(notes), notes[1].partition(":")[0]] == [2, "1 image is gone"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "its first line is not file,class,split"),
        ("file,class\n", "its first line is not"),
        ("file,class,split\ncat/00.png,cat\n", "line 2 has 2 values"),
        ("file,class,split\ncat/00.png,cat,tset\n", "line 2 names the split 'tset'"),
        ("file,class,split\na,b,train\na,b,test\n", "line 3 names 'a' a second time"),
        ("file,class,split\na,b,test\n", "lists no training images"),
        ('file,class,split\n"a,b,test\n', "a quote is not closed"),
        ("file,class,split\ncat/00.png,dog,train\n", "has the class 'dog' there"),
    ],
)
def test_a_split_file_that_is_wrong(flat, tmp_path, content, words, Told):
    (tmp_path / "split.csv").write_text(content)
    with pytest.raises(DataError, match=words):
        Told(flat, split=tmp_path / "split.csv")


def test_a_split_file_that_is_not_there(flat, tmp_path, Told):
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
def test_the_size_by_the_pictures(photos, sizes, expected, Told):
    for i, size in enumerate(sizes):
        folder = photos(f"{'ab'[i % 2]}/{i}.png", size=size)
    assert Told(folder, size=None).data.input_shape == (3, *expected)


def test_grey(flat, Told):
    assert Told(flat, channels=1).data.input_shape == (1, 6, 6)


def test_real_photos(real_data, Told):
    told = Told(real_data / "photos", size=(16, 16))
    assert told.data.classes[:2] == ("bonsai", "butterfly")
    assert sum(len(told.names(split)) for split in ("train", "validation", "test")) == 776
    assert not told.notes


def test_classes_without_a_held_out_sample_are_noted(photos, Told):
    folder = photos(*(f"{name}/{number}.png" for name in "abc" for number in range(3)))
    told = Told(folder, test=0.2, validation=0.15)
    of_test, of_validation = (
        ", ".join(sorted(set("abc") - {name[0] for name in told.names(split)})) for split in ("test", "validation")
    )
    assert told.notes == [
        f"data.test: 1 of 3 classes has no test sample: {of_test}",
        f"data.validation: 2 of 3 classes have no validation sample: {of_validation}",
    ]


@pytest.mark.parametrize("split", ["test", "validation"])
def test_no_class_is_held_out_more_often_than_another(photos, split, Told):
    """Which classes give a sample where not all can is drawn by the seed, whatever the order of their names."""
    folder = photos(*(f"{name}/{number}.png" for name in "abcdef" for number in range(2)))
    share = {"test": 0.0, "validation": 0.0, split: 0.25}
    drawn = [{name[0] for name in Told(folder, seed=seed, **share).names(split)} for seed in range(20)]
    assert all(len(classes) == 3 for classes in drawn)
    assert set.union(*drawn) == set("abcdef")
