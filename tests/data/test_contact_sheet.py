"""The contact sheet as an image."""

import io

import numpy as np
import pytest
from PIL import Image

from cnntrain.data.contact_sheet import contact_sheet
from cnntrain.data.dataset import Dataset


def draw(dataset: Dataset, classes) -> np.ndarray:
    with Image.open(io.BytesIO(contact_sheet("a title", dataset, classes))) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def coloured(labels, colors, side=8, kind=np.uint8) -> Dataset:
    """Images of one color a class."""
    labels = np.array(labels)
    images = np.array(colors, kind)[labels][:, :, None, None]
    return Dataset(np.broadcast_to(images, (len(labels), len(colors[0]), side, side)).copy(), labels)


def areas(sheet: np.ndarray, color) -> int:
    """Pixels of a color."""
    return int((sheet == color).all(axis=2).sum())


@pytest.mark.parametrize(("side", "tile"), [(8, 56), (28, 56), (32, 64), (56, 56), (64, 64), (96, 96), (224, 96)])
def test_images_are_shown_at_a_size_at_which_they_can_be_seen(side, tile):
    sheet = draw(coloured([0, 1, 1], [(200, 0, 0), (0, 100, 0)], side), ["red", "green"])
    assert areas(sheet, (200, 0, 0)) == tile * tile
    assert areas(sheet, (0, 100, 0)) == 2 * tile * tile


def test_classes_stand_below_each_other_with_ten_images_at_most():
    sheet = draw(coloured([0] * 30 + [1] * 4, [(200, 0, 0), (0, 100, 0)]), ["red", "green"])
    assert areas(sheet, (200, 0, 0)) == 10 * 56 * 56
    assert areas(sheet, (0, 100, 0)) == 4 * 56 * 56
    rows = [np.flatnonzero((sheet == color).all(axis=2).any(axis=1)) for color in ((200, 0, 0), (0, 100, 0))]
    assert rows[0].max() < rows[1].min()


def test_images_come_from_all_of_a_class():
    images = np.repeat(np.arange(0, 200, 2, dtype=np.uint8), 64).reshape(100, 1, 8, 8)
    sheet = draw(Dataset(images, np.zeros(100, int)), ["all"])
    assert [areas(sheet, (20 * i,) * 3) >= 56 * 56 for i in range(10)] == [True] * 10


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_any_number_of_channels_of_any_kind(channels, kind):
    color = [0.4] * channels if kind is np.float32 else [102] * channels
    sheet = draw(coloured([0], [color], kind=kind), ["gray"])
    assert areas(sheet, (102, 102, 102)) == 56 * 56


@pytest.mark.parametrize("classes", [1, 2, 26, 100, 500])
def test_a_sheet_of_many_classes_stays_of_a_handy_shape(classes):
    colors = [(i % 256, i // 256, 77) for i in range(classes)]
    sheet = draw(coloured(range(classes), colors), [f"class {i}" for i in range(classes)])
    height, width, _ = sheet.shape
    assert height < 1600
    assert width < 200 * (1 + classes // 25) + 100
    assert areas(sheet, colors[min(classes, 400) - 1]) == 56 * 56


def test_odd_names_and_classes_without_images():
    sheet = draw(coloured([1], [(1, 2, 3), (200, 0, 0), (4, 5, 6)]), ["x" * 5000, "\n\x1b[31m", "猫"])
    assert areas(sheet, (200, 0, 0)) == 56 * 56
    assert sheet.shape[1] < 350


def test_names_in_other_letters_can_be_read():
    """Each name looks different: none is a row of empty boxes."""
    sheets = [draw(coloured([0], [(200, 0, 0)]), [name])[40:70, :60] for name in ("üü", "öö", "ЖЖ", "λλ")]
    assert not any(np.array_equal(one, other) for i, one in enumerate(sheets) for other in sheets[:i])


def test_long_and_narrow_images_keep_their_proportions():
    images = np.full((1, 3, 20, 200), 90, np.uint8)
    images[:, 1] = 200
    sheet = draw(Dataset(images, np.zeros(1, int)), ["wide"])
    rows, columns = np.nonzero((sheet == (90, 200, 90)).all(axis=2))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (10, 96)
