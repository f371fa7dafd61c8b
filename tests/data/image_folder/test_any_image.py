"""Whatever the bytes of an image are, there are pixels or one PictureError."""

import io
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cnntrain.data.image_folder.decode import read_image, read_size
from cnntrain.data.image_spec import ImageSpec
from cnntrain.errors import ImageError


def encoded(spec, mode="RGB", **options):
    noise = np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    content = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(content, spec, exif=exif, **options)
    return content.getvalue()


WHOLE = [
    encoded("JPEG"), encoded("JPEG", "L", progressive=True), encoded("JPEG", "CMYK"),
    encoded("PNG"), encoded("PNG", "P"), encoded("PNG", "LA"), encoded("PNG", "1"),
    encoded("GIF", "P"), encoded("BMP"), encoded("BMP", "P"), encoded("WEBP"), encoded("WEBP", "RGBA", lossless=True),
    encoded("TIFF"), encoded("TIFF", compression="tiff_lzw"), encoded("TIFF", "1", compression="group4"),
]  # fmt: skip


@st.composite
def damaged(draw):
    """An image with some bytes replaced, then perhaps cut off or continued."""
    content = bytearray(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(0, 4))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    end = draw(st.integers(0, 2 * len(content)))
    return bytes(content[:end]) + (draw(st.binary(max_size=9)) if end > len(content) else b"")


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def assert_told(error):
    assert error.reason
    assert "\n" not in str(error)


@settings(max_examples=250)
@given(
    st.one_of(st.binary(max_size=40), damaged()),
    st.sampled_from([1, 3]),
    st.sampled_from(["stretch", "crop", "pad"]),
)
def test_any_bytes(folder, content, channels, fit):
    (folder / "a.png").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            assert read_image(folder / "a.png", ImageSpec(channels, 5, 4, fit)).shape == (channels, 5, 4)
        except ImageError as error:
            assert_told(error)
            return
        assert min(read_size(folder / "a.png")) > 0
