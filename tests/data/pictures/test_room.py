"""Decoding takes no more memory than a limit."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from cnntrain.data.pictures import room
from cnntrain.data.pictures.files import is_read
from cnntrain.data.pictures.form import Form
from cnntrain.data.pictures.reading import read_picture
from cnntrain.errors import PictureError

SMALL = Form(3, 8, 8, "crop")


@pytest.mark.parametrize(
    ("mode", "a_pixel"), [("1", 2), ("L", 2), ("P", 5), ("RGB", 5), ("I;16", 10), ("LA", 16), ("RGBA", 16)]
)
def test_the_limit_itself_is_allowed(tmp_path, monkeypatch, mode, a_pixel):
    path = tmp_path / "a.png"
    Image.new(mode, (20, 10)).save(path)
    monkeypatch.setattr(room, "MOST_DECODED", 200 * a_pixel)
    assert read_picture(path, SMALL).shape == (3, 8, 8)
    monkeypatch.setattr(room, "MOST_DECODED", 200 * a_pixel - 1)
    with pytest.raises(PictureError, match=rf"20 x 10 pixels of mode {mode}, which take {200 * a_pixel:,} bytes"):
        read_picture(path, SMALL)


def test_a_jpeg_counts_at_the_scale_at_which_it_is_decoded(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    Image.fromarray(np.zeros((160, 160, 3), "uint8")).save(path)
    monkeypatch.setattr(room, "MOST_DECODED", 5 * 20 * 20)
    assert read_picture(path, SMALL).shape == (3, 8, 8)
    with pytest.raises(PictureError, match="160 x 160 pixels"):
        read_picture(path, Form(3, 160, 160, "crop"))


def is_taken():
    """Whether another thread decodes a large picture: asked from a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return not pool.submit(
            lambda: room._one_large.acquire(blocking=False) and not room._one_large.release()
        ).result()


def test_large_pictures_are_decoded_one_after_the_other(tmp_path, monkeypatch):
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    monkeypatch.setattr(room, "LARGE", 5 * 200)
    with Image.open(tmp_path / "a.png") as picture, room.room_for(picture):
        assert not is_taken()
    monkeypatch.setattr(room, "LARGE", 5 * 200 - 1)
    with Image.open(tmp_path / "a.png") as picture, room.room_for(picture):
        assert is_taken()
    assert not is_taken()


@pytest.mark.parametrize(("form", "a_pixel"), [("WEBP", 16), ("AVIF", 10)])
def test_what_a_decoder_takes_beside_counts(tmp_path, monkeypatch, form, a_pixel):
    if form == "AVIF" and not is_read("AVIF"):
        pytest.skip("this Pillow reads no AVIF")
    Image.new("RGB", (20, 10)).save(tmp_path / "a", form)
    monkeypatch.setattr(room, "MOST_DECODED", 200 * a_pixel)
    assert read_picture(tmp_path / "a", SMALL).shape == (3, 8, 8)
    monkeypatch.setattr(room, "MOST_DECODED", 200 * a_pixel - 1)
    with pytest.raises(PictureError, match=f"which take {200 * a_pixel:,} bytes"):
        read_picture(tmp_path / "a", SMALL)
