"""Each trouble that is planted into a healthy config is found, by the check that is for it."""

from typing import Any

import numpy as np
import pytest

import cnntrain
from cnntrain.layers.fc import Fc
from cnntrain.network.objective import Objective
from cnntrain.weights import weights


def test_nothing_is_found_in_a_healthy_config(patient):
    assert patient.examine() == {}


def test_alpha_too_large(patient):
    patient.training["alpha"] = 50.0
    found = patient.examine()
    assert found["true labels"]["status"] == "fail"
    assert "alpha" in found["true labels"]["advice"]


def test_alpha_so_large_that_the_run_diverges(patient):
    patient.training["alpha"] = 1e25
    found = patient.examine()
    assert "diverged" in found["true labels"]["text"]
    assert found["step / W"]["status"] == "fail"


def test_alpha_too_small(patient):
    patient.training["alpha"] = 1e-7
    found = patient.examine()
    assert found["step / W"]["status"] == "fail"
    assert "raise training.alpha" in found["step / W"]["advice"]


def test_gradients_that_vanish(patient):
    patient.layers = [{"fc": {"units": 20, "activation": "sigmoid", "init": "normal"}} for _ in range(7)]
    patient.layers.append({"fc": {"activation": "softmax"}})
    found = patient.examine()
    assert found["overfitting 20 samples"]["status"] == "fail"
    assert found["step / W"]["status"] in ("warn", "fail")


def test_initial_outputs_that_are_too_large(patient):
    patient.layers = [{"fc": {"units": 30, "init": "he"}} for _ in range(9)]
    patient.layers.append({"fc": {"activation": "softmax", "init": "he"}})
    assert patient.examine()["initial loss"]["status"] in ("warn", "fail")


def test_penalty_that_outweighs_the_loss(patient):
    patient.training["l2"] = 2.0
    found = patient.examine()
    assert found["penalty"]["status"] == "fail"
    assert "l2=2" in found["penalty"]["text"]


def test_penalty_that_is_forgotten(patient, monkeypatch):
    monkeypatch.setattr(Objective, "penalty", lambda self, W: 0.0)
    assert patient.examine()["penalty"]["status"] == "fail"


def test_network_with_a_bottleneck(patient):
    patient.layers = [{"fc": {"units": 1, "activation": "sigmoid"}}, {"fc": {"activation": "softmax"}}]
    assert patient.examine()["overfitting 20 samples"]["status"] == "fail"


def test_wrong_gradient(patient, monkeypatch):
    backward = Fc.backward

    def without_the_last_sample(self: Fc, delta: Any, cache: Any, grads: Any, want_delta: bool = True) -> Any:
        delta_prev = backward(self, delta, cache, grads, want_delta)
        grads["W"] -= delta[:, -1:] @ cache.x[:, -1:].T
        return delta_prev

    monkeypatch.setattr(Fc, "backward", without_the_last_sample)
    found = patient.examine()
    assert found["gradients"]["status"] == "fail"
    assert "layers.3.W" in found["gradients"]["text"]


def test_random_labels(patient):
    patient.arrays["y_train"] = np.random.default_rng(0).permutation(patient.arrays["y_train"])
    assert patient.examine()["true labels"]["status"] == "fail"


def test_labels_that_reach_the_network_by_another_way(patient, monkeypatch):
    monkeypatch.setattr("cnntrain.sanity_checks.training_checks.balanced_shuffle", lambda labels, rng: labels)
    assert patient.examine()["shuffled labels"]["status"] == "fail"


def test_classes_out_of_balance(patient):
    rare = np.flatnonzero(patient.arrays["y_train"] == 4)[3:]
    for name in ("x_train", "y_train"):
        patient.arrays[name] = np.delete(patient.arrays[name], rare, axis=0)
    found = patient.examine()
    assert found["class balance"]["status"] == "warn"
    assert "3 (4)" in found["class balance"]["text"]
    patient.training["class_weights"] = "balanced"
    assert "class balance" not in patient.examine()


def test_test_images_that_are_also_training_images(patient):
    patient.arrays["x_test"][:20] = patient.arrays["x_train"][:20]
    patient.arrays["y_test"][:20] = patient.arrays["y_train"][:20]
    found = patient.examine()
    assert found["duplicates across splits"]["status"] == "fail"
    assert found["duplicates across splits"]["text"].startswith("20 of 200 held-out images are also")
    assert "train[0] = test[0]" in found["duplicates across splits"]["text"]


def test_one_image_with_two_labels(patient):
    patient.arrays["x_train"][7] = patient.arrays["x_train"][2]
    patient.arrays["y_train"][7] = (patient.arrays["y_train"][2] + 1) % 10
    found = patient.examine()
    assert found["contradicting labels"]["status"] == "warn"
    assert "train[2] = train[7]" in found["contradicting labels"]["text"]


def test_validation_split_too_small(patient):
    patient.data["validation"] = 0.01
    found = patient.examine()
    assert found["held-out samples"]["status"] == "fail"
    assert "8 validation" in found["held-out samples"]["text"]


def test_test_labels_that_are_numbered_otherwise(patient):
    patient.data["validation"] = 0.2
    patient.arrays["y_test"] = (patient.arrays["y_test"] + 1) % 10
    found = patient.examine()
    assert set(found) == {"true labels"}
    assert found["true labels"]["status"] == "fail"
    assert "(test)" in found["true labels"]["text"]
    assert "labels of the test split" in found["true labels"]["advice"]


def test_a_class_without_test_samples(patient):
    rare = np.flatnonzero(patient.arrays["y_test"] == 4)
    for name in ("x_test", "y_test"):
        patient.arrays[name] = np.delete(patient.arrays[name], rare, axis=0)
    found = patient.examine()
    assert set(found) == {"held-out samples"}
    assert "no test sample of '4'" in found["held-out samples"]["text"]


def test_nothing_held_out(patient):
    patient.arrays = {name: values for name, values in patient.arrays.items() if name.endswith("train")}
    assert set(patient.examine()) == {"held-out samples"}


def test_constant_channel(patient):
    for split in ("train", "test"):
        gray = patient.arrays[f"x_{split}"]
        patient.arrays[f"x_{split}"] = np.stack([gray, np.full_like(gray, 7), gray // 2], axis=1)
    patient.data["layout"] = "NCHW"
    found = patient.examine()
    assert found["channels"]["status"] == "warn"
    assert "channel 1 of 3 is constant" in found["channels"]["text"]


def test_images_that_are_nearly_black(patient):
    for split in ("train", "test"):
        patient.arrays[f"x_{split}"] = (patient.arrays[f"x_{split}"] // 20).astype(np.uint8)
    assert patient.examine()["pixel scale"]["status"] == "warn"


def test_inverted_test_images(patient):
    patient.arrays["x_test"] = 255 - patient.arrays["x_test"]
    found = patient.examine()
    assert found["similar splits"]["status"] in ("warn", "fail")
    assert "mean pixel of test" in found["similar splits"]["text"]


def test_sorted_samples_that_are_not_shuffled(patient):
    order = np.argsort(patient.arrays["y_train"], kind="stable")
    for name in ("x_train", "y_train"):
        patient.arrays[name] = patient.arrays[name][order]
    patient.training["shuffle"] = False
    found = patient.examine()
    assert found["order of samples"]["status"] == "fail"
    assert "shuffle=true" in found["order of samples"]["advice"]


@pytest.fixture
def run(patient):
    """The folder of a run that goes well."""
    cnntrain.train(cnntrain.load_config(patient.write()), patient.folder / "run", plots=False)
    return patient.folder / "run"


def spoil(run, change):
    """Change the weights of a run."""
    saved = weights.load_saved(run)
    state = saved.network.state()
    change(state)
    saved.network.set_state(state)
    data = cnntrain.builder.load_config_data(saved.config)
    weights.save(run / "weights.safetensors", saved.network, saved.config, data)


def test_nothing_is_found_in_a_healthy_run(patient, run):
    assert patient.examine(run) == {}


def test_dead_relus_of_a_run(patient, run):
    spoil(run, lambda state: state["layers.2.b"].__isub__(1000))
    found = patient.examine(run)
    assert found["dead ReLUs"]["status"] == "fail"
    assert "100% dead, in layers.2" in found["dead ReLUs"]["text"]


def test_saturated_units_of_a_run(patient):
    patient.layers = [{"fc": {"units": 30, "activation": "tanh"}}, {"fc": {"activation": "softmax"}}]
    cnntrain.train(cnntrain.load_config(patient.write()), patient.folder / "run", plots=False)
    spoil(patient.folder / "run", lambda state: state["layers.0.W"].__imul__(1000))
    assert patient.examine(patient.folder / "run")["saturated units"]["status"] == "fail"


def test_a_run_that_diverged(patient):
    patient.training["alpha"] = 1e25
    with pytest.raises(cnntrain.CnntrainError):
        cnntrain.train(cnntrain.load_config(patient.write()), patient.folder / "run", plots=False)
    found = patient.examine(patient.folder / "run")
    assert "diverged" in found["end of the run"]["text"]
    assert "cnntrain replay" in found["end of the run"]["advice"]
