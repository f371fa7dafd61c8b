"""``cnntrain.load_data``: the arrays that training sees."""

import numpy as np
import pytest
from PIL import Image

import cnntrain
from cnntrain.builder import load_config_data
from cnntrain.errors import ConfigError

NO_VALIDATION = {"validation": 0.0}


def test_the_splits_are_those_of_training(tiny_config):
    config = tiny_config(data={"validation": 0.2})
    data, expected = cnntrain.load_data(config), load_config_data(config)
    assert data.classes == expected.classes == ("0", "1", "2")
    for name, dataset in expected.splits().items():
        split = getattr(data, name)
        assert len(split) == len(dataset) == len(split.images) == len(split.x)
        assert np.array_equal(split.images, dataset.images)
        assert np.array_equal(split.labels, dataset.labels)
    assert (len(data.train), len(data.validation), len(data.test)) == (32, 8, 12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_x_is_what_the_network_sees(tiny_config, tmp_path, dtype):
    config = tiny_config(Max=2, dtype=dtype)
    run = cnntrain.train(config, out=tmp_path / "run", plots=False)
    data = cnntrain.load_data(config)
    assert data.train.x.dtype == dtype
    assert data.train.x.shape == (40, 1, 5, 5)
    assert data.train.x.mean() == pytest.approx(0, abs=1e-5)
    assert data.train.x.std() == pytest.approx(1, abs=1e-5)
    predicted = run.network.forward(data.test.x).argmax(axis=1)
    assert (predicted == data.test.labels).mean() == run["test"]["accuracy"]


def test_color_images_in_c_h_w_with_their_files(tmp_path):
    for name, color in (("a", (255, 0, 0)), ("b", (0, 0, 255))):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (6, 4), tuple(max(0, c - i) for c in color)).save(tmp_path / "photos" / name / f"{i}.png")
    data = cnntrain.load_data(
        {
            "data": {"source": "images", "path": str(tmp_path / "photos"), "size": [4, 6], "standardize": False}
            | NO_VALIDATION,
            "network": {"layers": [{"fc": {"activation": "softmax"}}]},
        }
    )
    assert data.train.images.shape[1:] == (3, 4, 6)
    red = data.train.labels == data.classes.index("a")
    assert (data.train.images[red][:, 0] > 250).all()
    assert (data.train.images[~red][:, 0] == 0).all()
    assert np.allclose(data.train.x, data.train.images / 255)
    assert data.train.files is not None
    assert all(file.startswith(("a/", "b/")) for file in data.train.files)
    assert repr(data).splitlines()[-1] == "classes    2: 'a', 'b'"


def test_notes_are_warnings(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.full((4, 3, 3), 200, np.uint8), y=np.array(["cat", "Cat", "cat", "Cat"]))
    config = {"data": {"source": "npz", "path": str(tmp_path / "a.npz")}, "network": {"layers": [{"fc": {}}]}}
    with pytest.warns(UserWarning, match="are 2 different classes") as caught:
        cnntrain.load_data(config)
    assert {warning.filename for warning in caught} == {__file__}


def test_a_config_without_data(make_config):
    with pytest.raises(ConfigError, match="a data section is needed here"):
        cnntrain.load_data(make_config([{"fc": {"units": 2}}], (1, 2, 2)))
