"""Features of an image folder: the same bits however they are computed, and cached with care."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnntrain.backbones.backbone import load_backbone
from cnntrain.builder import load_config_data
from cnntrain.config import config_from_dict
from cnntrain.data import load_data
from cnntrain.data.image_folder import extraction
from cnntrain.data.image_folder.cache_cleanup import features_folder, own_files
from cnntrain.data.image_folder.extraction import extract
from cnntrain.data.image_folder.views import view
from cnntrain.data.image_spec import ImageSpec
from cnntrain.data.progress import ProgressReporter
from cnntrain.errors import DataError
from support.backbones import tiny_backbone


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CNNTRAIN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def backbone(tmp_path) -> Path:
    return tiny_backbone(tmp_path / "tiny.onnx")


@pytest.fixture
def folder(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(0, 256, (40 + i, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i:02}.png")
    return tmp_path / "photos"


def features(backbone, **keys):
    return {"backbone": str(backbone), "order": "rgb", "views": 1} | keys


@pytest.fixture
def computed(monkeypatch):
    """The images whose features are computed."""
    names = []
    read = extraction.read_image
    monkeypatch.setattr(extraction, "read_image", lambda path, spec: names.append(path.name) or read(path, spec))
    return names


def load(folder, backbone, notes=None, **keys):
    reporter = ProgressReporter(note=(lambda text: None) if notes is None else notes.append)
    return load_data("images", path=folder, features=features(backbone, **keys), reporter=reporter)


def everything(data):
    return np.concatenate([part.gather(np.arange(len(part))) for part in data.splits().values() if part])


def test_features_do_not_depend_on_threads_chunks_or_other_images(folder, backbone, monkeypatch):
    network = load_backbone(features(backbone, views=3))
    C, H, W = network.spec.image_shape
    spec, names = ImageSpec(C, H, W), [f"cat/{i:02}.png" for i in range(12)]

    def bits(threads, chunk, names=names):
        monkeypatch.setattr(extraction, "CHUNK", chunk)
        return np.concatenate([part.features for part in extract(folder, names, spec, network, {}, threads)]).tobytes()

    expected = bits(1, 8)
    assert [bits(2, 8), bits(4, 1), bits(3, 5)] == [expected] * 3
    one = bits(1, 8, names[4:5])
    assert expected[4 * len(one) : 5 * len(one)] == one


def test_a_second_run_computes_nothing_and_gives_the_same_bits(folder, backbone, computed):
    first = everything(load(folder, backbone))
    assert len(computed) == 24
    again = load(folder, backbone)
    assert len(computed) == 24
    assert everything(again).tobytes() == first.tobytes()
    assert again.train.is_mapped
    assert again.input_shape == (4, 1, 1)
    (file,) = own_files(features_folder())
    assert oct(file.path.stat().st_mode)[-3:] == "600"


def test_only_new_and_changed_images_are_computed(folder, backbone, computed):
    load(folder, backbone)
    computed.clear()
    shutil.copy(folder / "cat" / "00.png", folder / "cat" / "copy.png")
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(folder / "dog" / "01.png")
    (folder / "dog" / "02.png").unlink()
    notes: list[str] = []
    load(folder, backbone, notes)
    assert computed == ["01.png"]
    assert "computed the features of 1 new image; those of 23 were in the cache" in notes
    assert len(list(own_files(features_folder()))) == 1


def test_a_moved_folder_finds_its_features(folder, backbone, computed):
    load(folder, backbone)
    computed.clear()
    load(folder.rename(folder.with_name("moved")), backbone)
    assert computed == []


@pytest.mark.parametrize("keys", [{"views": 2}, {"order": "bgr"}, {"scale": 1.0}, {"mean": [0.5]}, {"output": "map"}])
def test_other_settings_give_other_files(folder, backbone, computed, keys):
    load(folder, backbone)
    load(folder, backbone, **keys)
    assert len(computed) == 48
    assert len(list(own_files(features_folder()))) == 2


def test_another_backbone_of_the_same_name_gives_other_features(folder, backbone):
    before = everything(load(folder, backbone))
    tiny_backbone(backbone, seed=1)
    assert not np.array_equal(everything(load(folder, backbone)), before)


@pytest.mark.parametrize("damage", ["flip", "cut", "link"])
def test_a_damaged_or_linked_cache_file_is_not_used(folder, backbone, computed, damage, tmp_path):
    before = everything(load(folder, backbone))
    (file,) = features_folder().iterdir()
    content = bytearray(file.read_bytes())
    if damage == "link":
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
        content[200] ^= 1
        (tmp_path / "elsewhere").write_bytes(content)
    else:
        content[200] ^= 1
        file.write_bytes(content if damage == "flip" else content[:-50])
    assert everything(load(folder, backbone)).tobytes() == before.tobytes()
    assert len(computed) == 48
    if damage == "link":
        assert (tmp_path / "elsewhere").read_bytes() == content


def test_without_a_writable_cache_features_stay_in_memory(folder, backbone, cache):
    before = everything(load(folder, backbone))
    shutil.rmtree(cache)
    cache.write_text("a file")
    notes: list[str] = []
    data = load(folder, backbone, notes, views=2)
    assert any("the features are kept in memory only" in note for note in notes)
    assert everything(data).tobytes() == before.tobytes()
    assert not np.array_equal(data.train.gather(np.arange(3), np.array([1, 1, 1])), data.train.gather(np.arange(3)))


def test_unreadable_images_are_listed_and_skipped(folder, backbone, computed):
    (folder / "cat" / "03.png").write_bytes((folder / "cat" / "03.png").read_bytes()[:100])
    with pytest.raises(DataError, match=r"cat/03\.png: "):
        load(folder, backbone)
    data = load_data("images", path=folder, features=features(backbone), on_bad="skip")
    assert sum(len(part) for part in data.splits().values() if part) == 23


def test_the_views_of_an_image_are_at_its_row_and_the_following_ones(folder, backbone):
    network = load_backbone(features(backbone, views=4))
    data = load(folder, backbone, views=4)
    index = np.array([5])
    image = data.train.pixels(index)[0]
    for number in range(4):
        expected = network.features(np.ascontiguousarray(view(image, number)))
        np.testing.assert_array_equal(data.train.gather(index, np.array([number]))[0], expected)


def test_views_are_mirrored_and_cropped():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (3, 16, 24), dtype=np.uint8)
    np.testing.assert_array_equal(view(image, 0), image)
    np.testing.assert_array_equal(view(image, 1), image[:, :, ::-1])
    views = [view(image, number) for number in range(10)]
    assert all(each.shape == image.shape for each in views)
    assert len({each.tobytes() for each in views}) == 10
    for number in range(0, 10, 2):
        np.testing.assert_array_equal(views[number + 1], views[number][:, :, ::-1])
    marked = np.zeros((1, 16, 24), np.uint8)
    marked[0, 0] = 255  # the first row is outside the lower crops
    assert [int(view(marked, number).max() > 0) for number in (2, 4, 6, 8)] == [1, 0, 1, 0]


def test_the_config_refuses_what_does_not_go_together(folder, backbone):
    def config(data, **training):
        section = {"source": "images", "path": str(folder), "features": {"backbone": str(backbone)}} | data
        layers = [{"fc": {"activation": "softmax"}}]
        return config_from_dict({"data": section, "network": {"layers": layers}, "training": training}, "a test")

    with pytest.raises(DataError, match=r"data\.size: the backbone .* takes images of 32 x 32, not 64 x 64"):
        load_config_data(config({"size": [64, 64]}))
    with pytest.raises(DataError, match="takes images of 3 channels, not 1"):
        load_config_data(config({"channels": 1}))
    with pytest.raises(Exception, match="its pixels cannot change in each epoch"):
        config({}, augmentation={"horizontal_flip": True})
    with pytest.raises(Exception, match="got 'efficientnet-lite1'; did you mean 'efficientnet-lite0'"):
        config({"features": {"backbone": "efficientnet-lite1"}})
