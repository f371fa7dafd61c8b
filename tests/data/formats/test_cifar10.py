import numpy as np
import pytest

from cnntrain.data import load_data
from cnntrain.data.formats import cifar10

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def test_a_folder_of_batches_is_read(cifar10_folder, color_images):
    train, test, classes, *_ = cifar10.load(cifar10_folder)
    np.testing.assert_array_equal(train.images, color_images)
    np.testing.assert_array_equal(test.images, color_images[:3])
    assert train.labels.tolist() == list(range(10))
    assert test.labels.tolist() == [0, 1, 2]
    assert classes == NAMES
    assert train.images.dtype == np.uint8
    assert train.labels.dtype == np.int64


def test_a_record_is_a_label_and_three_planes_of_rows(tmp_path):
    record = np.zeros(3073, np.uint8)
    record[0] = 7
    record[1 + 2 * 1024 + 5 * 32 + 9] = 200
    (tmp_path / "data_batch_1.bin").write_bytes(record.tobytes())
    train = cifar10.load(tmp_path).train
    assert train.labels.tolist() == [7]
    assert np.argwhere(train.images).tolist() == [[0, 2, 5, 9]]
    assert train.images[0, 2, 5, 9] == 200


def test_batches_are_read_in_the_order_of_their_numbers(tmp_path, write_batch, color_images):
    for label, number in enumerate((1, 2, 9, 10, 11)):
        write_batch(f"data_batch_{number}.bin", color_images[:1], [label])
    assert cifar10.load(tmp_path).train.labels.tolist() == [0, 1, 2, 3, 4]


def test_batches_may_differ_in_length_and_be_longer_than_what_is_read_at_a_time(tmp_path, write_batch):
    images = np.random.default_rng(0).integers(0, 256, (2 * cifar10.CHUNK + 3, 3, 32, 32), dtype=np.uint8)
    labels = np.arange(len(images)) % 10
    cut = cifar10.CHUNK + 1
    write_batch("data_batch_1.bin", images[:cut], labels[:cut])
    write_batch("data_batch_2.bin", images[cut:], labels[cut:])
    train = cifar10.load(tmp_path).train
    np.testing.assert_array_equal(train.images, images)
    np.testing.assert_array_equal(train.labels, labels)


def test_the_usual_subfolder_is_found(cifar10_folder, color_images):
    inside = cifar10_folder / "cifar-10-batches-bin"
    inside.mkdir()
    for file in cifar10_folder.glob("*.*"):
        file.rename(inside / file.name)
    (cifar10_folder / "cifar-10-python.tar.gz").touch()  # does no harm beside it
    np.testing.assert_array_equal(cifar10.load(cifar10_folder).train.images, color_images)


def test_the_test_batch_may_be_missing(cifar10_folder):
    (cifar10_folder / "test_batch.bin").unlink()
    assert cifar10.load(cifar10_folder).test is None


def test_without_names_the_classes_are_called_by_their_numbers(cifar10_folder, write_batch, color_images):
    (cifar10_folder / "batches.meta.txt").unlink()
    write_batch("data_batch_1.bin", color_images[:2], [1, 4])
    (cifar10_folder / "data_batch_2.bin").unlink()
    train, _, classes, *_ = cifar10.load(cifar10_folder)
    assert classes == tuple("0123456789")
    assert train.labels.tolist() == [1, 4]


@pytest.mark.parametrize("content", ["hare\nGrüße\n\n", "\ufeffhare\r\n Grüße \r\n", "hare\nGrüße"])
def test_names_are_lines_of_text(tmp_path, write_batch, color_images, content):
    (tmp_path / "batches.meta.txt").write_bytes(content.encode())
    write_batch("data_batch_1.bin", color_images[:2], [1, 0])
    assert cifar10.load(tmp_path).classes == ("hare", "Grüße")


def test_there_may_be_more_than_ten_classes(tmp_path, write_batch, color_images):
    (tmp_path / "batches.meta.txt").write_text("\n".join(map(str, range(100, 112))))
    write_batch("data_batch_1.bin", color_images[:2], [11, 1])
    train, _, classes, *_ = cifar10.load(tmp_path)
    assert train.labels.tolist() == [11, 1]
    assert len(classes) == 12


def test_images_are_in_memory_once(tmp_path, memory_below):
    content = np.zeros((5 * cifar10.CHUNK, 3073), np.uint8).tobytes()
    (tmp_path / "data_batch_1.bin").write_bytes(content)
    with memory_below(len(content) + 3 * 3073 * cifar10.CHUNK):
        cifar10.load(tmp_path)


def test_cifar10_has_its_known_names_balance_mean_and_deviation(real_data):
    data = load_data("cifar10", path=real_data / "cifar10-subset")
    assert (len(data.train), data.validation, len(data.test)) == (10_000, None, 2_000)
    assert data.input_shape == (3, 32, 32)
    assert data.classes == NAMES
    assert np.bincount(data.train.labels).tolist() == [1_000] * 10
    assert np.bincount(data.test.labels).tolist() == [200] * 10
    assert data.train.images.dtype == np.uint8
    assert data.preprocessing.mean == pytest.approx((0.491, 0.482, 0.447), abs=0.003)
    assert data.preprocessing.std == pytest.approx((0.245, 0.243, 0.261), abs=0.002)
