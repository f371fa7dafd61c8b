"""Images of every format and mode, and how they are brought to size."""

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from cnntrain.data.image_folder import decode as pictures
from cnntrain.data.image_folder import open_image
from cnntrain.data.image_folder.decode import read_image, read_size
from cnntrain.data.image_spec import ImageSpec
from cnntrain.errors import ImageError

RED, GREEN, BLUE, WHITE, BLACK = (200, 30, 20), (20, 180, 40), (10, 30, 220), (255, 255, 255), (0, 0, 0)
SAME = ImageSpec(3, 8, 12, "stretch")


@pytest.fixture
def quarters():
    """An image of 8 rows and 12 columns: red and green above, blue and white below."""
    image = Image.new("RGB", (12, 8), RED)
    image.paste(GREEN, (6, 0, 12, 4))
    image.paste(BLUE, (0, 4, 6, 8))
    image.paste(WHITE, (6, 4, 12, 8))
    return image


def corners(pixels):
    """The colors in the four corners, row by row."""
    return [tuple(pixels[:, i, j].tolist()) for i in (0, -1) for j in (0, -1)]


@pytest.mark.parametrize(
    ("ending", "options", "tolerance"),
    [
        ("png", {}, 0),
        ("bmp", {}, 0),
        ("tiff", {"compression": "tiff_lzw"}, 0),
        ("tiff", {}, 0),
        ("webp", {"lossless": True}, 0),
        ("gif", {}, 4),
        ("jpg", {"quality": 95, "subsampling": 0}, 12),
        ("jpg", {"quality": 95, "subsampling": 0, "progressive": True}, 12),
    ],
)
def test_every_format(tmp_path, quarters, ending, options, tolerance):
    quarters.save(tmp_path / f"a.{ending}", **options)
    pixels = read_image(tmp_path / f"a.{ending}", SAME)
    assert (pixels.shape, pixels.dtype, pixels.flags.c_contiguous) == ((3, 8, 12), np.uint8, True)
    np.testing.assert_allclose(pixels.transpose(1, 2, 0).astype(int), np.asarray(quarters), atol=tolerance)


def test_the_bytes_tell_the_format_not_the_name(tmp_path, quarters):
    quarters.save(tmp_path / "a.jpg", format="PNG")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg", SAME).transpose(1, 2, 0), np.asarray(quarters))


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tiff"])
def test_the_first_frame_counts(tmp_path, ending):
    frames = [Image.new("RGB", (12, 8), color) for color in (RED, GREEN, BLUE)]
    options = {"lossless": True} if ending == "webp" else {}
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:], **options)
    assert np.abs(np.array(corners(read_image(tmp_path / f"a.{ending}", SAME))) - RED).max() <= 4


def mode_of(mode):
    """An image of one color in a mode, and what it looks like on white."""
    return {
        "1": (Image.new("1", (12, 8), 1), WHITE),
        "L": (Image.new("L", (12, 8), 77), (77, 77, 77)),
        "LA": (Image.new("LA", (12, 8), (77, 0)), WHITE),
        "P": (Image.new("RGB", (12, 8), RED).quantize(4), RED),
        "RGBA": (Image.new("RGBA", (12, 8), (*RED, 255)), RED),
        "clear": (Image.new("RGBA", (12, 8), (0, 0, 0, 0)), WHITE),
        "half": (Image.new("RGBA", (12, 8), (0, 100, 200, 51)), (204, 224, 244)),
        "16": (Image.fromarray(np.full((8, 12), 0xABCD, np.uint16)), (0xAB, 0xAB, 0xAB)),
    }[mode]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "clear", "half", "16"])
@pytest.mark.parametrize("ending", ["png", "tiff"])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_every_mode(tmp_path, mode, ending, fit):
    image, color = mode_of(mode)
    image.save(tmp_path / f"a.{ending}")
    for channels in (1, 3):
        gray = round(np.dot(color, (0.299, 0.587, 0.114)))
        expected = np.array(color if channels == 3 else [gray]).reshape(-1, 1, 1)
        pixels = read_image(tmp_path / f"a.{ending}", ImageSpec(channels, 4, 6, fit))
        assert pixels.shape == (channels, 4, 6)
        np.testing.assert_allclose(pixels.astype(int), np.broadcast_to(expected, pixels.shape), atol=1)


def test_cmyk_and_grey_jpegs(tmp_path):
    Image.new("CMYK", (12, 8), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=95)
    np.testing.assert_allclose(corners(read_image(tmp_path / "cmyk.jpg", SAME)), [(255, 0, 0)] * 4, atol=6)
    Image.new("L", (12, 8), 99).save(tmp_path / "gray.jpg")
    np.testing.assert_allclose(corners(read_image(tmp_path / "gray.jpg", SAME)), [(99, 99, 99)] * 4, atol=2)


def test_clear_colours_of_palettes_and_of_16_bit_grey_are_white(tmp_path, quarters):
    palette = quarters.quantize(8)
    palette.save(tmp_path / "a.gif", transparency=palette.getpixel((0, 0)))
    palette.save(tmp_path / "a.png", transparency=palette.getpixel((0, 0)))
    for name in ("a.gif", "a.png"):
        assert corners(read_image(tmp_path / name, SAME))[0] == WHITE
        assert corners(read_image(tmp_path / name, SAME))[1] != WHITE
    deep = np.full((8, 12), 0x1000, np.uint16)
    deep[0, 0] = 0x2000
    Image.fromarray(deep).save(tmp_path / "deep.png", transparency=0x2000)
    assert corners(read_image(tmp_path / "deep.png", SAME))[:2] == [WHITE, (16, 16, 16)]


def test_16_bits_are_scaled_not_cut(tmp_path):
    ramp = np.linspace(0, 65535, 96).astype(np.uint16).reshape(8, 12)
    for ending in ("png", "tiff"):
        Image.fromarray(ramp).save(tmp_path / f"a.{ending}")
        pixels = read_image(tmp_path / f"a.{ending}", ImageSpec(1, 8, 12, "stretch"))
        np.testing.assert_array_equal(pixels[0], ramp >> 8)


def test_16_bit_colour(tmp_path):
    rows = b"".join(b"\0" + struct.pack(">3H", 0xAB00, 0x1234, 0xFFFF) * 12 for _ in range(8))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">2I5B", 12, 8, 16, 2, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(content)
    assert corners(read_image(tmp_path / "a.png", SAME)) == [(0xAB, 0x12, 0xFF)] * 4


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_without_a_range_are_refused(tmp_path, mode):
    Image.new(mode, (12, 8), 3).save(tmp_path / "a.tiff")
    with pytest.raises(ImageError, match="32-bit numbers of unknown range"):
        read_image(tmp_path / "a.tiff", SAME)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("ending", "larger"), [("jpg", 1), ("jpg", 8), ("png", 1), ("webp", 1), ("tiff", 1)])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_orientation(tmp_path, quarters, orientation, ending, larger, fit):
    """The image that a camera stores turned looks as the upright one; also at a scale of its own (draft)."""
    quarters = quarters.resize((12 * larger, 8 * larger), Image.Resampling.NEAREST)
    undo = pictures.UPRIGHT.get(orientation)
    back = {
        Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
        Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
    }
    stored = quarters if undo is None else quarters.transpose(back.get(undo, undo))
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = orientation
    options = {"jpg": {"quality": 95, "subsampling": 0}, "webp": {"lossless": True}}.get(ending, {})
    stored.save(tmp_path / f"a.{ending}", exif=exif, **options)
    assert read_size(tmp_path / f"a.{ending}") == (8 * larger, 12 * larger)
    pixels = read_image(tmp_path / f"a.{ending}", ImageSpec(3, 8, 12, fit))
    np.testing.assert_allclose(corners(pixels), [RED, GREEN, BLUE, WHITE], atol=14)


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "gif", "tiff"])
def test_a_size_needs_no_pixels(tmp_path, monkeypatch, ending):
    Image.new("RGB", (12, 8)).save(tmp_path / f"a.{ending}")

    def fail(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    assert read_size(tmp_path / f"a.{ending}") == (8, 12)


def test_orientation_that_means_nothing(tmp_path, quarters):
    for value in (0, 9, 77):
        exif = Image.Exif()
        exif[pictures.ORIENTATION] = value
        quarters.save(tmp_path / "a.png", exif=exif)
        assert corners(read_image(tmp_path / "a.png", SAME)) == [RED, GREEN, BLUE, WHITE]
    quarters.save(tmp_path / "b.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff broken")
    assert read_size(tmp_path / "b.jpg") == (8, 12)


def test_crop_takes_the_middle_and_pad_adds_black(tmp_path):
    wide = Image.new("RGB", (60, 20), RED)
    wide.paste(GREEN, (20, 0, 40, 20))
    wide.save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png", ImageSpec(3, 10, 10, "crop"))[:, :, 1:-1].T == GREEN).all()
    padded = read_image(tmp_path / "a.png", ImageSpec(3, 30, 30, "pad"))
    assert corners(padded) == [BLACK] * 4
    assert tuple(padded[:, 10, 0]) == tuple(padded[:, 19, 29]) == RED
    assert tuple(padded[:, 9, 0]) == tuple(padded[:, 20, 29]) == BLACK
    stretched = read_image(tmp_path / "a.png", ImageSpec(3, 10, 9, "stretch"))
    assert corners(stretched) == [RED] * 4
    assert tuple(stretched[:, 5, 4]) == GREEN


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2), (64, 64), (1000, 37)])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_any_size_fits(tmp_path, size, fit, ending):
    Image.new("RGB", size, RED).save(tmp_path / f"a.{ending}")
    for H, W in ((7, 5), (1, 1), (40, 3)):
        assert read_image(tmp_path / f"a.{ending}", ImageSpec(3, H, W, fit)).shape == (3, H, W)


def test_a_large_jpeg_is_shrunk_without_being_wrong(tmp_path):
    """Decoded at a part of its size, it is nearly what it is decoded whole."""
    noise = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)
    image = Image.fromarray(noise).resize((517, 389), Image.Resampling.BICUBIC)
    image.save(tmp_path / "a.jpg", quality=95)
    image.save(tmp_path / "a.png")
    for fit in ("stretch", "crop", "pad"):
        spec = ImageSpec(3, 32, 32, fit)
        a, b = (read_image(tmp_path / name, spec).astype(int) for name in ("a.jpg", "a.png"))
        assert np.abs(a - b).mean() < 3


def test_too_many_pixels_are_never_decoded(tmp_path, memory_below):
    header = struct.pack(">2I5B", 10_001, 10_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 9) + b"IDAT" + bytes(99))
    with memory_below(1 << 20), pytest.raises(ImageError, match="10,001 x 10,000 pixels, but at most 100,000,000 are"):
        read_image(tmp_path / "a.png", SAME)
    huge = (tmp_path / "a.png").read_bytes().replace(header[:8], struct.pack(">2I", 60_000, 60_000))
    huge = huge[:29] + struct.pack(">I", zlib.crc32(huge[12:29])) + huge[33:]
    (tmp_path / "b.png").write_bytes(huge)
    with pytest.raises(ImageError, match="more than 100,000,000 pixels"):
        read_size(tmp_path / "b.png")


def test_the_limit_itself_is_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(open_image, "MAX_PIXELS", 96)
    Image.new("RGB", (12, 8)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", SAME).shape == (3, 8, 12)
    monkeypatch.setattr(open_image, "MAX_PIXELS", 95)
    with pytest.raises(ImageError, match="12 x 8 pixels, but at most 95"):
        read_image(tmp_path / "a.png", SAME)


def test_pillows_warnings_do_not_leak_from_any_thread(tmp_path, monkeypatch):
    Image.new("RGB", (12, 8)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60)  # Pillow warns of more, and refuses twice as many
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as threads:
        assert len(list(threads.map(lambda _: read_image(tmp_path / "a.png", SAME), range(50)))) == 50
    assert warnings.filters == before


def test_what_cannot_be_read_is_told_with_its_reason(tmp_path, quarters):
    content = io.BytesIO()
    quarters.resize((120, 80)).save(content, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(content.getvalue()[:-400])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "page.jpg").write_text("<html>not found</html>")
    (tmp_path / "folder.png").mkdir()
    for name, reason in {
        "cut.jpg": "it is cut off (image file is truncated",
        "empty.png": "it is empty",
        "page.jpg": "it is not a JPEG, PNG, BMP, GIF, WebP, TIFF or PPM image",
        "missing.jpg": "it cannot be read: No such file",
        "folder.png": "it is a folder",
        "/dev/null": "it is not a regular file",
    }.items():
        with pytest.raises(ImageError) as caught:
            read_image(tmp_path / name, SAME)
        assert caught.value.reason.startswith(reason)
        assert str(caught.value) == f"{tmp_path / name}: {caught.value.reason}"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("H", "W"), [(64, 64), (7, 9), (9, 7)])
def test_an_odd_border_lies_where_it_lies_for_the_upright_picture(tmp_path, orientation, H, W):
    upright = Image.fromarray(np.random.default_rng(0).integers(0, 256, (41, 64, 3), np.uint8))
    undo = pictures.UPRIGHT.get(orientation)
    inverse = {
        Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
        Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
    }
    stored = upright if undo is None else upright.transpose(inverse.get(undo, undo))
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    upright.save(tmp_path / "b.png")
    spec = ImageSpec(3, H, W, "pad")
    difference = read_image(tmp_path / "a.png", spec).astype(int) - read_image(tmp_path / "b.png", spec)
    assert np.abs(difference).max() <= 1
