import gzip

import numpy as np
import pytest

from cnntrain.data import Preprocessing, load_data
from cnntrain.data.formats import idx


def test_a_folder_of_four_files_is_read(idx_folder, images, labels):
    train, test, classes, *_ = idx.load(idx_folder)
    np.testing.assert_array_equal(train.images, images[:, None])
    np.testing.assert_array_equal(train.labels, labels)
    np.testing.assert_array_equal(test.images, images[:3, None])
    np.testing.assert_array_equal(test.labels, labels[:3])
    assert classes == tuple("0123456789")
    assert train.images.dtype == np.uint8
    assert train.labels.dtype == np.int64


@pytest.mark.parametrize(
    "names",
    [
        (
            "train-images-idx3-ubyte.gz",
            "train-labels-idx1-ubyte.gz",
            "t10k-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte",
        ),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte.gz"),
        (
            "emnist-letters-train-images-idx3-ubyte.gz",
            "emnist-letters-train-labels-idx1-ubyte.gz",
            "emnist-letters-test-images-idx3-ubyte.gz",
            "emnist-letters-test-labels-idx1-ubyte.gz",
        ),
    ],
    ids=["gzipped", "dotted", "emnist"],
)
def test_files_are_found_by_their_usual_names(tmp_path, write_idx, images, labels, names):
    for name, array in zip(names, (images, labels, images[:3], labels[:3]), strict=True):
        write_idx(name, array)
    train, test, *_ = idx.load(tmp_path)
    assert (len(train), len(test)) == (10, 3)
    np.testing.assert_array_equal(train.images[:, 0], images)  # EMNIST's too: as they are stored


def test_the_plain_file_is_taken_where_both_are_there(idx_folder, images):
    (idx_folder / "train-images-idx3-ubyte.gz").write_bytes(b"broken")
    np.testing.assert_array_equal(idx.load(idx_folder).train.images[:, 0], images)


def test_a_file_that_was_unpacked_but_kept_its_gz_ending_is_read(idx_folder):
    (idx_folder / "train-images-idx3-ubyte").rename(idx_folder / "train-images-idx3-ubyte.gz")
    assert len(idx.load(idx_folder).train) == 10


def test_a_gzip_file_of_several_members_is_read(idx_folder, images):
    file = idx_folder / "train-images-idx3-ubyte"
    content = file.read_bytes()
    file.write_bytes(gzip.compress(content[:50]) + gzip.compress(content[50:]))
    np.testing.assert_array_equal(idx.load(idx_folder).train.images[:, 0], images)


def test_test_files_may_be_missing(idx_folder):
    for file in idx_folder.glob("t10k-*"):
        file.unlink()
    assert idx.load(idx_folder).test is None


def test_labels_that_start_at_1_keep_their_numbers_as_names(idx_folder, write_idx, labels):
    write_idx("train-labels-idx1-ubyte", labels + 17)
    write_idx("t10k-labels-idx1-ubyte", labels[:3] + 1)
    train, test, classes, *_ = idx.load(idx_folder)
    assert classes == tuple(str(label) for label in range(1, 27))
    assert (train.labels.min(), train.labels.max()) == (16, 25)
    assert test.labels.tolist() == [0, 1, 2]


def test_mnist_has_its_known_counts_mean_and_deviation(real_data):
    data = load_data("idx", path=real_data / "mnist", validation=0.1)
    assert (len(data.train), len(data.validation), len(data.test)) == (54_000, 6_000, 10_000)
    assert data.input_shape == (1, 28, 28)
    assert data.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    whole = Preprocessing.measure(idx.load(real_data / "mnist").train)
    assert whole.mean[0] == pytest.approx(0.1307, abs=5e-5)
    assert whole.std[0] == pytest.approx(0.3081, abs=5e-5)


def test_files_in_folders_of_their_own_name(idx_folder, images):
    for file in list(idx_folder.iterdir()):
        content = file.read_bytes()
        file.unlink()
        file.mkdir()
        (file / file.name.replace("-idx", ".idx")).write_bytes(content)
    splits = idx.load(idx_folder)
    np.testing.assert_array_equal(splits.train.images[:, 0], images)
    assert len(splits.test) == 3
