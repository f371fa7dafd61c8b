"""``source: cifar100``: records with two labels."""

import numpy as np
import pytest

from cnntrain.data import load_data
from cnntrain.data.detect_source import detect_source
from cnntrain.data.formats import cifar10, cifar100
from cnntrain.errors import DataError


@pytest.fixture
def folder(tmp_path, color_images):
    """Ten training and three test images, and the names of 20 coarse and 100 fine classes."""
    path = tmp_path / "cifar-100-binary"
    path.mkdir()
    labels = np.column_stack([np.arange(10) % 2, np.arange(10) * 11]).astype(np.uint8)
    for name, count in (("train.bin", 10), ("test.bin", 3)):
        records = np.column_stack([labels[:count], color_images[:count].reshape(count, -1)])
        (path / name).write_bytes(records.tobytes())
    for kind, count in (("coarse", 20), ("fine", 100)):
        (path / f"{kind}_label_names.txt").write_text("".join(f"{kind} {i}\r\n" for i in range(count)))
    return path


@pytest.mark.parametrize("above", [False, True])
def test_fine_labels_by_default(folder, color_images, above):
    splits = cifar100.load(folder.parent if above else folder)
    np.testing.assert_array_equal(splits.train.images, color_images)
    assert splits.train.labels.tolist() == list(range(0, 110, 11))
    assert (len(splits.test), splits.classes[99], len(splits.classes)) == (3, "fine 99", 100)
    assert splits.choices == ("labels: the 100 fine ones",)


def test_coarse_labels(folder):
    data = load_data("cifar100", path=folder, labels="coarse")
    assert data.train.labels.tolist() == [0, 1] * 5
    assert data.classes == tuple(f"coarse {i}" for i in range(20))
    assert data.choices == ("labels: the 20 coarse ones",)


def test_without_names_and_test(folder):
    for name in ("fine_label_names.txt", "test.bin"):
        (folder / name).unlink()
    splits = cifar100.load(folder)
    assert (splits.test, splits.classes) == (None, tuple(map(str, range(100))))


def test_it_is_recognized(folder):
    assert detect_source(str(folder))["source"] == detect_source(str(folder.parent))["source"] == "cifar100"


def test_what_is_wrong_is_said(folder, tmp_path):
    with pytest.raises(DataError, match="is in the form of CIFAR-100; read it by `source: cifar100`"):
        cifar10.load(folder)
    content = (folder / "train.bin").read_bytes()
    (folder / "train.bin").write_bytes(content[:-1])
    with pytest.raises(DataError, match="the binary version of CIFAR-100 is a row of records of 3,074 bytes"):
        cifar100.load(folder)
    (folder / "train.bin").write_bytes(content[:1] + b"\x64" + content[2:])
    with pytest.raises(DataError, match="holds the label 100 in record 0"):
        cifar100.load(folder)
    for names, words in (
        (["train", "test", "meta"], "the Python version of CIFAR-100"),
        (["cifar-100-binary.tar.gz"], "holds an archive; unpack it"),
        (["a"], "no training images; looked for train.bin"),
    ):
        other = tmp_path / names[0]
        other.mkdir()
        for name in names:
            (other / name).touch()
        with pytest.raises(DataError, match=words):
            cifar100.load(other)
