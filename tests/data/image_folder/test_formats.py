"""Image formats beyond those that Pillow always reads, and those that are known and not read."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from cnntrain.data.image_folder import file_types
from cnntrain.data.image_folder.decode import read_image, read_size
from cnntrain.data.image_spec import ImageSpec
from cnntrain.errors import ImageError

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
GRAY = ImageSpec(1, 2, 3, "stretch")


@pytest.mark.parametrize(
    ("content", "pixels"),
    [
        (b"P1\n3 2\n101\n0 1 0", [[0, 255, 0], [255, 0, 255]]),
        (b"P4 3 2\n\xa0\x40", [[0, 255, 0], [255, 0, 255]]),
        (b"P2\n# a comment\n3 2 15\n0 15 1\n2#!\n 3 4\n", [[0, 255, 17], [34, 51, 68]]),
        (b"P5 3 2 255\n\0\x01\x02\x03\x04\xff", [[0, 1, 2], [3, 4, 255]]),
        (b"P5 3 2 100\n\0\x01\x02\x32\x04\x64", [[0, 3, 5], [128, 10, 255]]),
        (b"P5 3 2 1023\n" + np.array([0, 4, 7, 512, 1020, 1023], ">u2").tobytes(), [[0, 1, 1], [128, 255, 255]]),
        (b"P5 3 2 65535\n" + np.array([0, 256, 511, 1, 2, 65535], ">u2").tobytes(), [[0, 1, 1], [0, 0, 255]]),
    ],
)
def test_pnm_of_every_kind(tmp_path, content, pixels):
    (tmp_path / "a").write_bytes(content)
    np.testing.assert_array_equal(read_image(tmp_path / "a", GRAY)[0], pixels)
    assert read_size(tmp_path / "a") == (2, 3)


@pytest.mark.parametrize(
    "content", [b"P2 3 2 15\n0 16 1 2 3 4", b"P2 3 2 15\n0 x 1 2 3 4", b"P5 3 2 100\n\xff\0\0\0\0\0"]
)
def test_numbers_beyond_the_greatest_are_damage(tmp_path, content):
    (tmp_path / "a.pgm").write_bytes(content)
    with pytest.raises(ImageError, match="it is damaged"):
        read_image(tmp_path / "a.pgm", GRAY)


@pytest.mark.skipif(not file_types.is_read("AVIF"), reason="this Pillow reads no AVIF")
def test_avif_upright_by_its_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (12, 8), (200, 30, 20)).save(tmp_path / "a.avif", exif=exif)
    assert read_size(tmp_path / "a.avif") == (12, 8)
    assert np.abs(read_image(tmp_path / "a.avif", ImageSpec(3, 4, 4))[:, 0, 0].astype(int) - (200, 30, 20)).max() < 9


def test_a_plugin_reads_heic(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), (200, 30, 20))).save(tmp_path / "a.jpg")
    assert read_size(tmp_path / "a.jpg") == (48, 64)
    assert np.abs(read_image(tmp_path / "a.jpg", ImageSpec(3, 4, 4))[:, 0, 0].astype(int) - (200, 30, 20)).max() < 9


@pytest.fixture
def no_plugin(monkeypatch):
    """Neither a plugin for HEIC nor a Pillow that reads AVIF."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setitem(sys.modules, "PIL.AvifImagePlugin", None)
    file_types.is_read.cache_clear()
    yield
    file_types.is_read.cache_clear()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jpg", HEIC, "format HEIC, which cannot be read; install the plugin with pip install pillow-heif, or"),
        ("a.heic", b"?", "format HEIC"),
        ("a", HEIC.replace(b"heic", b"avif"), "format AVIF, which cannot be read; update Pillow to 11.3 or later"),
        ("a.jpg", b"\0\0\0\x0cjP  \r\n\x87\n", "format JPEG 2000, which cannot be read; convert it to JPEG or PNG"),
        ("a.jxl", b"\xff\x0a", "format JPEG XL"),
        ("a", bytes(128) + b"DICM", "format DICOM"),
    ],
)
def test_what_is_not_read_is_called_by_its_name(no_plugin, tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    for read in (lambda file: read_image(file, GRAY), read_size):
        with pytest.raises(ImageError, match=words):
            read(tmp_path / name)
    assert not file_types.has_image_signature(str(tmp_path / name))
    assert file_types.unread_format(str(tmp_path / name)) == words.split(", ")[0].removeprefix("format ")


@pytest.mark.parametrize("spec", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM"])
def test_an_image_is_known_by_its_bytes(tmp_path, spec):
    Image.new("RGB", (12, 8)).save(tmp_path / "a", spec)
    assert file_types.has_image_signature(str(tmp_path / "a"))
    assert file_types.unread_format(str(tmp_path / "a")) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"BMW and others, and more than enough text"),
        ("p.txt", b"P1 10 rows"),
        ("a.mp4", b"\0\0\0\x18ftypisom\0\0\0\0isommp42"),
        ("raw.dng", b"II*\0\x08\0\0\0"),
        ("empty.txt", b""),
    ],
)
def test_what_is_none_is_not_known_as_one(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert not file_types.has_image_name(name)
    assert not file_types.has_image_signature(str(tmp_path / name))
    assert file_types.unread_format(str(tmp_path / name)) == ("camera raw" if name == "raw.dng" else None)


def test_names_of_formats_that_are_read(no_plugin):
    assert [
        name for name in ("a.PGM", "a.jpg", "a.heic", "a.avif", "a.jp2", "a") if file_types.has_image_name(name)
    ] == [
        "a.PGM",
        "a.jpg",
    ]


def test_a_header_longer_than_what_is_read_at_first(tmp_path):
    stream = io.BytesIO()
    Image.new("RGB", (12, 8)).save(stream, "JPEG")
    content = stream.getvalue()
    (tmp_path / "a.jpg").write_bytes(content[:2] + (b"\xff\xe2\xff\xff" + bytes(65533)) * 20 + content[2:])
    assert read_size(tmp_path / "a.jpg") == (8, 12)
