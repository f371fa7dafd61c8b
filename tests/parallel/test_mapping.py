"""Memory that processes share: where it comes from, and that nothing of it stays behind."""

import errno
import os
import tempfile

import numpy as np
import pytest

from cnntrain.errors import WorkerError
from cnntrain.parallel import mapping
from cnntrain.parallel.mapping import SharedArrays

FIELDS = {"a": ((3, 5), "float32"), "empty": ((0, 7), "float64"), "b": ((2000,), "int64"), "last": ((), "uint8")}

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has named mappings")


@pytest.fixture
def shared():
    arrays = SharedArrays(FIELDS)
    yield arrays
    arrays.close()


def out_of_memory(descriptor, start, size):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_arrays_begin_with_zeros_and_have_a_page_each(shared):
    for name, (shape, dtype) in FIELDS.items():
        array = shared[name]
        assert (array.shape, array.dtype) == (shape, dtype)
        assert array.ctypes.data % 4096 == 0
        assert not array.any()


def test_who_opens_it_sees_what_others_write(shared):
    others = SharedArrays(FIELDS, shared.handle)
    for name, array in shared.arrays.items():
        array[...] = 7
        np.testing.assert_array_equal(others[name], array)
    others["b"][-1] = 3
    assert shared["b"][-1] == 3


def test_it_outlives_its_handle():
    arrays = SharedArrays(FIELDS)
    arrays.close()
    arrays["b"][...] = 5
    assert arrays["b"].sum() == 10_000


@posix
def test_it_has_no_name(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delattr(os, "memfd_create", raising=False)
    arrays = SharedArrays(FIELDS)
    assert list(tmp_path.iterdir()) == []
    arrays.close()


@posix
@pytest.mark.parametrize("problem", ["no memfd_create", "memfd_create fails", "no room in memory"])
def test_a_nameless_file_takes_its_place(monkeypatch, problem):
    files = []
    unnamed_file = mapping.unnamed_file
    monkeypatch.setattr(mapping, "unnamed_file", lambda: files.append(unnamed_file()) or files[-1])
    if problem == "no memfd_create":
        monkeypatch.delattr(os, "memfd_create", raising=False)
    elif problem == "memfd_create fails":

        def memfd_create(name):
            raise OSError(errno.ENOSYS, "Function not implemented")

        monkeypatch.setattr(os, "memfd_create", memfd_create, raising=False)
    else:
        monkeypatch.setattr(os, "memfd_create", lambda name: os.open(os.devnull, os.O_RDWR), raising=False)
    arrays = SharedArrays(FIELDS)
    assert files == [arrays.handle]
    assert os.fstat(arrays.handle).st_size >= 5 * mapping.ALIGNMENT
    arrays["b"][...] = 1
    arrays.close()


@posix
def test_no_room_anywhere_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", out_of_memory, raising=False)
    with pytest.raises(WorkerError, match=r"need 80 MB of shared memory.*\(No space left on device\).*--workers 1"):
        SharedArrays({"big": ((10_000_000,), "float64")})


@posix
def test_memory_that_cannot_be_mapped_is_told_in_a_sentence(monkeypatch):
    def no_memory(*arguments, **options):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(mapping.mmap, "mmap", no_memory)
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(WorkerError, match="Cannot allocate memory"):
        SharedArrays(FIELDS)
    assert len(os.listdir("/dev/fd")) == before


@posix
def test_its_handle_is_in_no_standard_stream_s_place():
    """A program may have closed its standard input; a new process would get its own in that place."""
    saved = os.dup(0)
    os.close(0)
    try:
        arrays = SharedArrays(FIELDS)
        assert arrays.handle > 2
        arrays.close()
    finally:
        os.dup2(saved, 0)
        os.close(saved)
