"""Stopping criteria: Max, epsilon and patience."""

import json

import pytest

import cnntrain
from cnntrain.config.schema.training import TrainingOptions
from cnntrain.errors import ConfigError
from cnntrain.training.state import TrainState
from cnntrain.training.stopping import reason_to_stop


def reasons(losses, changes=None, **options):
    """What is said after each epoch, until the first that ends the run."""
    state, options, found = TrainState(), TrainingOptions(**options), []
    assert not reason_to_stop(state, options)
    for epoch, loss in enumerate(losses, start=1):
        state.end_epoch(changes[epoch - 1] if changes else 1.0, loss)
        found.append(reason_to_stop(state, options))
        if found[-1]:
            break
    return found


def test_max_is_the_last_iteration():
    assert reasons([1.0, 2.0, 3.0], Max=3) == ["", "", "max"]


def test_patience_counts_iterations_in_a_row_that_are_not_better():
    assert reasons([5, 4, 4, 3.9, 6, 3.9, 3.95, 1], Max=99, patience=3) == [""] * 6 + ["patience"]
    assert reasons([5, 6], Max=99, patience=1) == ["", "patience"]


def test_without_patience_nothing_is_too_bad():
    assert reasons([1.0] + [2.0] * 8, Max=9) == [""] * 8 + ["max"]


def test_epsilon_comes_first_then_patience():
    assert reasons([1, 2, 3], [1, 1, 0.01], Max=3, patience=2, epsilon=0.1) == ["", "", "epsilon"]
    assert reasons([1, 2, 3], Max=3, patience=2) == ["", "", "patience"]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_run_stops_when_its_validation_loss_got_no_better(tiny_config, record, tmp_path, workers):
    """The steps are far too long: the loss jumps about."""
    config = tiny_config(data={"validation": 0.3}, alpha=1.0, momentum=0.9, Max=60, patience=2, workers=workers)
    run = record(config, tmp_path / "run")
    losses = [event.validation_loss for event in run.of("EpochEnded")]
    best = losses.index(min(losses))
    assert run.result["stop"] == "patience"
    assert run.result["epochs"] == len(losses) == best + 3 < 60
    assert run.result["best"] == {"epoch": best + 1, "loss": losses[best]}
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["best"] == run.result["best"]
    for name, which in (("weights.safetensors", -1), ("best.safetensors", best + 1)):
        saved = cnntrain.load(tmp_path / "run" / name).parameters()
        for key, value in run.parameters[which].items():
            assert (saved[key] == value).all(), (name, key)
    # The figures at the end are those of the last weights.
    assert run.result["validation"]["loss"] == losses[-1]


def test_patience_needs_a_validation_split(make_config, tiny_config, tmp_path):
    with pytest.raises(ConfigError, match=r"training.patience: patience needs a validation loss.*'validation: 0.1'"):
        make_config([{"fc": {"activation": "softmax"}}], data={"source": "digits"}, patience=3)
    config = tiny_config()
    patient = config.training.model_copy(update={"patience": 3})
    with pytest.raises(ConfigError, match=r"training.patience: patience needs a validation loss"):
        cnntrain.train(config.model_copy(update={"training": patient}), tmp_path / "run", plots=False)
    assert not (tmp_path / "run").exists()
