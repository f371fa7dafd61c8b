import itertools
import json
import os

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file

import cnntrain
from cnntrain.data import load_data
from cnntrain.data.image_folder.decode import read_image
from cnntrain.data.image_spec import ImageSpec
from cnntrain.errors import DataError, ImageError, UsageError, WeightsError
from cnntrain.evaluation.evaluate import evaluate_saved
from cnntrain.inference.predictor import load

FORM = ImageSpec(3, 8, 10, "crop")


def probabilities(model, pixels):
    """What ``forward`` makes of uint8 pixels that are standardized as the weights file says."""
    return model.forward((pixels / np.float32(255) - 0.5) / 0.25)


def test_a_file_a_picture_and_its_pixels_give_the_same(model, draw, tmp_path):
    file = draw(tmp_path / "a.png")
    pixels = read_image(file, FORM)
    y = probabilities(model, pixels[None])[0]
    (entry,) = model.predict([file])
    assert entry == {"file": str(file), "class": f"class {y.argmax()}", "probability": entry["probability"]}
    assert entry["probability"] == pytest.approx(y.max(), abs=1e-6)
    opened = Image.open(file)
    decoded = Image.fromarray(np.asarray(opened))
    for images in ([str(file)], str(file), [opened], opened, [decoded], [pixels], pixels, pixels.transpose(1, 2, 0)):
        (other,) = model.predict(images)
        assert other | {"file": None} == entry | {"file": None}
    assert model.predict([os.fsencode(file).decode()])[0]["file"] == str(file)


def test_a_jpeg_that_is_not_decoded_yet_gives_what_its_file_gives(model, draw, tmp_path):
    file = draw(tmp_path / "a.jpg", (90, 70))
    with Image.open(file) as image:
        assert model.predict([image]) == model.predict([file])
        assert image.size == (90, 70)
        assert np.asarray(image).shape == (70, 90, 3)


def test_arrays_of_another_size_are_brought_to_the_networks(model, draw, tmp_path):
    file = draw(tmp_path / "a.png", (30, 20))
    image = np.asarray(Image.open(file))
    (wanted,) = model.predict([file])
    for array in (image, image[None], image.transpose(2, 0, 1), image.transpose(2, 0, 1)[None], image / 255):
        assert model.predict([array]) == [wanted | {"file": None}]
    gray = draw(tmp_path / "g.png", (30, 20), "L")
    array = np.asarray(Image.open(gray))
    for each in (array, array[..., None]):
        assert model.predict(each) == [model.predict(gray)[0] | {"file": None}]


def test_floats_of_the_networks_size_keep_their_fractions(model):
    pixels = np.random.default_rng(0).random((5, 3, 8, 10), np.float32)
    wanted = model.forward((pixels - 0.5) / 0.25)
    entries = model.predict(pixels)
    np.testing.assert_allclose([entry["probability"] for entry in entries], wanted.max(axis=1), atol=1e-6)
    assert [entry["class"] for entry in entries] == [f"class {i}" for i in wanted.argmax(axis=1)]


def test_a_batch_is_many_images_in_order(model):
    pixels = np.random.default_rng(0).integers(0, 256, (150, 3, 8, 10), dtype=np.uint8)
    entries = model.predict(pixels)
    wanted = probabilities(model, pixels)
    np.testing.assert_allclose([entry["probability"] for entry in entries], wanted.max(axis=1), atol=1e-5)
    assert entries == model.predict(list(pixels)) == model.predict(pixels.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("count", [1, 3, 5])
def test_grey_images_without_a_side_for_channels(make_model, count):
    model = make_model((1, 5, 6))
    pixels = np.random.default_rng(0).integers(0, 256, (count, 5, 6), dtype=np.uint8)
    assert model.predict(pixels) == model.predict(pixels[:, None]) == model.predict(list(pixels))


def test_mixed_images_keep_their_order(model, draw, tmp_path):
    a, b = draw(tmp_path / "a.png", seed=1), draw(tmp_path / "b.gif", seed=2)
    floats = np.random.default_rng(3).random((8, 10, 3))
    mixed = model.predict(iter([b, floats, Image.open(a), a, floats]))
    assert [entry["file"] for entry in mixed] == [str(b), None, str(a), str(a), None]
    assert mixed[1]["probability"] == pytest.approx(model.predict(floats)[0]["probability"], abs=1e-6)
    assert mixed[2] == mixed[3]


def test_top_classes_from_the_most_probable_on(model):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 10), dtype=np.uint8)
    y = probabilities(model, pixels[None])[0]
    (entry,) = model.predict(pixels, top=3)
    assert [guess["class"] for guess in entry["top"]] == [f"class {i}" for i in np.argsort(-y)[:3]]
    assert {"file": None, **entry["top"][0]} == {key: entry[key] for key in ("file", "class", "probability")}
    assert len(model.predict(pixels, top=99)[0]["top"]) == 4
    assert "top" not in model.predict(pixels)[0]
    with pytest.raises(UsageError, match="top: expected at least 1, got 0"):
        model.predict(pixels, top=0)


def test_outputs_that_are_no_probabilities_are_values(make_model):
    model = make_model((1, 3, 3), [{"conv": {"K": 2, "F": 2}}], loss="mse")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 3), dtype=np.uint8)
    y = probabilities(model, pixels[None])[0].ravel()
    (entry,) = model.predict(pixels)
    assert entry["class"] == f"class {y.argmax()}"
    assert entry["probability"] is None
    assert entry["value"] == pytest.approx(y.max(), abs=1e-5)


def test_a_folder_stands_for_its_pictures(model, draw, tmp_path):
    files = [str(draw(tmp_path / "in" / name)) for name in ("a.png", "b/c.bmp", "d.webp")]
    (tmp_path / "in" / "notes.txt").write_text("no image")
    assert [entry["file"] for entry in model.predict(tmp_path / "in")] == files


def test_a_picture_that_cannot_be_read_is_an_error_that_names_it(model, draw, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"not an image")
    good = draw(tmp_path / "good.png")
    with pytest.raises(ImageError, match=r"bad\.jpg: it is not a JPEG"):
        model.predict([good, bad])
    cut = tmp_path / "cut.png"
    cut.write_bytes(good.read_bytes()[:-100])
    errors = []
    with Image.open(cut) as image:
        images = [bad, good, tmp_path / "none.png", image, Image.new("F", (5, 5)), good]
        batches = list(model.predictions(images, on_error=errors.append))
    assert [entry["file"] for batch in batches for entry in batch] == [str(good)] * 2
    assert [error.path for error in errors] == [str(bad), str(tmp_path / "none.png"), str(cut), "an image"]


def test_images_without_end_are_read_as_they_are_needed(model, draw, tmp_path):
    file, taken = draw(tmp_path / "a.png"), itertools.count()
    endless = (file for _ in taken)
    batches = model.predictions(endless)
    first = next(batches)
    assert len(first) == model.network.micro_batch_size
    assert first[0] == model.predict(file)[0]
    batches.close()
    assert next(taken) < 500


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_classes_and_probabilities_are_those_of_eval(make_config, tmp_path, dtype):
    layers = [{"conv": {"K": 4, "F": 3, "activation": "relu"}}, {"batch_norm": {}}, {"fc": {"activation": "softmax"}}]
    config = make_config(layers, data={"source": "digits"}, Max=1, workers=1, dtype=dtype)
    cnntrain.train(config, out=tmp_path / "run", plots=False)
    predictions = evaluate_saved(tmp_path / "run", "test").predictions
    entries = load(tmp_path / "run").predict(load_data("digits").test.images)
    assert [int(entry["class"]) for entry in entries] == predictions.predicted.tolist()
    np.testing.assert_allclose([entry["probability"] for entry in entries], predictions.confidence, atol=1e-6)


def test_probabilities_that_are_equal_by_rounding_are_ordered_by_the_logits(make_model):
    model = make_model((1, 1, 1), [{"fc": {"units": 3, "activation": "softmax"}}])
    parameters = {"layers.0.W": np.zeros((3, 1)), "layers.0.b": np.float32([0, 1e-12, 2e-12])}
    model.set_parameters(parameters)
    (entry,) = model.predict(np.zeros((1, 1, 1), np.uint8), top=3)
    assert [guess["class"] for guess in entry["top"]] == ["class 2", "class 1", "class 0"]
    assert len({guess["probability"] for guess in entry["top"]}) == 1


def test_nothing_gives_nothing(model):
    assert model.predict([]) == model.predict(np.empty((0, 3, 8, 10))) == []


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros(3), r"an image is an array \(H, W\)"),
        (np.zeros((5, 6, 7)), r"which side of an array of shape \(5, 6, 7\)"),
        (np.array([["a"]]), "holds numbers, not <U1"),
        (np.full((3, 8, 10), 1.5), "floats must lie in 0..1"),
        (np.full((3, 8, 10), np.nan), "not a number"),
        (np.full((3, 8, 10), 300), "must lie in 0..255"),
    ],
)
def test_arrays_that_are_no_images_are_refused(model, images, message):
    with pytest.raises(DataError, match=message):
        model.predict([images])


@pytest.mark.parametrize("images", [[7], 7, [[7]], None, b"a.png"])
def test_other_things_are_refused(model, images):
    with pytest.raises(UsageError, match=r"one is of type (int|list|NoneType)"):
        model.predict(images)


def test_a_network_of_other_channels_takes_arrays_alone(make_model):
    model = make_model((2, 8, 10), fit=None)
    assert len(model.predict(np.zeros((3, 2, 8, 10), np.uint8))) == 3
    for images in ([np.zeros((9, 9, 3), np.uint8)], ["a.png"]):
        with pytest.raises(
            DataError, match=r"the network takes (arrays of shape \(N, 2, 8, 10\)|images of 2 channels)"
        ):
            model.predict(images)


def test_class_names_that_do_not_fit_are_malformed_weights(make_model, tmp_path):
    model = make_model()
    path = tmp_path / "run" / "weights.safetensors"
    for classes, loads in ([], True), (["a", "b", "c", "d"], True), (["a", "b"], False):
        with safe_open(path, "numpy") as file:
            about = json.loads(file.metadata()["cnntrain"])
        about["classes"] = classes
        save_file(model.network.state(), path, {"cnntrain": json.dumps(about)})
        if loads:
            assert list(load(path).classes) == (classes or ["0", "1", "2", "3"])
        else:
            with pytest.raises(WeightsError, match="ends in 4 values, but the file names 2 classes"):
                load(path)
