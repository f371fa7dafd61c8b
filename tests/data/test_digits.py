import hashlib
from pathlib import Path

import numpy as np

import cnntrain.data
from cnntrain.data import load_data


def test_digits_are_1437_training_and_360_test_samples_of_each_class_alike():
    data = load_data("digits")
    assert data.input_shape == (1, 8, 8)
    assert data.classes == tuple("0123456789")
    assert data.validation is None
    assert np.bincount(data.train.labels).tolist() == [142, 145, 142, 146, 145, 146, 145, 143, 139, 144]
    assert np.bincount(data.test.labels).tolist() == [36, 37, 35, 37, 36, 36, 36, 36, 35, 36]


def test_digits_are_the_same_everywhere_and_always():
    data = load_data("digits")
    content = hashlib.sha256()
    for part in (data.train.images, data.train.labels, data.test.images, data.test.labels):
        content.update(part.astype(np.uint8).tobytes())
    assert content.hexdigest() == "471c3bfdd4aad85b2dc290c1fb66ee6c6d1ed859098a99583a1044a3f2bd979d"


def test_the_17_shades_of_the_original_span_0_to_255():
    images = load_data("digits").train.images
    assert set(np.unique(images)) == {round(shade * 255 / 16) for shade in range(17)}


def test_the_test_split_does_not_depend_on_the_seed():
    first, second = load_data("digits", validation=0.1, seed=1), load_data("digits", validation=0.1, seed=2)
    np.testing.assert_array_equal(first.test.images, second.test.images)
    assert not np.array_equal(first.train.images, second.train.images)


def test_the_authors_and_the_licence_are_named_beside_the_file():
    text = Path(cnntrain.data.__file__).with_name("digits.LICENSE.txt").read_text()
    for words in ("E. Alpaydin, C. Kaynak", "CC BY 4.0", "10.24432/C50P49", "Changed:"):
        assert words in text
