"""Each fault of an npz file gives one sentence that names the file and the array."""

import numpy as np
import pytest

from cnntrain.data.formats import npz
from cnntrain.errors import DataError


def message(path):
    with pytest.raises(DataError) as caught:
        npz.load(path)
    return str(caught.value)


def test_no_training_arrays(write_npz, images, labels):
    path = write_npz(x_test=images, y_test=labels, b=labels)
    assert message(path) == (
        f"{path}: no training samples; looked for the arrays x_train and y_train, or images and labels; the file holds "
        "b, x_test, y_test"
    )


@pytest.mark.parametrize(("here", "missing"), [("x_train", "y_train"), ("y_train", "x_train"), ("labels", "images")])
def test_half_a_pair(write_npz, labels, here, missing):
    path = write_npz(**{here: labels})
    assert message(path) == f"{path}: there is {here}, but no {missing}; the file holds {here}"


def test_both_names_for_the_training_samples(write_npz, images, labels):
    path = write_npz(x_train=images, y_train=labels, images=images, labels=labels)
    assert message(path) == (
        f"{path} holds both x_train and y_train and images and labels, and only one pair can be the training samples; "
        "leave the other out"
    )


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ((10, 3, 8, 3), "both its axes 1 and 3 could be"),
        ((10, 4, 6, 2), "neither its axis 1 nor its axis 3 is 1 or 3 long as"),
    ],
)
def test_a_layout_that_the_shape_leaves_open(write_npz, labels, shape, why):
    path = write_npz(x_train=np.zeros(shape, np.uint8), y_train=labels)
    assert message(path) == (
        f"{path}: x_train has the shape {shape}: {why} the channels; add data.layout=NHWC if the channels come "
        "last, or data.layout=NCHW if they come before the rows"
    )


@pytest.mark.parametrize("shape", [(10, 784), (10, 1, 28, 28, 1), (10,)])
def test_images_without_rows_and_columns(write_npz, labels, shape):
    path = write_npz(x_train=np.zeros(shape, np.uint8), y_train=labels)
    assert message(path) == (
        f"{path}: x_train has the shape {shape}, but images are N x H x W, N x H x W x C or N x C x H x W; reshape them"
    )


def test_unequal_counts(write_npz, images, labels):
    path = write_npz(x_train=images, y_train=labels[:9])
    assert message(path) == f"{path}: x_train holds 10 images, but y_train holds 9 labels; every image needs one label"


def test_test_images_of_another_size(write_npz, images, labels):
    path = write_npz(x_train=images, y_train=labels, x_test=images[:, :2], y_test=labels)
    assert message(path) == (
        f"{path}: the images of x_test are 1 x 2 x 5 (channels x rows x columns), but those of x_train are 1 x 4 x 5"
    )


@pytest.mark.parametrize("shape", [(0, 28, 28), (10, 0, 5)])
def test_no_images(write_npz, labels, shape):
    path = write_npz(x_train=np.zeros(shape, np.uint8), y_train=labels)
    assert message(path) == f"{path}: x_train is empty: its shape is {shape}"


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8"])
def test_pixels_that_are_no_numbers(write_npz, images, labels, wrong, dtype):
    x = (images / 255).astype(dtype)
    x[7, 3, 1] = wrong
    path = write_npz(x_train=images, y_train=labels, x_test=x, y_test=labels)
    assert message(path) == (
        f"{path}: x_test holds a pixel that is not a number or infinite, first in image 7 (counted from 0)"
    )


def test_floats_outside_0_to_1(write_npz, images, labels):
    images[0, 0, :2] = 0, 255
    path = write_npz(x_train=images.astype("f4") * 0.9, y_train=labels)
    assert message(path) == (
        f"{path}: x_train holds pixels from 0 to 229.5; floats must lie in 0..1: divide them by 255, or store whole "
        "numbers in 0..255 as uint8"
    )


def test_floats_just_above_1(write_npz, images, labels):
    images[0, 0, 0] = 255
    path = write_npz(x_train=images / 254.999, y_train=labels)
    assert " to 1.00000392; floats must lie in 0..1: divide them by the number that means white" in message(path)
    read = npz.load(write_npz(x_train=images / 254.9999, y_train=labels)).train.images  # as resizing leaves them
    assert read.max() == 1


@pytest.mark.parametrize(("dtype", "shift", "shown"), [("i2", -1, "-1 to 254"), ("i4", 1, "1 to 256")])
def test_whole_numbers_outside_0_to_255(write_npz, images, labels, dtype, shift, shown):
    images[0, 0, :2] = 0, 255
    path = write_npz(x_train=images.astype(dtype) + shift, y_train=labels)
    assert message(path) == (
        f"{path}: x_train holds pixels from {shown}; whole numbers must lie in 0..255, or in 0..65535 as uint16"
    )


def test_labels_as_one_hot_rows(write_npz, images):
    path = write_npz(x_train=images, y_train=np.eye(10))
    assert message(path) == (
        f"{path}: y_train has the shape (10, 10), but a label is one whole number or text a sample; turn one-hot "
        "rows into numbers by labels.argmax(axis=1)"
    )


def test_labels_of_three_axes(write_npz, images):
    path = write_npz(x_train=images, y_train=np.zeros((10, 1, 1), int))
    assert message(path) == (
        f"{path}: y_train has the shape (10, 1, 1), but labels are (N,): one whole number or text a sample"
    )


@pytest.mark.parametrize(
    ("wrong", "shown"), [(0.5, "0.5"), (np.nan, "nan"), (np.inf, "inf")], ids=["fraction", "NaN", "infinite"]
)
def test_labels_that_are_not_whole(write_npz, images, labels, wrong, shown):
    y = labels.astype("f8")
    y[4] = wrong
    path = write_npz(x_train=images, y_train=y)
    assert message(path) == f"{path}: y_train holds the label {shown}, but a label is a whole number from 0 on"


def test_labels_that_are_objects(write_npz, images, labels):
    path = write_npz(x_train=images, y_train=labels.astype(object))
    assert message(path).endswith(
        "y_train holds Python objects, a pickle, which is never loaded; store numbers, or text by labels.astype(str)"
    )


def test_names_of_classes_that_are_objects(write_npz, images, labels):
    path = write_npz(x_train=images, y_train=labels, class_names=np.array(list("abcdefghij"), object))
    assert message(path).endswith("which is never loaded; store text: np.array(names, dtype=str)")


def test_images_that_are_texts(write_npz, images, labels):
    path = write_npz(x_train=images.astype("U3"), y_train=labels)
    assert message(path) == f"{path}: x_train holds text; images are numbers"


def test_bytes_that_are_no_text(write_npz, images):
    path = write_npz(x_train=images[:2], y_train=np.array([b"Gr\xfcn", b"Rot"]))
    assert message(path) == (
        f"{path}: y_train holds bytes that are not text in UTF-8; store it as text: array.astype(str)"
    )


def test_a_text_that_no_training_sample_has(write_npz, images):
    path = write_npz(x_train=images[:2], y_train=["cat", "dog"], x_test=images[:2], y_test=["dog", "cow"])
    assert message(path) == (
        f"{path}: y_test holds the label 'cow', but the 2 classes of the training samples are cat, dog"
    )


def test_labels_of_several_classes(write_npz, images):
    path = write_npz(x_train=images, y_train=np.ones((10, 3), int))
    assert message(path) == (
        f"{path}: y_train has the shape (10, 3), but a label is one whole number or text a sample; several labels for "
        "one image cannot be trained on"
    )


def test_two_arrays_that_could_be_the_same(write_npz, images, labels):
    path = write_npz(x_train=images, X_train=images, y_train=labels)
    assert message(path) == f"{path}: X_train and x_train could all be the images of train; leave all but one out"


def test_negative_labels(write_npz, images, labels):
    path = write_npz(x_train=images, y_train=labels.astype("i2") - 1)
    assert message(path) == f"{path}: y_train holds the label -1, but labels count from 0"


@pytest.mark.parametrize("label", [65_536, 2**63 + 1, 1e300])
def test_labels_that_would_make_too_many_classes(write_npz, images, label):
    path = write_npz(x_train=images[:1], y_train=np.array([label]))
    assert message(path) == f"{path}: y_train holds the label {label}, but labels count from 0 to 65,535 at most"


@pytest.mark.parametrize("names", [None, np.array(["a", "b", "c", "d"])])
def test_a_test_label_outside_the_classes(write_npz, images, names):
    named = {} if names is None else {"classes": names}
    path = write_npz(x_train=images[:2], y_train=[0, 3], x_test=images[:1], y_test=[4], **named)
    assert message(path) == f"{path}: y_test holds the label 4, but the classes are 0 to 3"


def test_a_training_label_without_a_name(write_npz, images):
    path = write_npz(x_train=images[:2], y_train=[0, 2], class_names=np.array(["cat", "dog"]))
    assert message(path) == f"{path}: y_train holds the label 2, but the classes are 0 to 1"


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["cat", "dog", "cat"], "'cat', 2 times; give every class one of its own"),
        (["cat", " ", "dog"], "' ', which cannot be shown; give the class another"),
        (["cat", "\x1b[2J"], "'\\x1b[2J', which cannot be shown; give the class another"),
    ],
)
def test_names_of_classes_that_cannot_be_used(write_npz, images, names, why):
    path = write_npz(x_train=images[:2], y_train=[0, 1], class_names=np.array(names))
    assert message(path) == f"{path}: class_names holds the name {why}"


@pytest.mark.parametrize("names", [np.array([["a"], ["b"]]), np.array([0.5, 1.5])])
def test_names_of_classes_that_are_no_row_of_texts(write_npz, images, names):
    path = write_npz(x_train=images[:2], y_train=[0, 1], class_names=names)
    assert message(path) == (
        f"{path}: class_names has the shape {names.shape} and the type {names.dtype}; it must be one row of texts, the "
        "name of each class"
    )


def test_names_of_classes_that_are_no_characters(write_npz, images):
    path = write_npz(x_train=images[:2], y_train=[0, 1], class_names=np.array([2**31, 5], "<u4").view("<U1"))
    assert message(path) == f"{path}: class_names is damaged: its text holds numbers that are no characters"


def test_too_many_names_of_classes(write_npz, images):
    path = write_npz(x_train=images[:2], y_train=[0, 1], class_names=np.arange(65_537))
    assert message(path) == f"{path}: class_names names 65,537 classes; 65,536 are possible"
