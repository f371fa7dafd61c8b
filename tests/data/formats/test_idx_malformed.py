"""Each fault of an IDX folder gives one sentence that names the file."""

import gzip
import os

import numpy as np
import pytest

from cnntrain.data.formats import idx
from cnntrain.errors import DataError

IMAGES = "train-images-idx3-ubyte"
LABELS = "train-labels-idx1-ubyte"


def message(folder):
    with pytest.raises(DataError) as caught:
        idx.load(folder)
    return str(caught.value)


def header(*shape):
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()


def test_a_missing_folder(tmp_path):
    assert message(tmp_path / "x") == (
        f"{tmp_path / 'x'}: there is no such folder, but "
        "`source: idx` reads the folder that holds the four IDX files, train-images-idx3-ubyte and so on; "
        "if it is elsewhere, add data.path=FOLDER to the command"
    )


def test_a_path_that_no_system_knows(tmp_path):
    assert message(tmp_path / "a\0b").startswith(f"{tmp_path}/a\0b: the folder cannot be read: ")


def test_a_file_that_may_not_be_read(idx_folder, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(idx, "open_regular", refuse)
    assert message(idx_folder) == f"{idx_folder / IMAGES}: the file cannot be read: Permission denied"


def test_a_file_in_place_of_the_folder(idx_folder):
    file = idx_folder / IMAGES
    assert message(file) == (
        f"{file} is a file, but `source: idx` reads the folder that holds the four IDX files, "
        "train-images-idx3-ubyte and so on"
    )


def test_a_folder_without_training_images(idx_folder):
    (idx_folder / IMAGES).unlink()
    (idx_folder / LABELS).unlink()
    assert message(idx_folder) == (
        f"{idx_folder}: no training images; looked for train-images-idx3-ubyte, plain or .gz, also with a prefix such "
        "as emnist-letters-; the folder holds t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte"
    )


def test_an_empty_folder(tmp_path):
    assert message(tmp_path).endswith("the folder holds nothing")


def test_a_missing_label_file(idx_folder):
    (idx_folder / LABELS).unlink()
    assert message(idx_folder) == f"{idx_folder}: there is {IMAGES}, but neither {LABELS} nor {LABELS}.gz"


def test_a_missing_image_file(tmp_path, write_idx, images, labels):
    write_idx(f"emnist-images-{IMAGES}", images)
    write_idx(f"emnist-images-{LABELS}", labels)
    write_idx("emnist-images-test-labels-idx1-ubyte.gz", labels)
    missing = "emnist-images-test-images-idx3-ubyte"
    assert message(tmp_path) == (
        f"{tmp_path}: there is emnist-images-test-labels-idx1-ubyte.gz, but neither {missing} nor {missing}.gz"
    )


def test_the_files_of_two_data_sets(idx_folder, write_idx, images):
    write_idx("emnist-digits-train-images-idx3-ubyte.gz", images)
    assert message(idx_folder) == (
        f"{idx_folder} holds the files of 2 data sets, beginning with '', 'emnist-digits-'; move those of one into a "
        "folder of their own"
    )


@pytest.mark.parametrize(
    ("content", "begins"),
    [
        (b"\x89PNG\r\n", "89 50 4e 47"),
        (b"\0", "00"),
        (b"", "nothing"),
    ],
    ids=["another format", "one byte", "empty"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_another_kind_of_file(idx_folder, content, begins, packed):
    (idx_folder / IMAGES).write_bytes(gzip.compress(content) if packed else content)
    file = idx_folder / IMAGES
    assert message(idx_folder) == f"{file} is not an IDX file of images: it begins with {begins}, not with 00 00 08 03"


def test_a_header_that_is_cut_off(idx_folder):
    (idx_folder / LABELS).write_bytes(b"\0\0\x08\1\0")
    assert message(idx_folder) == f"{idx_folder / LABELS} is cut off within its header of 8 bytes"


@pytest.mark.parametrize("change", [-1, 1, -200])
def test_a_plain_file_of_another_length_than_claimed(idx_folder, change):
    file = idx_folder / IMAGES
    content = file.read_bytes()
    file.write_bytes(content[:change] if change < 0 else content + b"\0" * change)
    assert message(idx_folder) == f"{file} claims 10 x 4 x 5 = 200 bytes of data, but holds {200 + change}"


def test_a_gzipped_file_that_holds_less_than_claimed(idx_folder):
    file = idx_folder / IMAGES
    file.write_bytes(gzip.compress(header(10, 4, 5) + bytes(199)))
    assert message(idx_folder) == f"{file} is cut off: it claims 200 bytes of data, but holds 199"


def test_a_gzipped_file_that_holds_more_than_claimed(idx_folder):
    file = idx_folder / IMAGES
    file.write_bytes(gzip.compress(header(10, 4, 5) + bytes(201)))
    assert message(idx_folder) == f"{file} holds more than the 200 bytes of data that it claims"


def test_a_header_that_claims_terabytes(idx_folder, memory_below):
    file = idx_folder / IMAGES
    file.write_bytes(header(60_000, 65_536, 65_536))
    with memory_below(1 << 20):
        assert (
            message(idx_folder)
            == f"{file} claims 60000 x 65536 x 65536 = 257,698,037,760,000 bytes of data, but holds 0"
        )


def test_a_gzipped_header_that_claims_more_than_gzip_can_pack(idx_folder, memory_below):
    file = idx_folder / IMAGES
    file.write_bytes(gzip.compress(header(60_000, 28, 28), mtime=0))
    size = file.stat().st_size
    with memory_below(1 << 20):
        assert message(idx_folder) == (
            f"{file} claims 47,040,000 bytes, but its {size} packed bytes hold {1032 * size:,} at most"
        )


def test_a_gzip_bomb(idx_folder, memory_below):
    file = idx_folder / IMAGES
    file.write_bytes(gzip.compress(header(80, 1 << 10, 1 << 10) + bytes(80 << 20), 9, mtime=0))
    with memory_below(1 << 20):
        assert message(idx_folder) == (
            f"{file} claims to unpack from {file.stat().st_size:,} to 83,886,080 bytes, more than 200 times as many, "
            "which no images do; if it is meant so, store it unpacked"
        )


def test_a_gzip_bomb_behind_a_small_claim(idx_folder, memory_below):
    file = idx_folder / IMAGES
    file.write_bytes(gzip.compress(header(10, 4, 5) + bytes(80 << 20)))
    with memory_below(1 << 20):
        assert message(idx_folder) == f"{file} holds more than the 200 bytes of data that it claims"


def test_a_gzip_file_that_is_cut_off(idx_folder):
    file = idx_folder / IMAGES
    file.write_bytes(gzip.compress(file.read_bytes())[:-20])
    assert message(idx_folder) == f"{file}: the gzip file is damaged: it is cut off"


def test_a_gzip_file_with_a_wrong_checksum(idx_folder):
    file = idx_folder / IMAGES
    content = bytearray(gzip.compress(file.read_bytes()))
    content[-8] ^= 1
    file.write_bytes(content)
    assert message(idx_folder).startswith(f"{file}: the gzip file is damaged: its bytes are not as they were written")


def test_a_gzip_file_that_is_not_one_inside(idx_folder):
    file = idx_folder / IMAGES
    file.write_bytes(gzip.compress(file.read_bytes())[:10] + b"\xff" * 50)
    assert message(idx_folder).startswith(f"{file}: the gzip file is damaged: its bytes are not as they were written")


@pytest.mark.parametrize("shape", [(0, 28, 28), (10, 0, 5)])
def test_no_images(idx_folder, shape):
    file = idx_folder / IMAGES
    file.write_bytes(header(*shape))
    claim = " x ".join(map(str, shape))
    assert message(idx_folder) == f"{file} is empty: it claims {claim} bytes of data"


def test_unequal_counts(idx_folder, write_idx, labels):
    write_idx(LABELS, labels[:9])
    assert message(idx_folder) == (
        f"{idx_folder}: {IMAGES} holds 10 images, but {LABELS} holds 9 labels; every image needs one label"
    )


def test_test_images_of_another_size(idx_folder, write_idx, images):
    write_idx("t10k-images-idx3-ubyte", images[:3, :2])
    assert message(idx_folder) == (
        f"{idx_folder}: the images of t10k-images-idx3-ubyte are 1 x 2 x 5 (channels x rows x columns), but those of "
        f"{IMAGES} are 1 x 4 x 5"
    )


def test_a_test_label_outside_the_classes(idx_folder, write_idx, labels):
    write_idx("t10k-labels-idx1-ubyte", labels[:3] + 8)
    assert message(idx_folder) == (
        f"{idx_folder}: t10k-labels-idx1-ubyte holds the label 10, but the classes are 0 to 9"
    )


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("00 00 0d 03", "is an IDX file of 32-bit floats with 3 axes; images are read from unsigned bytes with 3 axes"),
        ("00 00 09 03", "is an IDX file of signed bytes with 3 axes"),
        ("00 00 08 04", "is an IDX file of unsigned bytes with 4 axes"),
        (
            "00 00 08 01",
            "is an IDX file of unsigned bytes with 1 axis; images are read from unsigned bytes with 3 axes",
        ),
        ("01 00 0d 03", "is not an IDX file of images"),
    ],
)
def test_idx_files_of_other_types(idx_folder, header, words):
    (idx_folder / IMAGES).write_bytes(bytes.fromhex(header) + bytes(20))
    assert words in message(idx_folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes of a name")
def test_a_pipe_in_place_of_a_file(idx_folder):
    (idx_folder / IMAGES).unlink()
    os.mkfifo(idx_folder / IMAGES)
    assert message(idx_folder).endswith("this is a pipe or a device, not a file")
