import numpy as np
import pytest

from cnntrain.data import load_data
from cnntrain.data.formats import npz


def color(shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_the_four_arrays_of_keras_are_read(write_npz, images, labels):
    path = write_npz(x_train=images, y_train=labels, x_test=images[:3], y_test=labels[:3])
    train, test, classes, *_ = npz.load(path)
    np.testing.assert_array_equal(train.images, images[:, None])
    np.testing.assert_array_equal(test.images, images[:3, None])
    np.testing.assert_array_equal(train.labels, labels)
    assert (train.images.dtype, train.labels.dtype) == (np.uint8, np.int64)
    assert classes == tuple("0123456789")


def test_images_and_labels_are_training_samples_alone(write_npz, images, labels):
    train, test, *_ = npz.load(write_npz(images=images, labels=labels))
    assert len(train) == 10
    assert test is None


def test_images_and_labels_may_stand_beside_test_arrays(write_npz, images, labels):
    assert len(npz.load(write_npz(images=images, labels=labels, x_test=images[:2], y_test=labels[:2])).test) == 2


def test_a_compressed_file_and_arrays_that_are_of_no_use(tmp_path, images, labels):
    objects = np.array([{}], dtype=object)
    np.savez_compressed(tmp_path / "a.npz", x_train=images, y_train=labels, notes=objects)
    np.testing.assert_array_equal(npz.load(tmp_path / "a.npz").train.images[:, 0], images)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_last_and_channels_first_are_told_apart(write_npz, labels, channels):
    x = color((10, channels, 6, 5))
    for stored in (x, x.transpose(0, 2, 3, 1)):
        read = npz.load(write_npz(x_train=stored, y_train=labels)).train.images
        np.testing.assert_array_equal(read, x)
        assert read.flags.c_contiguous


@pytest.mark.parametrize("shape", [(10, 3, 8, 3), (10, 4, 6, 2), (10, 1, 5, 1)])
def test_layout_settles_what_the_shape_leaves_open(write_npz, labels, shape):
    x = color(shape)
    path = write_npz(x_train=x, y_train=labels)
    np.testing.assert_array_equal(npz.load(path, layout="NCHW").train.images, x)
    np.testing.assert_array_equal(npz.load(path, layout="NHWC").train.images, x.transpose(0, 3, 1, 2))


def test_black_images_that_pack_very_well_are_read(tmp_path, labels):
    np.savez_compressed(tmp_path / "a.npz", x_train=np.zeros((10, 700, 700), np.uint8), y_train=labels)
    assert len(npz.load(tmp_path / "a.npz").train) == 10


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "i1", ">i4", "<i8", "u8"])
def test_whole_numbers_up_to_255_become_uint8(write_npz, images, labels, dtype):
    images = images // 2
    read = npz.load(write_npz(x_train=images.astype(dtype), y_train=labels)).train.images
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read[:, 0], images)


def test_booleans_become_black_and_white(write_npz, images, labels):
    read = npz.load(write_npz(x_train=images > 100, y_train=labels)).train.images
    np.testing.assert_array_equal(read[:, 0], np.float32(images > 100))


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", ">f8"])
def test_floats_become_float32(write_npz, images, labels, dtype):
    x = (images / 255).astype(dtype)
    read = npz.load(write_npz(x_train=x, y_train=labels)).train.images
    assert read.dtype == np.dtype("float32")  # also in the byte order of this machine
    np.testing.assert_array_equal(read[:, 0], x.astype(np.float32))


@pytest.mark.parametrize("byte_order", "<>")
def test_uint16_above_255_is_divided_by_65535_in_every_split(write_npz, images, labels, byte_order):
    deep = images.astype(byte_order + "u2") * 257
    path = write_npz(x_train=deep, y_train=labels, x_test=deep[:3] // 257, y_test=labels[:3])
    train, test, *_ = npz.load(path)
    np.testing.assert_allclose(train.images[:, 0], images / 255, rtol=1e-6)
    np.testing.assert_allclose(test.images[:, 0], images[:3] / 65535, rtol=1e-6)
    assert train.images.dtype == test.images.dtype == np.float32


def test_arrays_in_fortran_order_are_read_right(write_npz, images, labels):
    path = write_npz(x_train=np.asfortranarray(images), y_train=labels)
    np.testing.assert_array_equal(npz.load(path).train.images[:, 0], images)


@pytest.mark.parametrize("dtype", ["u1", ">i2", "i8", "u8", "f2", "f4", ">f8"])
def test_labels_may_be_any_whole_numbers_also_in_a_column(write_npz, images, labels, dtype):
    for stored in (labels.astype(dtype), labels.astype(dtype)[:, None]):
        read = npz.load(write_npz(x_train=images, y_train=stored)).train.labels
        np.testing.assert_array_equal(read, labels)
        assert read.dtype == np.dtype("int64")


def test_a_label_is_the_number_of_its_class_even_if_some_have_no_sample(write_npz, images):
    train, _, classes, *_ = npz.load(write_npz(x_train=images[:2], y_train=np.array([0, 7])))
    assert train.labels.tolist() == [0, 7]
    assert classes == tuple("01234567")


@pytest.mark.parametrize("codes", [[10, 20, 30], [3000, 1000, 2000], [3, 7, 3], [0, 500, 2000]])
def test_labels_that_do_not_count_are_codes(write_npz, images, codes):
    path = write_npz(x_train=images[:3], y_train=np.array(codes), x_test=images[:1], y_test=np.array(codes[1:2]))
    splits = npz.load(path)
    assert splits.classes == tuple(map(str, sorted(set(codes))))
    assert [splits.classes[label] for label in splits.train.labels] == list(map(str, codes))
    assert splits.classes[splits.test.labels[0]] == str(codes[1])
    assert splits.choices[1].startswith(f"classes: only the {len(set(codes))} labels that training samples have: ")


@pytest.mark.parametrize("dtype", ["U", "S"])
def test_labels_may_be_texts(write_npz, images, dtype):
    texts = np.array(["dog", "cat", "Grün"])
    texts = np.char.encode(texts, "utf-8") if dtype == "S" else texts
    splits = npz.load(write_npz(x_train=images[:3], y_train=texts, x_test=images[:1], y_test=texts[:1]))
    assert splits.classes == ("Grün", "cat", "dog")
    assert (splits.train.labels.tolist(), splits.test.labels.tolist()) == ([2, 1, 0], [2])
    assert "classes: 3 labels that are text, in sorted order" in splits.choices


def test_texts_of_whole_numbers_are_numbers(write_npz, images, labels):
    splits = npz.load(write_npz(x_train=images, y_train=(labels + 1).astype(str)))
    assert splits.classes == tuple(map(str, range(1, 11)))
    np.testing.assert_array_equal(splits.train.labels, labels)


def test_texts_are_put_in_the_order_of_the_names(write_npz, images):
    path = write_npz(x_train=images[:2], y_train=["dog", "cat"], class_names=np.array(["dog", "cow", "cat"]))
    assert (npz.load(path).classes, npz.load(path).train.labels.tolist()) == (("dog", "cow", "cat"), [0, 2])


NAMES = [
    ("X_train", "y_train", "X_val", "y_val", "X_test", "y_test"),
    ("x_train", "y_train", "x_valid", "y_valid", "x_test", "y_test"),
    ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
    ("trainX", "trainY", "devX", "devY", "testX", "testY"),
    ("train_set_x", "train_set_y", "valid_set_x", "valid_set_y", "test_set_x", "test_set_y"),
    ("X", "y", "X_dev", "y_dev", "X_test", "y_test"),
    ("data", "target", "data_validation", "target_validation", "data_test", "target_test"),
    ("images", "labels", "validation_images", "validation_labels", "test_images", "test_labels"),
]


@pytest.mark.parametrize("names", NAMES, ids=lambda names: names[0] + names[2])
def test_usual_names_of_arrays(write_npz, images, labels, names):
    arrays = {}
    for i, name in enumerate(names):
        whole = images if i % 2 == 0 else labels
        arrays[name] = whole[: 10 - i // 2]
    splits = npz.load(write_npz(**arrays, ids=labels))
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [10, 9, 8]
    x, y, *held = names
    assert splits.choices == (
        f"splits: {x}, {y} as train; {held[0]}, {held[1]} as validation; {held[2]}, {held[3]} as test; not read: ids",
    )
    data = load_data("npz", path=write_npz(**arrays), validation=0.5)
    assert len(data.validation) == 9


def test_labels_that_start_at_1_become_classes_from_0(write_npz, images):
    train, _, classes, *_ = npz.load(write_npz(x_train=images[:2], y_train=np.array([1, 3])))
    assert train.labels.tolist() == [0, 2]
    assert classes == ("1", "2", "3")


def test_a_0_in_the_test_labels_keeps_label_1_from_being_class_0(write_npz, images):
    path = write_npz(x_train=images[:2], y_train=np.array([1, 3]), x_test=images[:1], y_test=np.array([0]))
    train, test, classes, *_ = npz.load(path)
    assert (train.labels.tolist(), test.labels.tolist(), classes) == ([1, 3], [0], ("0", "1", "2", "3"))


@pytest.mark.parametrize("dtype", ["U", "S"])
@pytest.mark.parametrize(
    ("key", "first"), [("class_names", 0), ("classes", 0), ("classes", 1), ("label_names", 0), ("target_names", 0)]
)
def test_classes_may_be_named(write_npz, images, key, first, dtype):
    names = np.array(["cat", "dog", "grand piano"], dtype)
    train, _, classes, *_ = npz.load(write_npz(x_train=images[:3], y_train=np.arange(3) + first, **{key: names}))
    assert classes == ("cat", "dog", "grand piano")
    assert train.labels.tolist() == [0, 1, 2]


def test_more_names_than_training_labels_are_more_classes(write_npz, images):
    path = write_npz(
        x_train=images[:2], y_train=np.array([1, 0]), x_test=images[:1], y_test=[2], classes=np.array(["a", "b", "c"])
    )
    assert npz.load(path).classes == ("a", "b", "c")


def test_classes_may_be_named_by_numbers(write_npz, images):
    path = write_npz(x_train=images[:2], y_train=np.array([0, 1]), classes=np.array([3, 7]))
    assert npz.load(path).classes == ("3", "7")


def test_a_stored_array_may_be_longer_than_the_list_of_arrays(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (40, 128, 128), dtype=np.uint8)
    np.savez(tmp_path / "large.npz", x_train=images, y_train=np.arange(40) % 2)
    data = load_data("npz", path=tmp_path / "large.npz")
    np.testing.assert_array_equal(data.train.images[:, 0], images)
