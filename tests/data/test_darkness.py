import numpy as np
import pytest
from PIL import Image

from cnntrain.data import ProgressReporter, load_data


def notes_of(source, **options):
    notes = []
    load_data(source, reporter=ProgressReporter(note=notes.append), **options)
    return [note for note in notes if "nearly black" in note]


def test_16_bit_images_that_use_the_lower_bits_are_noted(tmp_path):
    rng = np.random.default_rng(0)
    for k, name in enumerate("ab"):
        (tmp_path / "m" / name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(280 + 60 * k, 320 + 60 * k, (8, 8)).astype(np.uint16)).save(
                tmp_path / "m" / name / f"{i}.png"
            )
    (note,) = notes_of("images", path=tmp_path / "m", validation=0.0)
    assert "no pixel is above 1 of 255; rescale the pixels so that white is 255, or 65,535 in 16-bit images" in note


@pytest.mark.parametrize(
    ("highest", "dtype", "standardize", "is_dark"),
    [
        (9, "u1", True, True),
        (15, "u1", False, True),
        (16, "u1", False, False),  # that is white
        (1, "u1", False, False),
        (17, "u1", True, False),
        (255, "u1", True, False),
        (4000, "u2", True, False),
        (4000, "u2", False, True),
        (5000, "u2", False, False),
    ],
)
def test_arrays(write_npz, highest, dtype, standardize, is_dark):
    images = np.linspace(0, highest, 4000).round().astype(dtype).reshape(200, 4, 5)
    path = write_npz(images=images, labels=np.arange(200) % 2)
    assert bool(notes_of("npz", path=path, standardize=standardize)) == is_dark
