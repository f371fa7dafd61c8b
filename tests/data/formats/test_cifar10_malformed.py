"""Each fault of a folder of CIFAR-10 gives one sentence that names the file."""

import os
import pickle
import sys
from pathlib import Path

import pytest

from cnntrain.data import load_data
from cnntrain.data.formats import cifar10
from cnntrain.errors import DataError

BATCH = "data_batch_1.bin"
NAMES = "batches.meta.txt"
PYTHON = (
    "this is the Python version of CIFAR-10, whose files are pickles, and those can run code; get the binary version, "
    "cifar-10-binary.tar.gz, and unpack it"
)


def message(folder):
    with pytest.raises(DataError) as caught:
        cifar10.load(folder)
    assert caught.value.exit_code == 4
    return str(caught.value)


def test_a_missing_folder(tmp_path):
    assert message(tmp_path / "x") == (
        f"{tmp_path / 'x'}: there is no such folder, but "
        "`source: cifar10` reads the folder that holds data_batch_1.bin, usually called cifar-10-batches-bin; "
        "if it is elsewhere, add data.path=FOLDER to the command"
    )


def test_a_path_that_no_system_knows(tmp_path):
    assert message(tmp_path / "a\0b").startswith(f"{tmp_path}/a\0b: the folder cannot be read: ")


def test_a_file_in_place_of_the_folder(cifar10_folder):
    file = cifar10_folder / BATCH
    assert message(file) == (
        f"{file} is a file, but `source: cifar10` reads the folder that holds data_batch_1.bin, usually called "
        "cifar-10-batches-bin"
    )


def test_a_file_in_place_of_the_subfolder(tmp_path):
    (tmp_path / "cifar-10-batches-bin").touch()
    assert message(tmp_path).startswith(f"{tmp_path / 'cifar-10-batches-bin'} is a file, but ")


def test_a_folder_without_training_batches(cifar10_folder):
    for file in cifar10_folder.glob("data_*"):
        file.unlink()
    (cifar10_folder / "data_batch_x.bin").touch()
    assert message(cifar10_folder) == (
        f"{cifar10_folder}: no training images; looked for data_batch_1.bin and so on, here and in "
        "cifar-10-batches-bin; the folder holds batches.meta.txt, data_batch_x.bin, test_batch.bin"
    )


def test_an_empty_folder(tmp_path):
    assert message(tmp_path).endswith("the folder holds nothing")


def test_an_empty_subfolder(tmp_path):
    (tmp_path / "cifar-10-batches-bin").mkdir()
    assert message(tmp_path).startswith(f"{tmp_path / 'cifar-10-batches-bin'}: no training images; ")


class Trap:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize("name", ["data_batch_1", "test_batch", "batches.meta"])
@pytest.mark.parametrize("give", ["the folder", "the folder above", "the file"])
def test_the_python_version_is_refused_and_no_pickle_is_opened(tmp_path, monkeypatch, name, give):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / name).write_bytes(pickle.dumps(Trap()))
    path, named = {
        "the folder": (folder, folder / name),
        "the folder above": (tmp_path, folder),
        "the file": (folder / name, folder / name),
    }[give]
    assert message(path) == f"{named}: {PYTHON}"
    assert not Path("sprung").exists()


@pytest.mark.parametrize("give", ["the folder", "the file"])
@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "cifar-10-python.tgz", "cifar-10-python.tar"])
def test_an_archive_of_the_python_version_is_refused(tmp_path, name, give):
    file = tmp_path / name
    file.touch()
    assert message(tmp_path if give == "the folder" else file) == f"{file}: {PYTHON}"


@pytest.mark.parametrize("give", ["the folder", "the file"])
def test_an_archive_of_the_binary_version_is_to_be_unpacked(tmp_path, give):
    file = tmp_path / "cifar-10-binary.tar.gz"
    file.touch()
    (tmp_path / "a-cifar-10-python.tar.gz").touch()
    (tmp_path / "cifar-10-batches-py").mkdir()
    assert message(tmp_path if give == "the folder" else file) == (
        f"{file} is an archive; unpack it, and give the folder cifar-10-batches-bin that comes out"
    )


@pytest.mark.parametrize(
    ("change", "size", "left", "count"),
    [(-1, "15,364", "3,072", "4"), (1, "15,366", "1", "5"), (-15_360, "5", "5", "0")],
)
def test_a_batch_that_is_no_row_of_whole_records(cifar10_folder, change, size, left, count):
    file = cifar10_folder / BATCH
    content = file.read_bytes()
    file.write_bytes(content[:change] if change < 0 else content + b"\0" * change)
    assert message(cifar10_folder) == (
        f"{file} holds {size} bytes, but a batch of the binary version of CIFAR-10 is a row of records of 3,073 bytes; "
        f"{left} bytes are left over after {count} of them"
    )


@pytest.mark.parametrize("name", [BATCH, "data_batch_2.bin", "test_batch.bin", NAMES])
def test_an_empty_file(cifar10_folder, name):
    file = cifar10_folder / name
    file.write_bytes(b"")
    assert message(cifar10_folder) == f"{file} is empty"


@pytest.mark.parametrize("name", [BATCH, "test_batch.bin", NAMES])
def test_a_folder_in_place_of_a_file(cifar10_folder, name):
    file = cifar10_folder / name
    file.unlink()
    file.mkdir()
    assert message(cifar10_folder) == f"{file} is not a file"


@pytest.mark.parametrize("name", [BATCH, "test_batch.bin", NAMES])
def test_a_link_to_nothing(cifar10_folder, name):
    file = cifar10_folder / name
    file.unlink()
    file.symlink_to("nowhere")
    assert message(cifar10_folder) == f"{file}: the file cannot be read: No such file or directory"


@pytest.mark.parametrize("name", [BATCH, NAMES])
def test_a_file_that_may_not_be_read(cifar10_folder, monkeypatch, name):
    opened = cifar10.open_regular

    def refuse(path):
        if path.name == name:
            raise PermissionError(13, "Permission denied")
        return opened(path)

    monkeypatch.setattr(cifar10, "open_regular", refuse)
    assert message(cifar10_folder) == f"{cifar10_folder / name}: the file cannot be read: Permission denied"


def test_a_batch_that_becomes_shorter_while_it_is_read(cifar10_folder, monkeypatch):
    monkeypatch.setattr(cifar10, "_size", lambda file: 20 * 3073)
    (cifar10_folder / NAMES).unlink()
    assert message(cifar10_folder) == f"{cifar10_folder / BATCH} became shorter while it was read"


@pytest.mark.parametrize("name", [BATCH, "test_batch.bin"])
def test_a_label_above_9(cifar10_folder, write_batch, color_images, name):
    write_batch(name, color_images[:4], [9, 1, 10, 255])
    assert message(cifar10_folder) == (
        f"{cifar10_folder / name} holds the label 10 in record 2 (counted from 0), but the classes are 0 to 9"
    )


def test_a_label_without_a_name(cifar10_folder):
    (cifar10_folder / NAMES).write_text("cat\ndog\nhare\n")
    assert message(cifar10_folder) == (
        f"{cifar10_folder / BATCH} holds the label 3 in record 3 (counted from 0), but the classes are 0 to 2"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\n \n\n", " names no class; write one name a line, or leave the file out"),
        (b"cat\n\xff\xfe\n", " is not text in UTF-8, as the names of the classes must be: byte 4 is not"),
        (b"cat\ndog\ncat\n", " holds the name 'cat', 2 times; give every class one of its own"),
        (
            b"cat\n\x1b[31mdog\n",
            " holds the name '\\x1b[31mdog', which cannot be shown; give the class another",
        ),
        (
            b"x" * 65_537,
            " holds 65,537 bytes; the names of the classes, one a line, are 65,536 bytes at most",
        ),
    ],
    ids=["blank", "not text", "twice", "escape", "long"],
)
def test_names_that_are_none(cifar10_folder, content, told):
    (cifar10_folder / NAMES).write_bytes(content)
    assert message(cifar10_folder) == f"{cifar10_folder / NAMES}{told}"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a limit of memory")
def test_batches_beyond_the_memory(tmp_path):
    import resource

    with (tmp_path / BATCH).open("wb") as file:
        file.truncate(3073 << 26)  # a hole, which takes no place on the disk
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (64 << 30, before[1]))
    try:
        with pytest.raises(DataError) as caught:
            load_data("cifar10", path=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert str(caught.value) == f"{tmp_path}: the data do not fit into memory"
