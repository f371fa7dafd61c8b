"""Small data sets as files, right and wrong."""

import gzip
import os
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

WriteIdx = Callable[..., Path]


@pytest.fixture
def real_data():
    """The folder of real data sets; the tests that need it are skipped where there is none."""
    if "CNNTRAIN_DATA" not in os.environ:
        pytest.skip("CNNTRAIN_DATA, the folder of real data sets, is not set")
    return Path(os.environ["CNNTRAIN_DATA"])


@pytest.fixture
def images():
    """Ten images of 4 x 5 pixels."""
    return np.random.default_rng(0).integers(0, 256, (10, 4, 5), dtype=np.uint8)


@pytest.fixture
def labels():
    return np.arange(10, dtype=np.uint8)


@pytest.fixture
def write_idx(tmp_path):
    """Writes an array as an IDX file; gzipped if its name says so."""

    def write(name: str, array: np.ndarray) -> Path:
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        content = header + array.tobytes()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return tmp_path / name

    return write


@pytest.fixture
def idx_folder(tmp_path, write_idx, images, labels):
    """The four files of a right data set."""
    write_idx("train-images-idx3-ubyte", images)
    write_idx("train-labels-idx1-ubyte", labels)
    write_idx("t10k-images-idx3-ubyte", images[:3])
    write_idx("t10k-labels-idx1-ubyte", labels[:3])
    return tmp_path


@pytest.fixture
def write_npz(tmp_path):
    def write(**arrays: np.ndarray) -> Path:
        np.savez(tmp_path / "data.npz", **arrays)
        return tmp_path / "data.npz"

    return write


@pytest.fixture
def color_images():
    """Ten images as CIFAR-10 has them."""
    return np.random.default_rng(0).integers(0, 256, (10, 3, 32, 32), dtype=np.uint8)


@pytest.fixture
def write_batch(tmp_path):
    """Writes images and labels as a batch of CIFAR-10's binary version."""

    def write(name: str, images: np.ndarray, labels: np.ndarray) -> Path:
        records = np.column_stack([np.array(labels, np.uint8), images.reshape(len(images), -1)])
        (tmp_path / name).write_bytes(records.tobytes())
        return tmp_path / name

    return write


@pytest.fixture
def cifar10_folder(tmp_path, write_batch, color_images, labels):
    """Two training batches of five images, a test batch of three, and the names."""
    write_batch("data_batch_1.bin", color_images[:5], labels[:5])
    write_batch("data_batch_2.bin", color_images[5:], labels[5:])
    write_batch("test_batch.bin", color_images[:3], labels[:3])
    names = "airplane automobile bird cat deer dog frog horse ship truck"
    (tmp_path / "batches.meta.txt").write_text(names.replace(" ", "\n") + "\n\n")
    return tmp_path


@pytest.fixture(scope="session")
def memory_below():
    """Checks that a block never holds more memory than a number of bytes."""

    @contextmanager
    def memory_below(limit: int) -> Iterator[None]:
        tracemalloc.start()
        try:
            yield
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < limit

    return memory_below
