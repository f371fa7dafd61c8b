"""`source: images`: labels from a CSV file, as competitions and collections have them."""

import pytest

from cnntrain.data.image_folder import csv_rows
from cnntrain.data.image_folder.discovery import discover
from cnntrain.errors import DataError

DOGS = "id,breed\na1,pug\nb2,corgi\nc3,pug\n"
DOG_FILES = ("train/a1.png", "train/b2.png", "train/c3.png", "test/d4.png")
SKIN = "lesion_id,image_id,dx,age\nH1,I1,nv,20\nH1,I2,nv,20\nH2,I3,mel,30\n"
SKIN_FILES = ("part_1/I1.png", "part_1/I2.png", "part_2/I3.png")
LEAVES = "image_id,healthy,rust,scab\nT0,1,0,0\nT1,0,1,0\nT2,0,0,1\n"
LEAF_FILES = ("images/T0.png", "images/T1.png", "images/T2.png")

READ = {
    "Kaggle, dogs": (DOG_FILES, {"labels.csv": DOGS, "sample_submission.csv": "id,corgi,pug\nd4,0.5,0.5\n"},
                     {"train/a1.png": "pug", "train/b2.png": "corgi", "train/c3.png": "pug"}, "column 'breed'"),
    "cassava": (("train_images/1.png", "train_images/2.png", "test_images/3.png"),
                {"train.csv": "image_id,label\n1.png,0\n2.png,3\n"},
                {"train_images/1.png": "0", "train_images/2.png": "3"}, "column 'label'; images: column 'image_id'"),
    "leaves, a column each": (LEAF_FILES, {"train.csv": LEAVES},
                              {"images/T0.png": "healthy", "images/T1.png": "rust", "images/T2.png": "scab"},
                              "columns 'healthy', 'rust', 'scab'"),
    "images beside": (("x.png", "y.png"), {"train.csv": "file,label\nx.png,a\ny.png,b\n"},
                      {"x.png": "a", "y.png": "b"}, "train.csv, column 'label'"),
    "no header": (("x.png", "y.png"), {"labels.csv": "x.png,a\ny.png,b\n"}, {"x.png": "a", "y.png": "b"}, "'column 1'"),
    "paths of another place": (("images/a/x.png", "images/b/x.png"),
                               {"l.csv": "path,label\n/data/images/a/x.png,1\n/data/images/b/x.png,2\n"},
                               {"images/a/x.png": "1", "images/b/x.png": "2"}, "column 'label'"),
    "Windows": (("i/x.png", "i/y.png"), {"l.csv": "\ufeffpath;label\r\ni\\x.png;a\r\ni\\y.png;b\r\n"},
                {"i/x.png": "a", "i/y.png": "b"}, "column 'label'"),
    "ids that look like labels": (("i/0.png", "i/1.png", "i/2.png"), {"l.csv": ",id,class\n0,0,1\n1,1,0\n2,2,1\n"},
                                                {"i/0.png": "1", "i/1.png": "0", "i/2.png": "1"}, "column 'class'"),
    "numbers and names of classes": (("i/x.png", "i/y.png"), {"l.csv": "name,class_id,label,w\nx,0,cat,1\ny,1,dog,1\n"},
                                     {"i/x.png": "cat", "i/y.png": "dog"}, "column 'label'"),
    "one name in train and test": (("train/1.png", "train/2.png", "test/1.png"), {"train.csv": "id,label\n1,a\n2,b\n"},
                                   {"train/1.png": "a", "train/2.png": "b"}, "column 'label'"),
    "another form of Unicode": (("i/gru\u0308n.png", "i/rot.png"), {"l.csv": "id,label\ngr\u00fcn,a\nrot,b\n"},
                                {"i/gru\u0308n.png": "a", "i/rot.png": "b"}, "column 'label'"),
    "agrees with folders": (("cat/1.png", "dog/2.png"), {"l.csv": "id,label\n1,0\n2,1\n"},
                            {"cat/1.png": "cat", "dog/2.png": "dog"}, ""),
    "folders, and something else": (("cat/1.png", "dog/2.png"), {"sizes.csv": "id,w,h\n1,9,9\n2,8,8\n", "x.csv": "a\n"},
                                    {"cat/1.png": "cat", "dog/2.png": "dog"}, ""),
}  # fmt: skip
"""Images, CSV files, the class of each image, and a part of the line about the labels."""

REFUSED = {
    "no column of labels by name": (SKIN_FILES[:1], {"m.csv": "image_id,site,age\nI1,arm,20\n"},
                                    "cannot tell which column holds the labels of the images; the columns are 'age', "
                                    "'image_id', 'site'; set data.label=COLUMN"),
    "labels unlike folders": (SKIN_FILES, {"metadata.csv": "image_id,dx\nI1,nv\nI2,mel\nI3,mel\n"},
                              "metadata.csv contradicts the class folders; use its labels with"),
    "two files": (DOG_FILES, {"labels.csv": DOGS, "more.csv": DOGS}, "labels.csv, more.csv name the images; choose"),
    "two columns": (("i/x.png", "i/y.png", "i/z.png"), {"l.csv": "id,class,species\nx,a,1\ny,a,2\nz,b,1\n"},
                    "the columns 'class', 'species' may hold the labels; set data.label=COLUMN"),
    "two classes of an image": (LEAF_FILES, {"l.csv": LEAVES + "T2,1,1,0\n"}, "line 5 marks 2 of the classes"),
    "no class of an image": (LEAF_FILES, {"l.csv": LEAVES.replace("T1,0,1,0", "T1,0,0,0")}, "line 3 marks 0 of the"),
    "an empty label": (DOG_FILES, {"l.csv": DOGS.replace("b2,corgi", "b2,")}, "line 3 has no label in the column"),
    "two labels": (DOG_FILES, {"l.csv": DOGS + "a1,corgi\n"}, "line 5 names the image 'train/a1.png' a second time"),
    "too few values": (DOG_FILES, {"l.csv": DOGS + "a1\n"}, "line 5 has 1 values, and not 2"),
    "one class": (DOG_FILES, {"l.csv": "id,breed\na1,pug\nb2,pug\n"}, "two classes are needed, but all images have"),
    "a name of two images": (("i/a/1.png", "i/b/1.png", "i/2.png", "i/3.png"), {"l.csv": "id,label\n2,x\n3,y\n1,y\n"},
                             "line 4 names '1', but there are several such images"),
    "ids without labels": (("i/x.png",), {"test.csv": "id\nx\n"}, "cannot tell which column holds the labels"),
}  # fmt: skip


@pytest.fixture
def folder(photos):
    def make(images, files):
        root = photos(*images, size=(2, 2))
        for name, text in files.items():
            (root / name).write_text(text, encoding="utf-8")
        return root

    return make


@pytest.mark.parametrize("name", READ)
def test_read(folder, name):
    images, files, expected, line = READ[name]
    found = discover(folder(images, files))
    assert {image.name: found.classes[image.label] for image in found.images} == expected
    assert line in " ".join(found.choices)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(folder, name):
    images, files, message = REFUSED[name]
    with pytest.raises(DataError) as caught:
        discover(folder(images, files))
    assert message in str(caught.value)


def test_a_file_and_a_column_that_are_named(folder, tmp_path, Told):
    root = folder(SKIN_FILES, {})
    (tmp_path / "m.csv").write_text(SKIN)
    assert discover(root, tmp_path / "m.csv").classes == ("mel", "nv")
    told = Told(root, labels=tmp_path / "m.csv", label="age", test=0.0, validation=0.0)
    assert told.data.classes == ("20", "30")
    assert told.data.choices == ("labels: m.csv, column 'age'; images: column 'image_id'",)
    for options, message in (
        ({"label": "sex"}, "data.label: .*m.csv has no column 'sex'; the columns are 'age', 'dx', 'image_id'"),
        ({"group": "sex"}, "data.group: .*m.csv has no column 'sex'"),
    ):
        with pytest.raises(DataError, match=message):
            discover(root, tmp_path / "m.csv", **options)
    with pytest.raises(DataError, match="the labels file cannot be read: No such file"):
        discover(root, tmp_path / "none.csv")


def test_what_a_file_and_a_folder_do_not_share_is_noted(folder):
    found = discover(folder(DOG_FILES, {"labels.csv": DOGS + "zz,pug\nyy,pug\n"}))
    assert found.notes[1].startswith("2 rows name no image in the folder: ")
    assert found.notes[2].startswith("skipped 1 image without a label in ")


def test_splits_of_a_file(folder):
    text = "file,data set,label\na1,train,x\nb2,valid,y\nc3,test,x\nd4,train,y\n"
    found = discover(folder(DOG_FILES, {"birds.csv": text}))
    assert [image.split for image in found.images] == ["train", "train", "validation", "test"]
    assert found.choices[1] == "splits: birds.csv, column 'data set'"
    assert found.splits == {"train", "validation", "test"}


def test_limits(folder, monkeypatch):
    root = folder(DOG_FILES, {"labels.csv": DOGS})
    monkeypatch.setattr(csv_rows, "MAX_COUNT", 2)
    with pytest.raises(DataError, match="line 4 is too many"):
        discover(root, root / "labels.csv")


def test_few_of_the_images_of_a_long_file(folder):
    rows = "".join(f"{i:04},{'ab'[i % 2]}\n" for i in range(1200))
    root = folder(("i/0001.png", "i/0002.png"), {"l.csv": "id,label\n" + rows})
    assert discover(root).classes == ("a", "b")
    late = folder(("i/0001.png", "i/0002.png", "late/1100.png", "late/1101.png"), {})
    for name in ("0001", "0002"):
        (late / "i" / f"{name}.png").unlink()
    with pytest.raises(DataError, match="two classes are needed"):
        discover(late)
    assert len(discover(late, late / "l.csv").images) == 2


def test_too_many_columns(folder):
    root = folder(DOG_FILES, {"l.csv": "id,label" + ",x" * 2000 + "\na1,pug\n"})
    with pytest.raises(DataError, match="line 1 has 2,002 values; the limit is 2,000"):
        discover(root, root / "l.csv")
