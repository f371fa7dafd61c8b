"""`source: images`: folders as people have them, from courses, competitions and collections, each made small."""

import pytest
from PIL import Image

from cnntrain.data.image_folder.discovery import discover
from cnntrain.data.names import nfc
from cnntrain.errors import DataError

READ = {
    "classes": ("cat/1 cat/2 dog/1", "cat dog"),
    "classes and files beside": ("cat/1 dog/1 README.md LICENSE .DS_Store", "cat dog"),
    "background of Caltech": ("BACKGROUND_Google/1 accordion/1 airplanes/1", "BACKGROUND_Google accordion airplanes"),
    "deeper": ("cat/black/1 cat/white/1 dog/2020/1", "cat dog"),
    "one folder for each image": ("n01/images/1 n02/images/1 n03/images/1 n01/boxes.txt n02/boxes.txt", "n01 n02 n03"),
    "kinds of kinds": ("animal/cat/1 animal/dog/1 plant/rose/1 plant/oak/1", "animal plant"),
    "a class called train": ("train/1 bus/1 car/1", "bus car train"),
    "a class called test": ("test/1 blood/1", "blood test"),
    "a class like a split": ("freight_train/1 steam·train/1 bus/1", "bus freight_train steam·train"),
    "digits": ("0/1 1/1 10/1 2/1", "0 1 10 2"),
    "a class of another name": ("values/1 tested/1 trainers/1", "tested trainers values"),
    "annotations beside": ("cat/1 dog/1 annotations/1.xml annotations/xmls/2.xml", "cat dog"),
    "a folder alone in each": ("n01/train/1 n02/train/1", "n01 n02"),
    "Keras, cats and dogs": ("train/cats/1 train/dogs/1 validation/cats/1 validation/dogs/1 vectorize.py", "cats dogs",
                             "train/=train validation/=validation"),
    "course, pets": ("training_set/cats/1 training_set/dogs/1 test_set/cats/1 test_set/dogs/1", "cats dogs",
                     "training_set/=train test_set/=test"),
    "course, nested": ("training_set/training_set/cats/1 training_set/training_set/dogs/1 "
                       "test_set/test_set/cats/1 test_set/test_set/dogs/1 test_set/test_set/_DS_Store", "cats dogs",
                       "training_set/training_set/=train test_set/test_set/=test"),
    "Intel": ("seg_train/seg_train/sea/1 seg_train/seg_train/street/1 seg_test/seg_test/sea/1 "
              "seg_test/seg_test/street/1 seg_pred/seg_pred/1 seg_pred/seg_pred/2", "sea street",
              "seg_train/seg_train/=train seg_test/seg_test/=test", "seg_pred/ (2 images) is not read"),
    "chest X-rays": ("train/NORMAL/1 train/PNEUMONIA/1 val/NORMAL/1 val/PNEUMONIA/1 test/NORMAL/1 test/PNEUMONIA/1 "
                     "__MACOSX/train/NORMAL/._1 .DS_Store train/.DS_Store", "NORMAL PNEUMONIA",
                     "train/=train val/=validation test/=test"),
    "chest X-rays with a copy": ("train/N/1 train/P/1 test/N/1 test/P/1 chest_xray/train/N/1 chest_xray/train/P/1 "
                                 "chest_xray/test/N/1", "N P", "train/=train test/=test", "chest_xray/ (3 images)"),
    "Imagenette": ("train/n01/1 train/n02/1 val/n01/1 val/n02/1 noisy_imagenette.csv", "n01 n02",
                   "train/=train val/=validation"),
    "ImageNet, validation flat": ("train/n01/1 train/n02/1 val/1 val/2 test/1", "n01 n02", "train/=train",
                                  "val/ (2 images) is not read: it has no class folders"),
    "tiny ImageNet": ("train/n01/images/1 train/n02/images/1 train/n01/b.txt val/images/1 val/v.txt test/images/1",
                      "n01 n02", "train/=train", "val/ (1 image) is not read"),
    "GTSRB": ("Final_Training/Images/00000/1 Final_Training/Images/00001/1 Final_Test/Images/1 Final_Test/a.txt",
              "00000 00001", "Final_Training/Images/=train", "Final_Test/ (1 image) is not read"),
    "signs": ("asl_alphabet_train/asl_alphabet_train/A/1 asl_alphabet_train/asl_alphabet_train/B/1 "
              "asl_alphabet_test/asl_alphabet_test/A_test", "A B", "asl_alphabet_train/asl_alphabet_train/=train",
              "asl_alphabet_test/ (1 image)"),
    "fruits": ("Training/Apple/1 Training/Pear/1 Test/Apple/1 Test/Pear/1 test-multiple_fruits/1 papers/a.txt",
               "Apple Pear", "Training/=train Test/=test", "test-multiple_fruits/ (1 image)"),
    "course, capitals": ("Train/a/1 Train/b/1 Test/a/1 Test/b/1", "a b", "Train/=train Test/=test"),
    "course, words": ("Train·dataset/a/1 Train·dataset/b/1 Test·dataset/a/1 Test·dataset/b/1", "a b",
                      "Train·dataset/=train Test·dataset/=test"),
    "roboflow": ("train/a/1 train/b/1 valid/a/1 valid/b/1 test/a/1 test/b/1 README.roboflow.txt", "a b",
                 "train/=train valid/=validation test/=test"),
    "Kaggle, joined": ("TrainSet/a/1 TrainSet/b/1 ValSet/a/1 ValSet/b/1", "a b", "TrainSet/=train ValSet/=validation"),
    "images in the names": ("train_images/a/1 train_images/b/1 val_images/a/1 val_images/b/1", "a b",
                            "train_images/=train val_images/=validation"),
    "dev": ("train/a/1 train/b/1 dev/a/1 dev/b/1 test/a/1 test/b/1", "a b", "train/=train dev/=validation test/=test"),
    "eval": ("train/a/1 train/b/1 eval/a/1 eval/b/1", "a b", "train/=train eval/=validation"),
    "validate": ("training/a/1 training/b/1 validate/a/1 validate/b/1", "a b", "training/=train validate/=validation"),
    "MNIST as PNG": ("training/0/1 training/1/1 testing/0/1 testing/1/1", "0 1", "training/=train testing/=test"),
    "numbered": ("01_train/a/1 01_train/b/1 02_val/a/1 03_test/b/1", "a b",
                 "01_train/=train 02_val/=validation 03_test/=test"),
    "years": ("train2017/a/1 train2017/b/1 val2017/a/1", "a b", "train2017/=train val2017/=validation"),
    "train alone": ("train/a/1 train/b/1", "a b", "train/=train"),
    "train, stray images": ("train/a/1 train/b/1 train/9 test/a/1 test/b/1", "a b", "train/=train test/=test",
                            "1 image in {}/train is not in a class folder"),
    "a test with fewer classes": ("train/a/1 train/b/1 train/c/1 test/a/1", "a b c", "train/=train test/=test"),
    "to predict": ("train/a/1 train/b/1 pred/1 pred/2 pred/3", "a b", "train/=train", "pred/ (3 images) is not read"),
    "a test without classes": ("train/a/1 train/b/1 test/1 test/2", "a b", "train/=train",
                               "test/ (2 images) is not read: it has no class folders"),
    "stray images": ("a/1 b/1 9", "a b", "", "1 image in {} is not in a class folder"),
    "runs of training": ("a/1 b/1 runs/x/config.yaml runs/x/metrics.jsonl runs/x/loss.png", "a b", "",
                         "skipped 1 folder of training runs"),
    "a run of training": ("a/1 b/1 c/config.yaml c/summary.json c/loss.png", "a b", "", "training runs"),
    "two spellings of a class": ("Cat/1 cat/1 dog/1", "Cat cat dog", "", "'Cat', 'cat' are 2 different classes, but"),
    "one name in two forms": ("Gru\u0308n/1 Gr\u00fcn/2 rot/1", "Gr\u00fcn rot"),
    "two forms in two splits": ("train/Gr\u00fcn/1 train/rot/1 val/Gru\u0308n/1", "Gr\u00fcn rot",
                                "train/=train val/=validation"),
    "joiners": ("می\u200cخواهم/1 क्\u200dष/1 👩\u200d🚀/1", "क्\u200dष می\u200cخواهم 👩\u200d🚀"),
}  # fmt: skip
"""Files, the classes, perhaps the splits, and a part of a note."""

REFUSED = {
    "Train beside train": ("train/a/1 train/b/1 Train/a/1 Train/b/1", "Train, train, and only one can be the train"),
    "sizes": ("train_256/a/1 train_256/b/1 train_512/a/1 train_512/b/1", "only one can be the train split"),
    "two validation splits": ("train/a/1 train/b/1 val/a/1 val/b/1 dev/a/1 dev/b/1", "dev, val, and only one"),
    "no train": ("valid/a/1 valid/b/1 test/a/1 test/b/1", "holds test, valid, but no training split"),
    "Omniglot": ("images_background/a/1 images_background/b/1 images_evaluation/c/1 images_evaluation/d/1",
                 "holds images_evaluation, but no training split; call its folder 'train'"),
    "eval beside test": ("train/a/1 train/b/1 eval/a/1 eval/b/1 test/a/1 test/b/1", "eval next to test may"),
    "plants": ("color/apple/1 color/corn/1 grayscale/apple/1 grayscale/corn/1 segmented/apple/1 segmented/corn/1",
               "color, grayscale, segmented hold the same folders (apple, corn): if they are splits, rename"),
    "folds": ("fold1/a/1 fold1/b/1 fold2/a/1 fold2/b/1 fold3/a/1 fold3/b/1", "fold1, fold2, fold3 hold the same"),
    "augmented": ("original/a/1 original/b/1 new/a/1 new/b/1 new/c/1", "hold the same folders (a, b)"),
    "Office": ("amazon/images/pen/1 amazon/images/mug/1 dslr/images/pen/1 dslr/images/mug/1", "amazon, dslr hold"),
    "images and masks": ("covid/images/1 covid/masks/1 normal/images/1 normal/masks/1", "covid, normal hold the same"),
    "splits below classes": ("cat/train/1 cat/test/1 dog/train/1 dog/test/1", "train/CLASS, not CLASS/train"),
    "another name of a split": ("train/a/1 train/b/1 predictions/a/1 predictions/b/1",
                                "predictions holds the same folders as train (a, b), but its name is not"),
    "trainval": ("trainval/a/1 trainval/b/1 test/a/1 test/b/1", "test, trainval hold the same folders (a, b)"),
    "kinds of trains": ("train/freight/1 train/steam/1 bus/1 car/1", "is train a split or a class?"),
    "classes beside train": ("train/a/1 train/b/1 a/1 b/1", "is train a split or a class?"),
    "a copy inside": ("flowers/daisy/1 flowers/rose/1 daisy/1 rose/1", "flowers holds folders with the same names as"),
    "nested once": ("flowers/daisy/1 flowers/rose/1", "was {}/flowers meant, which holds 'daisy', 'rose'?"),
    "nested twice": ("nest/data/data/cat/1 nest/data/data/dog/1", "was {}/nest/data/data meant, which holds 'cat'"),
    "splits nested": ("data/train/a/1 data/train/b/1 data/test/a/1", "was {}/data meant, which holds 'test', 'train'?"),
    "Stanford dogs": ("images/Images/n1-pug/1 images/Images/n2-corgi/1 annotations/Annotation/n1-pug/1.xml",
                      "was {}/images/Images meant, which holds 'n1-pug', 'n2-corgi'?"),
    "splits without classes": ("train/1 train/2 test/3", "are not in class folders (test 1, train 2)"),
    "masks beside": ("train/1 train_masks/1 test/1", "are not in class folders"),
    "train without classes": ("train/1 train/2", "are not in class folders (train 2)"),
    "no folders": ("cat.0 cat.1 dog.0", "there is none; 3 images in {} are not in a class folder"),
    "one class": ("cat/1 cat/2 dog/readme.txt", "there is only one, 'cat'"),
    "one class to train on": ("train/good/1 test/good/1 test/broken/1", "there is only one, 'good'"),
    "object detection": ("train/images/1 train/labels/1.txt valid/images/1 valid/labels/1.txt", "not in class folders"),
    "a class that train lacks": ("train/a/1 train/b/1 test/a/1 test/c/1", "train does not have: c"),
    "an unread format": ("a/1 b/1 b/2.jp2 c/1.jp2 c/2.jp2", "{}/c: none of the images of this class can be read "
                         "(2 JPEG 2000): convert"),
    "an unread format in a split": ("train/a/1 train/b/1 test/a/1 test/b/1.jxl", "{}/test/b: none of the images"),
    "a line break": ("a/1 b␤c/1", r"holds the name 'b\nc', which cannot be shown"),
    "an escape": ("a/1 \x1b[31m/1", r"holds the name '\x1b[31m', which cannot be shown"),
    "a turn of direction": ("a/1 b\u202ec/1", r"holds the name 'b\u202ec', which cannot be shown"),
    "nothing to see": ("a/1 \u200d/1", "cannot be shown"),
}  # fmt: skip
"""Files, and a part of the message; {} is the folder."""


@pytest.fixture
def layout(tmp_path):
    """Makes files, in a folder; what has no ending becomes an image."""

    def make(names):
        root = tmp_path / "photos"
        known = (".md", ".txt", ".xml", ".py", ".csv", ".yaml", ".json", ".jsonl", ".jp2", ".jxl", "LICENSE", "Store")
        for i, name in enumerate(words(names)):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith(known):
                path.touch()
            else:
                image = Image.new("L", (2, 2), i)
                image.save(path if path.suffix == ".png" else path.with_name(f"{path.name}.png"))
        return root

    return make


def words(names):
    """Names between spaces, in which a dot stands for a space and ␤ for a line break."""
    return [name.replace("·", " ").replace("␤", "\n") for name in names.split()]


@pytest.mark.parametrize("name", READ)
def test_read(layout, name):
    files, classes, *rest = READ[name]
    splits, note = [*rest, "", ""][:2]
    root = layout(files)
    found = discover(root)
    assert set(found.classes) == set(words(classes) if isinstance(classes, str) else classes)
    told = [choice.removeprefix("splits: ") for choice in found.choices if choice.startswith("splits: ")]
    expected = ", ".join(part.replace("=", " as ") for part in words(splits)) if splits else None
    assert told == ([expected] if expected else [])
    assert found.splits == {part.partition("=")[2] for part in words(splits)} - {""}
    assert note.format(root) in " ".join(found.notes)
    for image in found.images:
        parts = image.name.split("/")
        assert found.classes[image.label] in map(nfc, parts)


def test_names_with_any_space(layout):
    root = layout("a/1 b/1")
    names = ["ice\u00a0cream", "犬\u3000猫"]
    for old, new in zip("ab", names, strict=True):
        (root / old).rename(root / new)
    assert discover(root).classes == tuple(names)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(layout, name):
    files, message = REFUSED[name]
    root = layout(files)
    with pytest.raises(DataError) as caught:
        discover(root)
    assert message.replace("{}", str(root)) in str(caught.value)
