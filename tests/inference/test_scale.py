"""The same image gives the same answer, dark or bright, alone or among others, in predict, eval and training."""

import json

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file

import cnntrain
from cnntrain.data.pixels import UNKNOWN, Scale
from cnntrain.errors import DataError, ImageError
from cnntrain.evaluation.evaluate import evaluate_saved
from cnntrain.training.resume import resume_run

LAYERS = [{"conv": {"K": 4, "F": 3, "P": 1, "activation": "relu"}}, {"fc": {"activation": "softmax"}}]


def dark_and_bright(dtype, low, high, count=40):
    """Images of two classes, one of them much darker, and their labels."""
    labels = np.arange(count) % 2
    images = np.random.default_rng(0).integers(low // 4, low, (count, 6, 6))
    images[labels == 1] += high - low
    images[-1, 0, 0] = high
    return images.astype(dtype), labels


@pytest.fixture
def make_run(make_config, tmp_path):
    """Trains on arrays, and returns the run's folder and the path of its data."""

    def make(images, labels, **data):
        path = tmp_path / "data.npz"
        half = len(images) // 2
        np.savez(path, x_train=images[half:], y_train=labels[half:], x_test=images[:half], y_test=labels[:half])
        config = make_config(
            LAYERS, data={"source": "npz", "path": str(path), **data}, Max=1, workers=1, batch_size=8, alpha=0.05
        )
        cnntrain.train(config, out=tmp_path / "run", plots=False)
        return tmp_path / "run", path

    return make


KINDS = {
    "16 bits": (np.uint16, 140, 5400, Scale(65535)),
    "8 bits": (np.uint8, 30, 255, Scale(255)),
    "17 shades": (np.uint8, 4, 16, Scale(16)),
    "17 shades in floats": (np.float64, 4, 16, Scale(16, floats=True)),
    "floats of bytes": (np.float32, 30, 255, Scale(255, floats=True)),
}


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_predict_and_eval_say_the_same_of_every_image(make_run, kind, standardize):
    dtype, low, high, scale = KINDS[kind]
    images, labels = dark_and_bright(dtype, low, high)
    run, _ = make_run(images, labels, standardize=standardize)
    model = cnntrain.load(run)
    assert model.preprocessing.scale == scale
    predictions = evaluate_saved(run, "test").predictions
    test = images[: len(images) // 2]
    for batches in ([test], list(test), [test[::2], test[1::2]]):  # the dark ones are every second
        entries = [entry for batch in batches for entry in model.predict(batch)]
        order = np.arange(len(test)) if len(batches) != 2 else np.r_[0 : len(test) : 2, 1 : len(test) : 2]
        np.testing.assert_allclose([e["probability"] for e in entries], predictions.confidence[order], atol=1e-5)
        assert [int(e["class"]) for e in entries] == predictions.predicted[order].tolist()


def test_other_data_are_scaled_as_in_training(make_run, tmp_path):
    """Of images without a bright one, eval used to make something else than predict."""
    images, labels = dark_and_bright(np.uint16, 140, 540)
    run, _ = make_run(images, labels)
    dark = images[::2]
    np.savez(tmp_path / "dark.npz", x_train=dark, y_train=np.arange(len(dark)) % 2)
    predictions = evaluate_saved(run, "train", [f"data.path={tmp_path / 'dark.npz'}"]).predictions
    entries = cnntrain.load(run).predict(dark)
    np.testing.assert_allclose([e["probability"] for e in entries], predictions.confidence, atol=1e-5)


def test_other_kinds_of_images_follow_one_rule_or_are_refused(make_run, tmp_path):
    images, labels = dark_and_bright(np.uint16, 140, 540)
    run, _ = make_run(images, labels)
    model = cnntrain.load(run)
    (wanted,) = model.predict(images[0])
    (fractions,) = model.predict(images[0] / 65535)
    assert fractions["probability"] == pytest.approx(wanted["probability"], abs=1e-5)
    with pytest.raises(DataError, match="holds uint8, but 65,535 was white in the training images"):
        model.predict((images[0] // 256).astype(np.uint8))
    Image.fromarray(images[0]).save(tmp_path / "deep.png")
    with Image.open(tmp_path / "deep.png") as opened:
        for image in (tmp_path / "deep.png", Image.fromarray(images[0]), opened):
            with pytest.raises(ImageError, match="would keep 8 of its 16 bits"):
                model.predict(image)
    gray = Image.fromarray(np.full((6, 6), 51, np.uint8))  # of an image file, 255 is always white
    assert model.predict(gray)[0]["probability"] == pytest.approx(
        model.predict(np.full((6, 6), 13107, np.uint16))[0]["probability"], abs=1e-5
    )


def test_arrays_of_another_size_are_resized_without_rounding(make_run):
    images, labels = dark_and_bright(np.uint16, 140, 540)
    run, _ = make_run(images, labels)
    model = cnntrain.load(run)
    for image in images[:4]:
        large = image.repeat(2, axis=0).repeat(2, axis=1)
        smooth = np.full((12, 12), image.mean()).astype(np.uint16)
        assert model.predict(large)[0]["class"] == model.predict(image)[0]["class"]
        np.testing.assert_allclose(
            model.predict(smooth)[0]["probability"], model.predict(smooth[:6, :6])[0]["probability"], atol=1e-5
        )


def forget_white(path):
    """Make a weights file as earlier versions wrote it."""
    with safe_open(path, "numpy") as file:
        about = json.loads(file.metadata()["cnntrain"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for key in ("white", "floats"):
        del about["preprocessing"][key]
    save_file(tensors, path, {"cnntrain": json.dumps(about)})


@pytest.mark.parametrize("kind", ["16 bits", "8 bits"])
def test_weights_of_earlier_versions_are_used_as_before(make_run, kind):
    dtype, low, high, _ = KINDS[kind]
    images, labels = dark_and_bright(dtype, low, high)
    run, _ = make_run(images, labels)
    predictions = evaluate_saved(run, "test").predictions
    forget_white(run / "weights.safetensors")
    model = cnntrain.load(run)
    assert model.preprocessing.scale == UNKNOWN
    np.testing.assert_array_equal(evaluate_saved(run, "test").predictions.confidence, predictions.confidence)
    if kind == "16 bits":
        with pytest.raises(DataError, match=r"whole numbers must lie in 0\.\.255"):
            model.predict(images)
    else:
        entries = model.predict(images[: len(images) // 2])
        np.testing.assert_allclose([e["probability"] for e in entries], predictions.confidence, atol=1e-5)


def test_a_run_of_17_shades_that_an_earlier_version_began_resumes(make_run, monkeypatch):
    """It read them as bytes, and so it does to its end."""
    from cnntrain.data import pixels
    from cnntrain.data.preprocessing import Preprocessing

    with monkeypatch.context() as earlier:
        earlier.setattr("cnntrain.data.dataset.measure_scale", lambda arrays, **_: pixels.BYTES)
        to_dict = Preprocessing.to_dict
        earlier.setattr(
            Preprocessing, "to_dict", lambda self: {k: v for k, v in to_dict(self).items() if k in ("mean", "std")}
        )
        run, _ = make_run(*dark_and_bright(np.uint8, 4, 16))
    list(resume_run(run, ["training.Max=2"], plots=False))
    assert cnntrain.load(run).preprocessing.scale == Scale(255)
    list(resume_run(run, ["training.Max=3"], plots=False))


@pytest.mark.parametrize("count", [1, 3, 7])
def test_rows_of_pixels_are_as_many_images(make_model, count):
    for shape in ((1, 4, 6), (3, 4, 6)):
        model = make_model(shape)
        images = np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)
        assert model.predict(images.reshape(count, -1)) == model.predict(images)


def test_rows_of_pixels_that_could_be_one_image(make_model):
    model = make_model((1, 4, 6))
    rows = np.random.default_rng(0).integers(0, 256, (24, 24), dtype=np.uint8)
    with pytest.raises(
        DataError, match=r"could be one image or 24 rows of 1 x 4 x 6 pixels; reshape it to \(1, 24, 24\)"
    ):
        model.predict(rows)
    assert len(model.predict(rows[None])) == 1
    assert len(model.predict(rows.reshape(-1, 1, 4, 6))) == 24
