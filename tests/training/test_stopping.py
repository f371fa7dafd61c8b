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
        state.end_epoch(changes[epoch - 1] if changes else 1.0, loss, options)
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
    with pytest.raises(ConfigError, match=r"training.patience: patience needs a validation split.*'validation: 0.1'"):
        make_config([{"fc": {"activation": "softmax"}}], data={"source": "digits"}, patience=3)
    config = tiny_config()
    patient = config.training.model_copy(update={"patience": 3})
    with pytest.raises(ConfigError, match=r"training.patience: patience needs a validation split"):
        cnntrain.train(config.model_copy(update={"training": patient}), tmp_path / "run", plots=False)
    assert not (tmp_path / "run").exists()


def test_an_improvement_below_min_delta_does_not_count():
    assert reasons([5, 4.95, 4.91, 1], Max=99, patience=2, min_delta=0.1) == ["", "", "patience"]
    assert reasons([5, 4.95, 4.89, 4.85, 4.84], Max=99, patience=2, min_delta=0.1) == [""] * 4 + ["patience"]


def factors(losses, **options):
    """The factor of alpha after each epoch."""
    state, options, found = TrainState(), TrainingOptions(schedule="plateau", Max=99, **options), []
    for loss in losses:
        state.end_epoch(1.0, loss, options)
        found.append(state.factor(options))
    return found


def test_plateau_lowers_alpha_after_epochs_without_improvement():
    losses = [5, 4, 4, 4, 3, 3, 3, 3, 3]
    assert factors(losses, plateau_patience=2, step_factor=0.5) == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]
    assert factors([5, 4.95, 4.9], plateau_patience=2, min_delta=1, step_factor=0.5) == [1, 1, 0.5]


def test_a_run_with_plateau_lowers_alpha_and_resumes_to_the_same_bits(tiny_config, record, tmp_path):
    options = {"schedule": "plateau", "plateau_patience": 1, "alpha": 1.0, "momentum": 0.9, "step_factor": 0.5}
    config = tiny_config(data={"validation": 0.3}, Max=8, **options)
    whole = record(config, tmp_path / "whole")
    rates = [event.alpha for event in whole.of("EpochEnded")]
    losses = [event.validation_loss for event in whole.of("EpochEnded")]
    reductions = sum(loss >= min(losses[:i]) for i, loss in enumerate(losses) if i)
    assert rates[-1] == rates[0] * 0.5 ** (reductions - (losses[-1] >= min(losses[:-1])))
    assert reductions > 1
    cnntrain.train(
        config.model_copy(update={"training": config.training.model_copy(update={"Max": 4})}), tmp_path / "cut"
    )
    cnntrain.resume(tmp_path / "cut", ["training.Max=8"], plots=False)
    first, second = (cnntrain.load(tmp_path / run).parameters() for run in ("whole", "cut"))
    assert all((first[name] == second[name]).all() for name in first)


def test_best_by_accuracy_selects_the_epoch_with_the_highest_accuracy(tiny_config, record, tmp_path):
    config = tiny_config(data={"validation": 0.3}, alpha=1.0, momentum=0.9, Max=12, best_by="accuracy", patience=4)
    run = record(config, tmp_path / "run")
    accuracies = [event.validation_accuracy for event in run.of("EpochEnded")]
    losses = [event.validation_loss for event in run.of("EpochEnded")]
    best = accuracies.index(max(accuracies))
    assert run.result["best"] == {
        "epoch": best + 1,
        "loss": losses[best],
        "accuracy": pytest.approx(accuracies[best], abs=1e-15),
    }
    saved = cnntrain.load(tmp_path / "run" / "best.safetensors").parameters()
    assert all((saved[name] == value).all() for name, value in run.parameters[best + 1].items())
    assert run.result["epochs"] == min(12, best + 5)


@pytest.mark.parametrize(("key", "value"), [("best_by", "accuracy"), ("schedule", "plateau"), ("patience", 3)])
def test_what_needs_a_validation_split_says_so(tiny_config, tmp_path, key, value):
    config = tiny_config()
    config = config.model_copy(update={"training": config.training.model_copy(update={key: value})})
    with pytest.raises(ConfigError, match=rf"training.{key}: {key} needs a validation split, and no samples"):
        cnntrain.train(config, tmp_path / "run", plots=False)


def test_min_delta_alone_means_nothing(make_config):
    with pytest.raises(ConfigError, match="min_delta only applies with patience or schedule plateau; leave it out"):
        make_config([{"fc": {"activation": "softmax"}}], data={"source": "digits"}, min_delta=0.1)


def test_a_state_without_the_newer_fields_is_read():
    content = TrainState(epoch=3).to_json()
    del content["reductions"], content["epochs_on_plateau"]
    assert TrainState.from_json(content) == TrainState(epoch=3)
    del content["rollbacks"]
    with pytest.raises(ValueError, match="expected the keys"):
        TrainState.from_json(content)
