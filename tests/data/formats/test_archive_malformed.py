"""An npz file that is damaged, or made to harm, gives one sentence and costs no memory."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from cnntrain.data.formats import npz
from cnntrain.errors import DataError


def message(path):
    with pytest.raises(DataError) as caught:
        npz.load(path)
    return str(caught.value)


def member(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def with_header(text, data=b"", version=(1, 0)):
    """An npy file with any text as its header."""
    length = len(text).to_bytes(2 if version == (1, 0) else 4, "little")
    return npy.magic(*version) + length + text + data


@pytest.fixture
def write_members(tmp_path, images, labels):
    """Writes an npz file whose x_train is any bytes."""

    def write(x_train, compression=zipfile.ZIP_STORED):
        with zipfile.ZipFile(tmp_path / "data.npz", "w", compression) as archive:
            archive.writestr("x_train.npy", x_train)
            archive.writestr("y_train.npy", member(labels))
        return tmp_path / "data.npz"

    return write


def test_a_missing_file(tmp_path):
    assert message(tmp_path / "a.npz") == f"{tmp_path / 'a.npz'}: there is no such file"


def test_a_file_that_may_not_be_read(write_npz, labels, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    path = write_npz(labels=labels)
    monkeypatch.setattr(zipfile, "ZipFile", refuse)
    assert message(path) == f"{path}: the file cannot be read: Permission denied"


def test_a_device_in_place_of_the_file():
    assert message(Path("/dev/zero")) == "/dev/zero: the file cannot be read: this is a pipe or a device, not a file"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes of a name")
def test_a_pipe_in_place_of_the_file(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    assert message(tmp_path / "a.npz").endswith("this is a pipe or a device, not a file")


def test_a_list_of_very_many_arrays(tmp_path, memory_below):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        for i in range(8_000):
            file.writestr(f"an array of a long name {i}.npy", b"")
    with memory_below(4 << 20):
        assert "its list of arrays is longer than 524,288 bytes" in message(tmp_path / "a.npz")


def test_a_folder_in_place_of_the_file(tmp_path):
    assert message(tmp_path) == f"{tmp_path} is a folder, but `source: npz` reads one .npz file"


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\x93NUMPY" + bytes(100)])
def test_another_kind_of_file(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    assert message(path) == f"{path} is not an npz file, as numpy.savez writes it: File is not a zip file"


def test_a_file_that_is_cut_off(write_npz, images, labels):
    path = write_npz(x_train=images, y_train=labels)
    path.write_bytes(path.read_bytes()[:-30])
    assert message(path).startswith(f"{path} is not an npz file")


def test_python_objects_are_not_loaded(write_npz, labels):
    path = write_npz(x_train=np.array([{}, []], dtype=object), y_train=labels)
    assert message(path) == (
        f"{path}: x_train holds Python objects, a pickle, which is never loaded; store plain numbers"
    )


@pytest.mark.parametrize("dtype", ["c16", "M8[s]", "V4", [("a", "i4")]])
def test_values_that_are_no_pixels(write_npz, labels, dtype):
    path = write_npz(x_train=np.zeros((10, 4, 5), dtype), y_train=labels)
    assert message(path) == f"{path}: x_train holds values of the type {np.dtype(dtype)}; store plain numbers"


@pytest.mark.parametrize("axes", [0, 9])
def test_arrays_of_too_few_or_too_many_axes(write_npz, labels, axes):
    path = write_npz(x_train=np.zeros((1,) * axes), y_train=labels)
    assert message(path) == f"{path}: x_train has {axes} axes; images have 3 or 4, labels 1"


def test_an_array_that_is_there_twice(write_members):
    path = write_members(b"")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("x_train.npy", b"")
    assert message(path) == f"{path}: x_train is there 2 times"


def test_an_encrypted_array(write_npz, images, labels):
    path = write_npz(x_train=images, y_train=labels)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1  # the flags in the table of contents
    path.write_bytes(content)
    assert message(path) == f"{path}: x_train is encrypted; save the arrays by numpy.savez"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_way_of_packing(write_members, images, method):
    path = write_members(member(images), method)
    assert message(path) == (
        f"{path}: x_train is packed by a method other than deflate; save the arrays by numpy.savez_compressed"
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("place", [60, -10])
def test_a_flipped_bit(write_members, images, method, place):
    path = write_members(member(images), method)
    content = bytearray(path.read_bytes())
    end = content.index(b"PK\3\4", 10)
    content[end + place if place < 0 else 60 + place] ^= 4
    path.write_bytes(content)
    assert message(path).startswith(f"{path}: x_train ")


@pytest.mark.parametrize("change", [-1, 1])
def test_an_array_of_another_size_than_its_header_claims(write_members, images, change):
    content = member(images)
    path = write_members(content[:change] if change < 0 else content + b"\0")
    assert message(path) == (
        f"{path}: x_train claims the shape (10, 4, 5), 200 bytes of data, but holds {200 + change}"
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_header_that_claims_terabytes(write_members, memory_below, method):
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (8796093022208, 4, 5), }\n"
    path = write_members(with_header(text), method)
    with memory_below(1 << 20):
        assert message(path) == (
            f"{path}: x_train claims the shape (8796093022208, 4, 5), 175,921,860,444,160 bytes of data, but holds 0"
        )


def test_a_table_of_contents_that_claims_gigabytes(write_members, images, memory_below):
    path = write_members(member(images))
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\1\2") + 20
    content[place : place + 8] = (2**31).to_bytes(4, "little") * 2  # packed and unpacked size
    path.write_bytes(content)
    size = path.stat().st_size
    with memory_below(1 << 20):
        assert message(path) == (
            f"{path}: x_train claims 2,147,483,648 bytes, but its {size} packed bytes hold {1032 * size:,} at most"
        )


def test_a_zip_bomb(write_members, memory_below):
    path = write_members(member(np.zeros((80, 1024, 1024), np.uint8)), zipfile.ZIP_DEFLATED)
    with memory_below(1 << 20):
        assert "more than 200 times as many, which no images do" in message(path)


def test_a_zip_bomb_behind_a_small_claim(write_members, memory_below):
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (10, 4, 5), }\n"
    path = write_members(with_header(text, bytes(40 << 20)), zipfile.ZIP_DEFLATED)
    with memory_below(1 << 20):
        assert message(path) == (
            f"{path}: x_train claims the shape (10, 4, 5), 200 bytes of data, but holds 41,943,040"
        )


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"(" * 5000,
        b"-" * 9000 + b"1",
        b"{'descr': '\\d', 'fortran_order': False, 'shape': (1,), }",
        b"{'descr': '|u1', 'fortran_order': False}",
        b"{'descr': 'rubbish', 'fortran_order': False, 'shape': (1,)}",
        b"{'descr': '|u1', 'fortran_order': 3, 'shape': (1,)}",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': 1}",
        b"'''\n",
        b"__import__('os')",
        b"\xff\xfe",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (" + b"9" * 5000 + b",)}",
    ],
    ids=lambda text: text[:30].decode("latin1"),
)
def test_a_broken_header(write_members, text):
    path = write_members(with_header(text))
    assert message(path) == f"{path}: x_train has a broken header, which does not describe an array"


def test_a_shape_beyond_all_numbers(write_members):
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (" + (b"9" * 1200 + b",") * 8 + b")}"
    path = write_members(with_header(text))
    assert len(message(path)) < len(str(path)) + 300


def test_a_negative_shape(write_members):
    path = write_members(with_header(b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -4, 5)}", bytes(20)))
    assert message(path) == f"{path}: x_train is empty: its shape is (-1, -4, 5)"


def test_a_long_header(write_members):
    path = write_members(with_header(b" " * 10_001, version=(2, 0)))
    assert message(path) == f"{path}: x_train has a header of 10,001 bytes; at most 10,000 are read"


def test_a_header_that_claims_to_be_long(write_members, memory_below):
    path = write_members(npy.magic(2, 0) + b"\xff" * 4)
    with memory_below(1 << 20):
        assert message(path) == f"{path}: x_train has a header of 4,294,967,295 bytes; at most 10,000 are read"


def test_a_version_of_the_format_that_is_not_known(write_members):
    path = write_members(npy.magic(3, 0) + bytes(20))
    assert message(path) == f"{path}: x_train is of version 3.0 of the npy format; 1.0 and 2.0 can be read"


def test_a_member_that_is_no_array(write_members):
    path = write_members(b"hello, world")
    assert message(path).startswith(f"{path}: x_train is damaged: it is cut off, or not what numpy.savez writes")
