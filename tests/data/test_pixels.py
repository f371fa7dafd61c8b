import numpy as np
import pytest

from cnntrain.data import load_data
from cnntrain.data.pixels import BYTES, UNKNOWN, Scale, measure_scale, to_pixels
from cnntrain.errors import DataError


def up_to(highest, dtype, count=12):
    """Images from black to ``highest``."""
    images = np.linspace(0, highest, count * 20).round().astype(dtype)
    return images.reshape(count, 1, 4, 5)


@pytest.mark.parametrize(
    ("images", "scale"),
    [
        (up_to(255, "u1"), BYTES),
        (up_to(200, "i8"), BYTES),
        (up_to(9, "u1"), BYTES),
        (up_to(0, "u1"), BYTES),
        (up_to(255, "u2"), BYTES),
        (up_to(256, "u2"), Scale(65535)),
        (up_to(4095, ">u2"), Scale(65535)),
        (up_to(1, "u1"), Scale(1)),
        (up_to(1, "i4"), Scale(1)),
        (up_to(1, "u2"), Scale(1)),
        (up_to(1, "?"), Scale(1)),
        (up_to(16, "u1"), Scale(16)),
        (up_to(16, "i8"), Scale(16)),
        (up_to(16, "f8"), Scale(16, floats=True)),
        (up_to(255, "f4"), Scale(255, floats=True)),
        (up_to(90, "f2"), Scale(255, floats=True)),
        (up_to(1, "f4"), Scale(1, floats=True)),
        (up_to(16, "f4") / 17, Scale(1, floats=True)),
    ],
)
def test_the_training_images_say_what_is_white(images, scale):
    assert measure_scale([images]) == scale
    pixels = to_pixels(images, "x", scale)
    if scale.white == 255:
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, images)
    else:
        assert pixels.dtype == np.float32
        np.testing.assert_allclose(pixels, images / scale.white, rtol=1e-6)
    for image, one in zip(images, pixels, strict=True):  # alone it means the same as among the others
        np.testing.assert_array_equal(to_pixels(image[None], "x", scale)[0], one)


def test_earlier_versions_went_by_the_type():
    for images, scale in [
        (up_to(1, "u1"), BYTES),
        (up_to(16, "u1"), BYTES),
        (up_to(1, "?"), BYTES),
        (up_to(1, "f4"), Scale(1, floats=True)),
        (up_to(300, "u2"), Scale(65535)),
    ]:
        assert measure_scale([images], by_type=True) == scale


@pytest.mark.parametrize(
    ("scale", "images", "white"),
    [
        (BYTES, up_to(1, "f4"), 1),
        (BYTES, up_to(1, "?"), 1),
        (BYTES, up_to(255, "i8"), 255),
        (BYTES, up_to(1, "u2"), 255),
        (Scale(65535), up_to(100, "u2"), 65535),
        (Scale(65535), up_to(1, "f4"), 1),
        (Scale(65535), up_to(30_000, "i8"), 65535),
        (Scale(1, floats=True), up_to(1, "u1"), 255),
        (Scale(1, floats=True), up_to(255, "u1"), 255),
        (Scale(16), up_to(16, "f4"), 16),
        (Scale(16, floats=True), up_to(16, "u1"), 16),
        (Scale(255, floats=True), up_to(1, "f4"), 255),
        (Scale(255, floats=True), up_to(7, "i8"), 255),
        (Scale(1), up_to(1, "f4"), 1),
    ],
)
def test_numbers_of_another_type_mean_what_the_scale_says_whatever_they_are(scale, images, white):
    pixels = to_pixels(images, "x", scale)
    top = 255 if pixels.dtype == np.uint8 else 1
    np.testing.assert_allclose(pixels / top, images / white, rtol=1e-6)


@pytest.mark.parametrize(
    ("scale", "images", "why"),
    [
        (BYTES, up_to(256, "u2"), r"0 to 256; whole numbers must lie in 0\.\.255"),
        (BYTES, up_to(16, "f4"), r"floats must lie in 0\.\.1: divide them by the number that means white"),
        (BYTES, up_to(255, "f4"), r"divide them by 255"),
        (BYTES, -up_to(1, "f4"), r"as they were before they were standardized"),
        (Scale(1), up_to(2, "u1"), r"say that 1 is white"),
        (Scale(16), up_to(255, "u1"), r"say that 16 is white, so all lie in 0\.\.16"),
        (Scale(65535), up_to(255, "u1"), r"holds uint8, but 65,535 was white in the training images; give uint16"),
        (Scale(1, floats=True), up_to(255, "i8"), r"holds int64, but the training images were floats in 0\.\.1"),
        (Scale(1, floats=True), up_to(1, "u2"), r"holds uint16, but the training images were floats"),
        (Scale(255, floats=True), up_to(256, "f4"), r"say that 255 is white"),
    ],
)
def test_numbers_that_could_mean_something_else_are_refused(scale, images, why):
    with pytest.raises(DataError, match=why):
        to_pixels(images, "x", scale)


def test_splits_are_scaled_as_the_training_images(write_npz):
    labels = np.arange(12) % 2
    dark = {"x_test": up_to(9, "u1"), "y_test": labels}
    data = load_data("npz", path=write_npz(x_train=up_to(16, "u1"), y_train=labels, **dark), validation=0.2)
    np.testing.assert_allclose(data.test.images, up_to(9, "u1") / 16, rtol=1e-6)
    assert data.preprocessing.scale == Scale(16)
    assert data.validation.images.dtype == np.float32
    assert "pixels: 0..16, divided by 16" in data.choices
    bright = {"x_test": up_to(255, "u1"), "y_test": labels}
    with pytest.raises(DataError, match=r"x_test holds pixels from 0 to 255; the training images say that 1 is white"):
        load_data("npz", path=write_npz(x_train=up_to(1, "u1"), y_train=labels, **bright))


@pytest.mark.parametrize(("scale", "white"), [(Scale(65535), 65535), (UNKNOWN, 255), (None, 255), (BYTES, 255)])
def test_data_for_a_network_are_scaled_as_its_own(write_npz, scale, white):
    path = write_npz(x_train=up_to(200, "u2"), y_train=np.arange(12) % 2)
    images = load_data("npz", path=path, scale=scale).train.images
    np.testing.assert_allclose(
        images / (255 if images.dtype == np.uint8 else 1), up_to(200, "u2") / white, rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("highest", [1, 16])
def test_whole_numbers_of_csv_and_idx_files(tmp_path, write_idx, highest):
    images, labels = up_to(highest, "u1"), np.arange(12, dtype=np.uint8) % 2
    rows = "\n".join(",".join(map(str, [label, *image.ravel()])) for image, label in zip(images, labels, strict=True))
    (tmp_path / "a.csv").write_text(rows)
    csv = load_data("csv", path=tmp_path / "a.csv", shape=[1, 4, 5], label=0)
    write_idx("train-images-idx3-ubyte", images[:, 0])
    write_idx("train-labels-idx1-ubyte", labels)
    for data in (csv, load_data("idx", path=tmp_path)):
        assert data.preprocessing.scale == Scale(highest)
        np.testing.assert_allclose(data.train.images, images / highest, rtol=1e-6)


def test_text_has_no_types(tmp_path):
    (tmp_path / "a.csv").write_text("0,0,1,1,0\n1,1,0,0,1\n")  # of fractions, by chance all 0 and 1
    data = load_data("csv", path=tmp_path / "a.csv", scale=Scale(1, floats=True))
    assert data.train.images.max() == 1
