"""Whatever a file holds, the loaders give data or one DataError, and keep their memory small."""

import gzip
import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.lib import format as npy

from cnntrain.data.formats import cifar10, idx, npz
from cnntrain.errors import DataError

LIMIT = 50 << 20


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def npz_bytes(save=np.savez, **arrays):
    content = io.BytesIO()
    save(content, **arrays)
    return content.getvalue()


IMAGES = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([0, 1, 2])
IDX = [idx_bytes(IMAGES), gzip.compress(idx_bytes(IMAGES), mtime=0)]
NPZ = [npz_bytes(save, x_train=IMAGES, y_train=LABELS) for save in (np.savez, np.savez_compressed)]


@st.composite
def damaged(draw, files):
    """One of the ``files`` with some bytes replaced, then perhaps cut off or continued."""
    content = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(0, 4))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 8, 3]))
    end = draw(st.integers(0, 2 * len(content)))
    return bytes(content[:end]) + (draw(st.binary(max_size=9)) if end > len(content) else b"")


def load_or_data_error(load, memory_below):
    with memory_below(LIMIT):
        try:
            splits = load()
        except DataError:
            return
    for part in (splits.train, splits.test):
        if part is not None:
            assert part.images.ndim == 4
            assert len(part.images) == len(part.labels) > 0
            assert 0 <= part.labels.min() <= part.labels.max() < len(splits.classes)
            assert part.images.dtype in (np.uint8, np.float32)


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.binary(max_size=40), damaged(IDX), damaged(IDX[:1]).map(gzip.compress)))
def test_any_bytes_as_idx_images(folder, memory_below, content):
    (folder / "train-images-idx3-ubyte").write_bytes(content)
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS.astype(np.uint8)))
    load_or_data_error(lambda: idx.load(folder), memory_below)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=40), damaged(NPZ)))
def test_any_bytes_as_npz(folder, memory_below, content):
    (folder / "data.npz").write_bytes(content)
    load_or_data_error(lambda: npz.load(folder / "data.npz"), memory_below)


PIXELS = bytes(range(256)) * 12
NAMES = [b"cat\ndog\nhare\n\n", "\n".join(map(str, range(10))).encode()]
BATCHES = st.lists(st.integers(0, 11), min_size=1, max_size=3).map(
    lambda labels: b"".join(bytes([label]) + PIXELS for label in labels)
)


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(BATCHES, st.binary(max_size=40), damaged([2 * (b"\0" + PIXELS)])),
    st.one_of(st.none(), st.sampled_from(NAMES), st.binary(max_size=40), damaged(NAMES)),
)
def test_any_bytes_as_a_batch_and_names_of_cifar10(folder, memory_below, batch, names):
    (folder / "data_batch_1.bin").write_bytes(batch)
    (folder / "batches.meta.txt").unlink(missing_ok=True)
    if names is not None:
        (folder / "batches.meta.txt").write_bytes(names)
    load_or_data_error(lambda: cifar10.load(folder), memory_below)


HEADERS = st.one_of(
    st.binary(max_size=60),
    st.text(alphabet="{}()[]',:\\ \n0189-<|>uifObUV?.#\"", max_size=60).map(str.encode),
    st.builds(
        "{{'descr': {!r}, 'fortran_order': {}, 'shape': {}, }}".format,
        st.sampled_from(
            ["|u1", "<u2", ">f8", "|b1", "<U3", "|O", "<f16", "<c8", "|S4", "<U0", "|V0", "<m8", "x", [], None]
        ),
        st.sampled_from([True, False, 1, None]),
        st.lists(st.one_of(st.integers(-2, 70), st.integers(0, 2**70), st.booleans()), max_size=6).map(tuple),
    ).map(str.encode),
)


@settings(deadline=None, max_examples=300)
@given(HEADERS, st.binary(max_size=80), st.sampled_from([(1, 0), (2, 0), (3, 0)]))
def test_any_header_of_an_array(folder, memory_below, header, data, version):
    length = len(header).to_bytes(2 if version == (1, 0) else 4, "little")
    labels = io.BytesIO()
    np.save(labels, LABELS)
    with zipfile.ZipFile(folder / "data.npz", "w") as archive:
        archive.writestr("x_train.npy", npy.magic(*version) + length + header + data)
        archive.writestr("y_train.npy", labels.getvalue())
    load_or_data_error(lambda: npz.load(folder / "data.npz"), memory_below)


@settings(deadline=None, max_examples=300)
@given(
    hnp.arrays(
        st.one_of(
            hnp.boolean_dtypes(),
            hnp.integer_dtypes(endianness="?"),
            hnp.unsigned_integer_dtypes(endianness="?"),
            hnp.floating_dtypes(endianness="?"),
        ),
        hnp.array_shapes(max_dims=5, max_side=4),
    ),
    hnp.arrays(
        st.one_of(hnp.integer_dtypes(endianness="?"), hnp.floating_dtypes(endianness="?")),
        hnp.array_shapes(max_dims=2, max_side=4),
    ),
    st.sampled_from([None, "NHWC", "NCHW"]),
)
def test_any_arrays(folder, memory_below, images, labels, layout):
    np.savez(folder / "data.npz", x_train=images, y_train=labels)
    load_or_data_error(lambda: npz.load(folder / "data.npz", layout), memory_below)


SIZES = st.integers(1, 7)


@settings(deadline=None)
@given(SIZES, SIZES, SIZES, st.booleans())
def test_idx_round_trip(folder, count, H, W, packed):
    images = np.random.default_rng(0).integers(0, 256, (count, H, W), dtype=np.uint8)
    pack = gzip.compress if packed else bytes
    (folder / "train-images-idx3-ubyte").write_bytes(pack(idx_bytes(images)))
    (folder / "train-labels-idx1-ubyte").write_bytes(pack(idx_bytes(np.zeros(count, np.uint8))))
    np.testing.assert_array_equal(idx.load(folder).train.images, images[:, None])


@settings(deadline=None)
@given(SIZES, SIZES, SIZES, SIZES, st.booleans(), st.booleans(), st.sampled_from([np.savez, np.savez_compressed]))
def test_npz_round_trip(folder, count, C, H, W, channels_last, fortran, save):
    x = np.random.default_rng(0).random((count, C, H, W), dtype=np.float32)
    stored = x.transpose(0, 2, 3, 1) if channels_last else x
    stored = np.asfortranarray(stored) if fortran else np.ascontiguousarray(stored)
    save(folder / "data.npz", x_train=stored, y_train=np.zeros(count))
    train = npz.load(folder / "data.npz", "NHWC" if channels_last else "NCHW").train
    np.testing.assert_array_equal(train.images, x)
