"""Label smoothing and class weights affect the objective, but not the evaluation."""

import json

import numpy as np
import pytest

import cnntrain
from cnntrain.builder import build_for, load_config_data
from cnntrain.errors import DivergedError

SOFTMAX = [{"fc": {"activation": "softmax"}}]
TERMS = [{"label_smoothing": 0.2}, {"class_weights": [0.2, 1.0, 5.0]}, {"class_weights": "balanced"}]


@pytest.mark.parametrize("terms", TERMS, ids=str)
def test_the_training_loss_is_that_of_J_and_the_others_are_plain(tiny_config, record, tmp_path, terms):
    """One step with a full batch: the loss while it runs is J before it."""
    options = {"layers": SOFTMAX, "batch_size": "all", "Max": 1, "dtype": "float64", "data": {"validation": 0.35}}
    config = tiny_config(**options, **terms)
    run = record(config, tmp_path / "run")
    data, plain = load_config_data(config), build_for(tiny_config(**options), load_config_data(config))
    columns = np.empty((5, 1, 5, len(data.train)))
    data.preprocessing.columns(data.train.gather(np.arange(len(data.train))), columns)
    x = columns.transpose(3, 1, 0, 2)
    J, _, _ = build_for(config, data).loss_and_gradients(x, data.train.labels)
    plain_J, _, _ = plain.loss_and_gradients(x, data.train.labels)
    (line,) = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert line["train_loss"] == pytest.approx(J, rel=1e-12)
    assert abs(J - plain_J) > 1e-4
    plain.set_parameters(run.parameters[-1])
    assert run.result["train"]["loss"] == pytest.approx(plain.loss_and_gradients(x, data.train.labels)[0], rel=1e-12)
    for split in ("train", "validation", "test"):
        assert cnntrain.evaluate(tmp_path / "run", split)["loss"] == run.result[split]["loss"]


@pytest.mark.parametrize("terms", TERMS, ids=str)
def test_saved_weights_need_no_class_counts(tiny_config, record, tmp_path, terms):
    record(tiny_config(layers=SOFTMAX, Max=1, **terms), tmp_path / "run")
    assert cnntrain.load(tmp_path / "run").parameters().keys() == {"layers.0.W", "layers.0.b"}
    assert cnntrain.gradcheck(tmp_path / "run")["passed"]


def test_a_weight_beyond_all_numbers_ends_like_any_loss_that_is_not_finite(tiny_config, tmp_path):
    with pytest.raises(DivergedError, match="the loss is not finite"):
        cnntrain.train(tiny_config(layers=SOFTMAX, class_weights=[1.0, 1e300, 1.0]), tmp_path / "run", plots=False)


def test_a_rare_class_is_found_where_it_weighs_more(make_config, tmp_path):
    """Two classes that overlap, one of them in a twentieth of the samples."""
    rng = np.random.default_rng(0)
    labels = (np.arange(400) % 20 == 0).astype(int)
    images = np.clip(rng.normal(100 + 40 * labels[:, None, None], 40, (400, 2, 2)), 0, 255).astype(np.uint8)
    np.savez(tmp_path / "rare.npz", images=images, labels=labels)
    found = []
    for weights in (None, "balanced"):
        config = make_config(
            SOFTMAX,
            data={"source": "npz", "path": str(tmp_path / "rare.npz")},
            class_weights=weights,
            optimizer="adam",
            alpha=0.05,
        )
        cnntrain.train(config, tmp_path / str(weights), plots=False)
        rows = cnntrain.evaluate(tmp_path / str(weights), "train")["per_class"]
        found.append(rows[1]["recall"])
    assert found[1] > found[0] + 0.3
