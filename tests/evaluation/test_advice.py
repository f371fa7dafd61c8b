"""What a run is advised to try: each rule fires where it should, and nowhere else."""

import json

import pytest

import cnntrain
from cnntrain.cli.views.training_text import result_lines
from cnntrain.config import config_from_dict, load_config
from cnntrain.errors import StorageError
from cnntrain.evaluation.advice import MAX_ADVICE, advise
from cnntrain.evaluation.figures import Figures, standard_error
from cnntrain.runs.folder import RunFolder
from cnntrain.runs.history import History

CLASSES = ("cat", "dog", "horse", "a class with a name that is much too long for a line")


def scored(accuracy, samples=1000, loss=0.3):
    return {"loss": loss, "accuracy": accuracy, "samples": samples}


def a_run(train=0.97, validation=0.965, test=0.965, best=8, epochs=10, best_loss=0.29, stop="max", samples=1000):
    held_out = {"validation": validation, "test": test}
    return {
        "stop": stop,
        "epochs": epochs,
        "best": {"epoch": best, "loss": best_loss},
        "train": scored(train, loss=0.1),
        **{split: None if value is None else scored(value, samples) for split, value in held_out.items()},
    }


def evaluated(split="test", accuracy=0.965, per_class=(), confused=(), samples=1000):
    rows = [{"class": name, "support": n, "precision": 0.9 if was else None} for name, n, was in per_class]
    pairs = [{"true": true, "predicted": chosen, "samples": n} for true, chosen, n in confused]
    return {"split": split, **scored(accuracy, samples), "classes": CLASSES, "per_class": rows, "confused": pairs}


def rules(run=None, overrides=(), history=(), evaluation=None, config="digits"):
    figures = Figures(load_config(config, overrides), (1, 16, 16), CLASSES, run, History(history), evaluation)
    return {line["rule"]: line for line in advise(figures)}


def test_a_run_that_went_well_gets_no_advice():
    assert rules(a_run()) == {}
    assert rules(a_run(train=1.0, validation=0.99, test=0.996, best=1, best_loss=0.001)) == {}


@pytest.mark.parametrize("stop", ["interrupted", "diverged", "failed"])
def test_a_run_that_did_not_end_gets_none(stop):
    assert rules(a_run(train=1.0, test=0.7, validation=0.7, stop=stop)) == {}


CROP, DROPOUT = "training.augmentation.crop=1", "network.layers=[dropout: {rate: 0.5}, fc: {activation: softmax}]"
TWO_FC = "network.layers=[dropout: {rate: 0.5}, fc: {units: 9}, fc: {activation: softmax}]"
IN_A_BLOCK = "network.layers=[residual: {layers: [dropout: {rate: 0.5}]}, fc: {activation: softmax}]"


@pytest.mark.parametrize(
    ("overrides", "key", "words"),
    [
        ([], "training.augmentation", "try training.augmentation.crop=2: train 99.0 %, held out 81.0 %: it overfits"),
        ([CROP], "network.layers", "try dropout in network.layers: train"),
        ([CROP, DROPOUT], "training.l2", "try training.l2=1e-4: train"),
        ([CROP, TWO_FC, "training.l2=0.001"], "network.layers", "try fewer units in network.layers: train"),
        ([CROP, IN_A_BLOCK], "training.l2", "try training.l2=1e-4: train"),
    ],
)
def test_overfitting_names_the_next_regularization_that_is_unused(overrides, key, words):
    line = rules(a_run(train=0.99, validation=0.8, test=0.81), overrides)["overfitting"]
    assert line["key"] == key
    assert line["text"].startswith(words)


@pytest.mark.parametrize(
    ("overrides", "per_class", "key"),
    [
        ([], 100, "data.features"),
        ([], 250, "training.augmentation"),
        (["data.features={backbone: efficientnet-lite0}"], 100, "training.l2"),
        (["data.features={backbone: efficientnet-lite0}", "training.l2=0.01"], 100, "data.path"),
        (["data.features={backbone: efficientnet-lite0}", "training.optimizer=adamw"], 100, "data.path"),
    ],
)
def test_few_photos_need_pretrained_features(tmp_path, overrides, per_class, key):
    data = {"source": "images", "path": str(tmp_path)}
    content = {"data": data, "network": {"layers": [{"fc": {"activation": "softmax"}}]}}
    run = a_run(train=0.99, validation=0.8, test=0.81)
    run["train"]["samples"] = per_class * len(CLASSES)
    figures = Figures(config_from_dict(content, "test", overrides), (3, 16, 16), CLASSES, run)
    assert [line["key"] for line in advise(figures) if line["rule"] == "overfitting"] == [key]


@pytest.mark.parametrize(("samples", "fires"), [(1000, True), (30, False)])
def test_a_gap_that_may_be_chance_is_none(samples, fires):
    found = rules(a_run(train=0.99, validation=None, test=0.95, samples=samples))
    assert ("overfitting" in found) == fires


def test_both_wrong():
    line = rules(a_run(train=0.71, validation=0.7, test=0.7))["underfitting"]
    assert line["text"] == "try a larger K in network.layers: train 71.0 %, held out 70.0 %: it underfits"
    assert "underfitting" not in rules(a_run(train=0.95, validation=0.94, test=0.94))
    assert "underfitting" not in rules(a_run(train=0.8, validation=0.6, test=0.6))


@pytest.mark.parametrize(
    ("layers", "overrides", "key", "words"),
    [
        ("[fc: {activation: softmax}]", [], "network.layers", "try one more fc in network.layers: train"),
        (
            "[fc: {units: 9}, fc: {activation: softmax}]",
            [],
            "network.layers",
            "try more units in network.layers: train",
        ),
        (
            "[residual: {layers: [conv: {K: 1, F: 3, P: 1}]}, fc: {activation: softmax}]",
            [],
            "network.layers",
            "try a larg",
        ),
        ("[conv: {K: 4, F: 3}, fc: {activation: softmax}]", ["network.freeze=1"], "network.freeze", "try a lower netw"),
    ],
)
def test_underfitting_names_what_the_network_has(layers, overrides, key, words):
    line = rules(a_run(train=0.71, validation=0.7, test=0.7), [f"network.layers={layers}", *overrides])["underfitting"]
    assert line["key"] == key
    assert line["text"].startswith(words)


def test_a_small_folder_of_photos_that_was_not_learned_needs_features(tmp_path):
    content = {"data": {"source": "images", "path": str(tmp_path)}, "network": {"layers": [{"fc": {}}]}}
    content["network"]["layers"][0]["fc"] = {"activation": "softmax"}
    run = a_run(train=0.72, validation=0.7, test=0.7)
    run["train"]["samples"] = 400
    for overrides, key in ([], "data.features"), (["data.features={backbone: efficientnet-lite0}"], "network.layers"):
        figures = Figures(config_from_dict(content, "test", overrides), (3, 16, 16), CLASSES, run)
        assert [line["key"] for line in advise(figures) if line["rule"] == "underfitting"] == [key]


@pytest.mark.parametrize("crop_fits", [True, False])
def test_images_of_one_row_are_not_shifted(crop_fits):
    config = load_config("digits")
    figures = Figures(config, (1, 16 if crop_fits else 1, 64), CLASSES, a_run(train=0.99, validation=0.8, test=0.81))
    assert (advise(figures)[0]["key"] == "training.augmentation") == crop_fits


def test_a_loss_that_was_still_falling():
    line = rules(a_run(best=10))["more_epochs"]
    assert line["text"] == "try training.Max=20: epoch 10 of 10 was best, so the loss was still falling"
    by_accuracy = rules(a_run(best=10), ["training.best_by=accuracy"])["more_epochs"]
    assert by_accuracy["text"] == "try training.Max=20: epoch 10 of 10 was best, so accuracy was still rising"
    assert "more_epochs" not in rules(a_run(best=9))
    assert "more_epochs" not in rules(a_run(best=10, stop="patience"))


@pytest.mark.parametrize(
    ("overrides", "rule"),
    [
        (["training.schedule=one_cycle"], "schedule_finished"),
        (["training.schedule=cosine"], "schedule_finished"),
        (["training.schedule=constant"], "more_epochs"),
    ],
)
def test_a_schedule_at_its_end_needs_a_new_run(overrides, rule):
    history = [{"alpha": alpha} for alpha in (0.05, 0.1, 0.0001)]
    assert list(rules(a_run(best=10), overrides, history)) == [rule]


@pytest.mark.parametrize(
    ("best", "best_loss", "overrides", "fires"),
    [(3, 0.1, [], True), (6, 0.1, [], False), (3, 0.299, [], False), (3, 0.1, ["training.patience=5"], False)],
)
def test_a_best_epoch_of_long_ago(best, best_loss, overrides, fires):
    found = rules(a_run(best=best, best_loss=best_loss), overrides)
    assert ("best_epoch_long_ago" in found) == fires
    if fires:
        text = found["best_epoch_long_ago"]["text"]
        assert text == "try training.patience=2: epoch 3 of 10 was best (best.safetensors)"


def test_few_validation_samples():
    few = a_run(samples=24, train=0.9, validation=0.88, test=0.88)
    assert rules(few)["few_validation_samples"]["text"] == (
        "raise data.validation: 24 validation samples tell accuracy to ±14 points only"
    )
    assert "few_validation_samples" not in rules(few, ["data.validation=0.4"])
    none = rules(a_run(validation=None))["few_validation_samples"]
    assert (none["key"], none["text"][:28]) == ("data.validation", "try data.validation=0.1: no ")


@pytest.mark.parametrize(
    ("held_out", "train", "share", "words"),
    [
        (30, 270, 0.1, "raise data.validation: 30 validation samples"),
        (30, 100, 0.1, "add images to data.path: 30 validation samples"),
        (30, 45, 0.4, "add images to data.path: 30 validation samples"),
    ],
)
def test_a_validation_split_that_the_folder_has_cannot_be_raised(tmp_path, held_out, train, share, words):
    assert advice_on_a_folder(tmp_path, held_out, train, f"data.validation={share}")["few_validation_samples"][
        "text"
    ].startswith(words)


def advice_on_a_folder(folder, held_out, train, *overrides, evaluation=None):
    content = {
        "data": {"source": "images", "path": str(folder)},
        "network": {"layers": [{"fc": {"activation": "softmax"}}]},
    }
    run = a_run(train=0.97, validation=0.96, test=0.96, samples=held_out)
    run["train"]["samples"] = train
    figures = Figures(config_from_dict(content, "test", overrides), (3, 16, 16), CLASSES, run, evaluation=evaluation)
    return {line["rule"]: line for line in advise(figures)}


def test_a_class_that_is_never_predicted(tmp_path):
    per_class = [("cat", 40, True), ("dog", 12, False), (CLASSES[3], 30, False), ("horse", 0, False)]
    line = rules(evaluation=evaluated(per_class=per_class))["never_predicted"]
    assert line["text"] == ('try training.class_weights=balanced: "a cla…line" is never predicted, nor 1 more')
    report = evaluated(per_class=per_class)
    assert "never_predicted" not in rules(None, ["training.class_weights=balanced"], (), report)
    weighted = advice_on_a_folder(tmp_path, 100, 900, "training.class_weights=balanced", evaluation=report)
    assert weighted["never_predicted"]["key"] == "data.path"
    assert rules(evaluation=evaluated(per_class=per_class[:1])) == {}


@pytest.mark.parametrize(
    ("confused", "fires"),
    [
        ([("cat", "dog", 9), ("dog", "cat", 8), ("horse", "cat", 3)], True),
        ([("cat", "dog", 3), ("dog", "cat", 3), ("horse", "cat", 3)], False),
        ([("cat", "dog", 4)], False),
    ],
)
def test_a_pair_that_is_mixed_up(tmp_path, confused, fires):
    report = evaluated(confused=confused)
    for found, words in (
        (rules(evaluation=report), "try a larger K in network.layers"),
        (advice_on_a_folder(tmp_path, 300, 900, evaluation=report), "check labels in data.path"),
        (advice_on_a_folder(tmp_path, 300, 900, "data.size=16", evaluation=report), "try a larger data.size"),
    ):
        assert ("confused_pair" in found) == fires
        if fires:
            assert found["confused_pair"]["text"] == f'{words}: 17 of 35 errors mix up "cat" and "dog"'


@pytest.mark.parametrize("one", ["cat", "a class with a name that is much too long for a line", "{}"])
def test_every_line_fits_into_80_columns(tmp_path, one):
    report = evaluated(
        accuracy=0.6, per_class=[(one, 1100, False), ("dog", 12, False)], confused=[(one, "other " + one, 390)]
    )
    for overrides in ([], ["training.class_weights=balanced"], ["data.size=16"]):
        found = advice_on_a_folder(tmp_path, 300, 900, *overrides, evaluation=report)
        assert {"never_predicted", "confused_pair"} <= set(found)
        assert max(len(line["text"]) for line in found.values()) <= 80
    runs = [a_run(1.0, 0.8, 0.8, best, 100, 0.1) for best in (10, 100)] + [a_run(0.55, 0.55, 0.55, 99, 99)]
    for run in runs:
        for overrides in ([], [CROP], [CROP, DROPOUT], [CROP, DROPOUT, "training.l2=1"]):
            for schedule in ("constant", "one_cycle"):
                history = [{"alpha": 0.05}, {"alpha": 0.0001}]
                found = rules(run, [*overrides, f"training.schedule={schedule}"], history)
                assert max(len(line["text"]) for line in found.values()) <= 80


@pytest.mark.parametrize(
    ("losses", "alpha"),
    [
        ((2.4, 2.0, 1.5), "1"),
        ((900.0, 30.0, 1.4), "0.01"),
        ((2.3, 2.31, 2.3), "0.01"),
        ((), "0.01"),
        ((2.3, None), "0.01"),
    ],
)
def test_guessing_is_named_alone(losses, alpha):
    run = a_run(train=0.25, validation=0.25, test=0.25, best=10) | {"train": scored(0.25, loss=1.386)}
    history = [{} if loss is None else {"train_loss": loss} for loss in losses]
    (line,) = rules(
        run, ["training.alpha=0.1"], history, evaluated(accuracy=0.25, per_class=[("cat", 9, False)])
    ).values()
    assert line["text"] == f"try training.alpha={alpha}: loss 1.39 is no better than guessing among 4 classes"


def test_one_epoch_does_not_tell_whether_steps_are_too_large():
    run = a_run(train=0.25, validation=0.25, test=0.25, best=1, epochs=1) | {"train": scored(0.25, loss=1.386)}
    (line,) = rules(run, [], [{"train_loss": 1.5}]).values()
    assert line["text"] == "try training.Max=10: after 1 epoch, loss 1.39 is no better than guessing"
    (line,) = rules(run, ["training.alpha=5"], [{"train_loss": 150.0}]).values()
    assert line["key"] == "training.alpha"


def test_never_more_than_three_lines_and_the_most_valuable_first():
    bad = a_run(train=0.99, validation=0.6, test=0.6, best=2, best_loss=0.1, samples=40)
    report = evaluated(accuracy=0.6, per_class=[("dog", 12, False)], confused=[("cat", "dog", 9)], samples=40)
    assert list(rules(bad, evaluation=report)) == ["never_predicted", "overfitting", "best_epoch_long_ago"]
    assert MAX_ADVICE == 3


@pytest.mark.parametrize("split", ["train", "all"])
def test_samples_that_were_trained_on_do_not_count_as_held_out(split):
    report = evaluated(split, accuracy=0.7)
    assert "overfitting" not in rules(a_run(train=0.97, test=0.96), evaluation=report)


def test_the_standard_error_of_a_perfect_score_is_not_zero():
    assert standard_error(scored(1.0, 10)) == pytest.approx(0.0797, abs=1e-4)
    assert standard_error(scored(0.5, 98)) == pytest.approx(0.05)


def test_train_and_eval_give_the_same_advice_and_end_in_the_headline(tmp_path):
    config = load_config("digits", ["training.Max=2", "training.alpha=0.01", "training.workers=1"])
    result = cnntrain.train(config, out=tmp_path / "run")
    assert "more_epochs" in [line["rule"] for line in result["advice"]]
    assert cnntrain.evaluate(tmp_path / "run")["advice"] == result["advice"]
    lines = result_lines(result)
    assert lines[-1] == lines[1]
    assert lines[-1].startswith("test accuracy ")
    weights = cnntrain.evaluate(tmp_path / "run" / "weights.safetensors")
    assert {line["rule"] for line in weights["advice"]} <= {"never_predicted", "confused_pair"}


@pytest.mark.parametrize("damaged", ["summary.json", "metrics.jsonl"])
def test_damaged_files_of_a_run_give_less_advice_and_no_error(tmp_path, damaged):
    config = load_config("digits", ["training.Max=1", "training.workers=1"])
    cnntrain.train(config, out=tmp_path / "run", plots=False)
    (tmp_path / "run" / damaged).write_text('{"best": [[["')
    assert isinstance(cnntrain.evaluate(tmp_path / "run")["advice"], list)


def test_a_disk_that_is_full_for_the_advice_is_an_error_that_resume_repairs(tmp_path, monkeypatch):
    write = RunFolder.write_summary

    def fail(self, result):
        if result["advice"]:
            raise OSError(28, "No space left on device", str(self.summary))
        write(self, result)

    config = load_config("digits", ["training.Max=1", "training.workers=1"])
    cnntrain.train(config, out=tmp_path / "whole", plots=False)
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "write_summary", fail)
        with pytest.raises(StorageError, match="No space left on device; once that is fixed, cnntrain resume writes"):
            cnntrain.train(config, out=tmp_path / "run", plots=False)
    cnntrain.resume(tmp_path / "run", plots=False)
    whole, repaired = (json.loads((tmp_path / run / "summary.json").read_text()) for run in ("whole", "run"))
    assert repaired["advice"] == whole["advice"] != []
