"""Decoding takes no more memory than a limit."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from cnntrain.data.image_folder import memory_limit
from cnntrain.data.image_folder.decode import read_image
from cnntrain.data.image_folder.file_types import is_read
from cnntrain.data.image_spec import ImageSpec
from cnntrain.errors import ImageError

SMALL = ImageSpec(3, 8, 8, "crop")


@pytest.mark.parametrize(
    ("mode", "a_pixel"), [("1", 2), ("L", 2), ("P", 5), ("RGB", 5), ("I;16", 10), ("LA", 16), ("RGBA", 16)]
)
def test_the_limit_itself_is_allowed(tmp_path, monkeypatch, mode, a_pixel):
    path = tmp_path / "a.png"
    Image.new(mode, (20, 10)).save(path)
    monkeypatch.setattr(memory_limit, "MAX_DECODED_BYTES", 200 * a_pixel)
    assert read_image(path, SMALL).shape == (3, 8, 8)
    monkeypatch.setattr(memory_limit, "MAX_DECODED_BYTES", 200 * a_pixel - 1)
    with pytest.raises(ImageError, match=rf"20 x 10 pixels of mode {mode}, which take {200 * a_pixel:,} bytes"):
        read_image(path, SMALL)


def test_a_jpeg_counts_at_the_scale_at_which_it_is_decoded(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    Image.fromarray(np.zeros((160, 160, 3), "uint8")).save(path)
    monkeypatch.setattr(memory_limit, "MAX_DECODED_BYTES", 5 * 20 * 20)
    assert read_image(path, SMALL).shape == (3, 8, 8)
    with pytest.raises(ImageError, match="160 x 160 pixels"):
        read_image(path, ImageSpec(3, 160, 160, "crop"))


def is_taken():
    """Whether another thread decodes a large image: asked from a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return not pool.submit(
            lambda: memory_limit._one_large.acquire(blocking=False) and not memory_limit._one_large.release()
        ).result()


def test_large_pictures_are_decoded_one_after_the_other(tmp_path, monkeypatch):
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    monkeypatch.setattr(memory_limit, "LARGE", 5 * 200)
    with Image.open(tmp_path / "a.png") as image, memory_limit.reserve_memory(image):
        assert not is_taken()
    monkeypatch.setattr(memory_limit, "LARGE", 5 * 200 - 1)
    with Image.open(tmp_path / "a.png") as image, memory_limit.reserve_memory(image):
        assert is_taken()
    assert not is_taken()


@pytest.mark.parametrize(("spec", "a_pixel"), [("WEBP", 16), ("AVIF", 10)])
def test_what_a_decoder_takes_beside_counts(tmp_path, monkeypatch, spec, a_pixel):
    if spec == "AVIF" and not is_read("AVIF"):
        pytest.skip("this Pillow reads no AVIF")
    Image.new("RGB", (20, 10)).save(tmp_path / "a", spec)
    monkeypatch.setattr(memory_limit, "MAX_DECODED_BYTES", 200 * a_pixel)
    assert read_image(tmp_path / "a", SMALL).shape == (3, 8, 8)
    monkeypatch.setattr(memory_limit, "MAX_DECODED_BYTES", 200 * a_pixel - 1)
    with pytest.raises(ImageError, match=f"which take {200 * a_pixel:,} bytes"):
        read_image(tmp_path / "a", SMALL)
