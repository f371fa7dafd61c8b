"""``cnntrain diff`` names the first step at which two runs part, and the cause."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.config import config_from_dict
from cnntrain.errors import UsageError, WeightsError
from cnntrain.run_diff.diff import diff_runs
from cnntrain.run_diff.recorded import read_run
from cnntrain.training.checkpointing import provenance
from cnntrain.training.resume import resume_run

pytestmark = pytest.mark.slow


def files_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def train(tiny_config, record, tmp_path):
    """Trains on the tiny data, and returns the run folder."""

    def run(name, data=None, **changes):
        record(tiny_config(data=data, **changes), tmp_path / name)
        return tmp_path / name

    return run


@pytest.fixture
def changed(tiny, tmp_path):
    """Writes the tiny data with a change, and returns its path."""

    def write(change):
        arrays = dict(np.load(tiny))
        change(arrays)
        np.savez(tmp_path / "changed.npz", **arrays)
        return {"path": str(tmp_path / "changed.npz")}

    return write


def invert(arrays):
    arrays["x_train"][17] = 255 - arrays["x_train"][17]


def test_the_same_training_is_identical_to_the_last_bit(train):
    result = diff_runs(train("a"), train("b", workers=2, checkpoint_every="1 batches"))
    assert result["identical"]
    assert set(result["config"]) == {"training.workers", "training.checkpoint_every"}
    assert (result["first"], result["recorded"], result["cause"]) == (None, None, [])


def test_a_run_is_identical_to_itself(train):
    a = train("a")
    assert diff_runs(a, a)["identical"]


@pytest.mark.parametrize(
    ("change", "step", "stage", "tensor", "cause"),
    [
        ({"seed": 1}, 0, "initial weights", "layers.0.W", "training.seed"),
        pytest.param(
            {"dtype": "float64"}, 0, "initial weights", "layers.0.W", "training.dtype", marks=pytest.mark.slow
        ),
        ({"shuffle": False}, 1, "samples", "samples of the batch", "training.shuffle"),
        pytest.param(
            {"batch_size": 8}, 1, "samples", "samples of the batch", "training.batch_size", marks=pytest.mark.slow
        ),
        ({"data": {"standardize": False}}, 1, "input", "input", "data.standardize"),
        pytest.param(
            {"augmentation": {"crop": 1}}, 1, "input", "input", "training.augmentation.crop", marks=pytest.mark.slow
        ),
        ({"label_smoothing": 0.1}, 1, "loss", "losses", "training.label_smoothing"),
        pytest.param(
            {"reduction": "sum"}, 1, "backward", "layers.2.delta", "training.reduction", marks=pytest.mark.slow
        ),
        ({"alpha": 0.02}, 1, "update", "layers.0.W", "training.alpha"),
        pytest.param({"l2": 0.01}, 1, "update", "layers.0.W", "training.l2", marks=pytest.mark.slow),
        ({"momentum": 0.5}, 2, "update", "layers.0.W", "training.momentum"),
        ({"schedule": "step", "step_every": 1}, 4, "update", "layers.0.W", "training.schedule"),
    ],
)
def test_a_changed_key_is_named_with_the_first_differing_step(train, change, step, stage, tensor, cause):
    result = diff_runs(train("a"), train("b", **change))
    first = result["first"]
    assert not result["identical"]
    assert (first["step"], first["stage"], first["tensor"]) == (step, stage, tensor)
    assert (first["epoch"], first["batch"]) == ((0, 0) if step == 0 else ((step - 1) // 3 + 1, (step - 1) % 3 + 1))
    assert cause in result["cause"]
    assert set(result["cause"]) - {"training.step_every", "training.step_factor"} == {cause}


def test_max_is_a_cause_only_where_the_learning_rate_depends_on_it(train):
    a = train("a", l2=0.01)
    assert diff_runs(a, train("b", Max=2))["cause"] == ["training.l2"]
    c, d = (train(f"cosine-{Max}", schedule="cosine", Max=Max) for Max in (2, 3))
    result = diff_runs(c, d)
    assert (result["first"]["step"], result["cause"]) == (2, ["training.Max"])


def test_mixed_labels_and_layers_inside_residual_blocks_are_compared(train):
    layers = [
        {"conv": {"K": 2, "F": 3, "P": 1}},
        {"residual": {"layers": [{"dropout": {"rate": 0.5}}, {"conv": {"K": 2, "F": 3, "P": 1}}]}},
        {"fc": {"activation": "softmax"}},
    ]
    a = train("a", layers=layers, augmentation={"mixup": 0.4})
    b = train("b", layers=layers, augmentation={"mixup": 0.5})
    result = diff_runs(a, b)
    assert (result["first"]["step"], result["first"]["stage"]) == (1, "input")
    assert result["cause"] == ["training.augmentation.mixup"]
    layers[1]["residual"]["layers"][0] = {"dropout": {"rate": 0.25}}
    c = train("c", layers=layers, augmentation={"mixup": 0.4})
    assert diff_runs(a, c)["first"]["tensor"] == "layers.1.0.mask"


@pytest.mark.parametrize(
    ("change", "stage", "tensor"),
    [
        ({"alpha": 0.02}, "update", "layers.1.0.W"),
        ({"label_smoothing": 0.1}, "loss", "losses"),
        ({"reduction": "sum"}, "backward", "layers.2.delta"),
        ({"freeze": 0}, "update", "layers.0.W"),
        ({"dropout": 0.25}, "forward", "layers.1.1.a"),
    ],
)
def test_runs_with_frozen_layers_are_compared(tiny_config, record, tmp_path, change, stage, tensor):
    def layers(rate=0.5):
        inside = [{"conv": {"K": 2, "F": 3, "P": 1}}, {"dropout": {"rate": rate}}]
        return [
            {"conv": {"K": 2, "F": 3, "P": 1, "activation": "relu"}},
            {"residual": {"layers": inside, "activation": "relu"}},
            {"fc": {"activation": "softmax"}},
        ]

    record(tiny_config(layers(), Max=1), tmp_path / "start")
    for name, changes in (("a", {}), ("b", dict(change))):
        freeze, rate = changes.pop("freeze", 1), changes.pop("dropout", 0.5)
        content = tiny_config(layers(rate), Max=1, **changes).resolved()
        content["network"] |= {"freeze": freeze, "start_from": str(tmp_path / "start")}
        record(config_from_dict(content, "a test"), tmp_path / name)
    first = diff_runs(tmp_path / "a", tmp_path / "b")["first"]
    assert (first["step"], first["stage"], first["tensor"]) == (1, stage, tensor)


def test_the_tensor_and_the_size_of_the_difference_are_those_of_the_step(train):
    """One step: what the runs saved is what the step left."""
    a, b = (train(name, Max=1, batch_size="all", alpha=alpha) for name, alpha in (("a", 0.01), ("b", 0.03)))
    first = diff_runs(a, b)["first"]
    weights = [load_file(run / "weights.safetensors")["layers.0.W"].astype(float) for run in (a, b)]
    assert first["difference"]["max_difference"] == pytest.approx(np.abs(weights[0] - weights[1]).max())
    assert first["difference"]["entries"] == weights[0].size
    assert first["difference"]["alpha"] == [0.01, 0.03]


def test_a_changed_image_is_named(train, changed):
    """With standardization, one image changes the mean, and with it the input of the first step."""
    result = diff_runs(train("a"), train("b", data=changed(invert)))
    (image,) = result["data"]["changed"]
    assert (image["split"], image["index"], image["of"]) == ("train", [17, 17], 25)
    assert (result["first"]["step"], result["first"]["stage"]) == (1, "input")
    assert result["cause"] == ["the data: train[17] (and with it mean and standard deviation of all)"]


def test_without_standardization_the_first_step_with_the_changed_image_is_found(train, changed, tiny):
    a = train("a", data={"standardize": False})
    b = train("b", data=changed(invert) | {"standardize": False})
    result = diff_runs(a, b)
    assert [row["index"] for row in result["first"]["samples"]] == [[17, 17]]
    assert result["cause"] == ["the data: train[17]"]
    assert result["first"]["difference"]["differing"] == np.count_nonzero(
        np.load(tiny)["x_train"][17] != 255 - np.load(tiny)["x_train"][17]
    )


def test_a_changed_label_is_named_with_its_classes(train, changed):
    def relabel(arrays):
        arrays["y_train"][5] = (arrays["y_train"][5] + 1) % 3

    result = diff_runs(train("a"), train("b", data=changed(relabel)))
    (row,) = result["data"]["relabeled"]
    assert (row["index"], row["classes"]) == ([5, 5], ["2", "0"])
    assert (result["first"]["stage"], result["first"]["samples"][0]["index"]) == ("labels", [5, 5])
    assert result["cause"] == ["the data: train[5]"]


def test_another_seed_moves_samples_between_the_splits(train):
    a, b = (train(name, data={"validation": 0.2}, seed=seed) for name, seed in (("a", 0), ("b", 1)))
    result = diff_runs(a, b)
    assert result["cause"] == ["training.seed"]
    assert result["data"]["changed"] == []
    assert {frozenset(row["splits"]) for row in result["data"]["moved"]} == {frozenset(("train", "validation"))}


def test_a_changed_file_of_a_folder_of_images_is_named(tmp_path, make_config, record):
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        for kind in ("cat", "dog"):
            (tmp_path / name / kind).mkdir(parents=True)
    for i in range(12):
        for kind in ("cat", "dog"):
            pixels = rng.integers(0, 255, (8, 8, 3)).astype(np.uint8)
            for name in ("one", "two"):
                Image.fromarray(pixels).save(tmp_path / name / kind / f"{i}é.png")
    runs = []
    for name in ("one", "two"):
        if name == "two":
            train_files = [
                line.split(",")[0]
                for line in (runs[0] / "split.csv").read_text().splitlines()
                if line.endswith("train")
            ]
            Image.new("RGB", (8, 8)).save(tmp_path / "two" / train_files[3])
        data = {"source": "images", "path": str(tmp_path / name), "standardize": False}
        config = make_config([{"fc": {"activation": "softmax"}}], data=data, batch_size=4, Max=2)
        record(config, tmp_path / f"run-{name}")
        runs.append(tmp_path / f"run-{name}")
    result = diff_runs(*runs)
    assert result["cause"] == [f"the data: {train_files[3]}"]
    (sample,) = result["first"]["samples"]
    assert sample["name"] == [train_files[3]] * 2
    shown = CliRunner().invoke(app, ["diff", *map(str, runs)])
    assert repr(train_files[3]) in shown.stdout


def test_a_longer_run_is_the_same_up_to_the_end_of_the_shorter(train):
    result = diff_runs(train("a"), train("b", Max=5))
    assert not result["identical"]
    assert (result["same_until"], result["first"], result["cause"]) == ([3, 3], None, ["training.Max"])


def test_an_extended_run_is_the_same_as_a_long_one(train):
    a, b = train("a"), train("b", Max=5)
    for _ in resume_run(a, ["training.Max=5"], plots=False):
        pass
    assert diff_runs(a, b)["identical"]


def test_the_replay_starts_at_a_common_checkpoint(train, tiny_config, record, tmp_path, monkeypatch):
    """Both go on from a copy of one run, with other keys."""
    a = train("a", checkpoint_every="1 batches")
    b = tmp_path / "b"
    shutil.copytree(a, b)
    for run, Max in ((a, 4), (b, 5)):
        for _ in resume_run(run, [f"training.Max={Max}"], plots=False):
            pass
    counted = []
    monkeypatch.setattr(
        "cnntrain.run_diff.lockstep.Replica.steps", lambda self: counted.append(self.position) or iter(())
    )
    diff_runs(a, b)
    assert set(counted) <= {(0, 0), (3, 2), (3, 3), (4, 2), (4, 3)}


def test_other_versions_are_the_cause_if_nothing_else_differs(train, tiny_config, record, tmp_path, monkeypatch):
    a = train("a")
    other = provenance.provenance() | {"NumPy": "1.0"}
    monkeypatch.setattr("cnntrain.training.checkpointing.manager.provenance", lambda: other)
    monkeypatch.setattr(
        "cnntrain.training.update.alpha_of", lambda t, steps, options: 0.010001 if t == 5 else options.alpha
    )
    b = train("b")
    monkeypatch.undo()
    result = diff_runs(a, b)
    assert result["versions"]["NumPy"][1] == "1.0"
    assert result["cause"] == ["the version of NumPy"]
    assert result["recorded"]["epoch"] == 2
    assert any(f"{b}: repeating its steps here gives other figures" in note for note in result["notes"])


def test_data_that_changed_in_place_after_a_run_are_named(train, tiny):
    a = train("a")
    arrays = dict(np.load(tiny))
    invert(arrays)
    arrays["y_train"][5] = (arrays["y_train"][5] + 1) % 3
    np.savez(tiny, **arrays)
    b = train("b")
    result = diff_runs(a, b)
    assert (result["first"], result["cause"]) == (None, ["the data: train[17], train[5]"])
    assert result["recorded"]["epoch"] == 1
    assert result["data"]["parts"] == ["train labels differ", "train images differ"]
    assert [row["index"] for row in result["data"]["changed"]] == [[17, 17]]
    assert [row["classes"] for row in result["data"]["relabeled"]] == [["2", "0"]]
    assert "no longer those" in result["notes"][0]
    assert result["notes"][0].endswith("since then, these have changed: train[17], train[5]")
    tiny.unlink()
    gone = diff_runs(a, b)
    assert "cannot be loaded" in gone["notes"][0]
    assert gone["cause"] == result["cause"]
    shown = show(a, b).stdout
    assert "1 image with other pixels: train[17]\n" in shown
    for damage in (b"", b"PK\x03\x04 no zip", (a / "samples.npz").read_bytes()[:-40]):
        (a / "samples.npz").write_bytes(damage)
        assert diff_runs(a, b)["cause"] == ["the data"]
    (a / "samples.npz").unlink()  # a run of an earlier version
    assert diff_runs(a, b)["cause"] == ["the data"]


def test_data_that_changed_after_two_equal_runs_are_no_cause(train, tiny):
    a, b = train("a"), train("b", alpha=0.02)
    arrays = dict(np.load(tiny))
    invert(arrays)
    np.savez(tiny, **arrays)
    result = diff_runs(a, b)
    assert result["cause"] == ["training.alpha"]
    assert result["notes"][0].endswith("since then, these have changed: train[17]")


def test_a_weights_file_that_was_changed_afterwards_is_named(train):
    a, b = train("a"), train("b", Max=4)
    shutil.copyfile(b / "weights.safetensors", a / "weights.safetensors")
    c = train("c")
    result = diff_runs(a, c)
    assert not result["identical"]
    assert "weights.safetensors: layers.0.W" in result["cause"][0]


def test_networks_of_other_sizes_part_before_the_first_step(train):
    layers = [{"fc": {"units": 4, "activation": "relu"}}, {"fc": {"activation": "softmax"}}]
    result = diff_runs(train("a"), train("b", layers=layers))
    assert result["first"]["difference"] == {"shapes": [[2, 1, 2, 2], [4, 25]]}
    assert all(cause.startswith("network.layers") for cause in result["cause"])


def test_runs_that_diverge_the_same_way_are_identical(tiny_config, record, tmp_path):
    for name in ("a", "b"):
        with pytest.raises(Exception, match="not finite"):
            record(tiny_config(alpha=1e25), tmp_path / name)
    assert diff_runs(tmp_path / "a", tmp_path / "b")["identical"]


def test_runs_that_rolled_back_are_repeated_up_to_there(make_config, record, tmp_path, monkeypatch):
    """Least squares on all samples: beyond some alpha every step makes the weights larger."""
    # The checkpoint of the rollback stays the last one before the end, however slow this machine is.
    monkeypatch.setattr("cnntrain.training.checkpointing.manager.MAX_TIME_SHARE", 1e9)
    for name, Max in (("a", 120), ("b", 160)):
        options = {"loss": "mse", "batch_size": "all", "alpha": 0.1, "on_divergence": "rollback", "Max": Max}
        record(make_config([{"fc": {"units": 10}}], data={"source": "digits"}, **options), tmp_path / name)
    result = diff_runs(tmp_path / "a", tmp_path / "b")
    assert read_run(tmp_path / "a").newest.state.rollbacks > 0
    assert (result["first"], result["same_until"], result["cause"]) == (None, [120, 1], ["training.Max"])
    (tmp_path / "b" / "checkpoint.previous.safetensors").unlink()  # the one that both have, after the rollback
    result = diff_runs(tmp_path / "a", tmp_path / "b")
    assert (result["first"], result["cause"]) == (None, ["training.Max"])
    assert result["same_until"] < [120, 1]
    assert "up to a rollback" in result["notes"][0]


def test_the_runs_do_not_change(train):
    a, b = train("a"), train("b", seed=3)
    before = files_of(a), files_of(b)
    diff_runs(a, b)
    assert (files_of(a), files_of(b)) == before


# --- the command -----------------------------------------------------------------------------------------------------


def show(*words):
    return CliRunner().invoke(app, ["diff", *map(str, words), "--progress", "none"])


def test_the_command_prints_the_step_the_cause_and_the_keys(train):
    a, b = train("a"), train("b", alpha=0.02)
    shown = show(a, b)
    assert shown.exit_code == 3
    lines = shown.stdout.splitlines()
    assert lines[0] == f"{a} and {b} part in epoch 1, batch 1 (step 1), in the update"
    assert lines[1].startswith("first tensor that differs: layers.0.W, 8 of 8 entries, by at most ")
    assert lines[1].endswith("; alpha is 0.05 and 0.02")
    assert "cause: training.alpha" in lines
    assert ["training.alpha", "0.05", "0.02"] in [line.split() for line in lines]


def test_of_many_causes_a_few_are_named(train):
    layers = [{"fc": {"units": 4, "activation": "relu"}} for _ in range(4)] + [{"fc": {"activation": "softmax"}}]
    a, b = train("a"), train("b", layers=layers)
    (line,) = [line for line in show(a, b).stdout.splitlines() if line.startswith("cause: ")]
    causes = diff_runs(a, b)["cause"]
    assert line.endswith(f" and {len(causes) - 5} more")
    assert line.count("network.layers") == 5


def test_identical_runs_are_status_0(train):
    a, b = train("a"), train("b")
    shown = show(a, b)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout == f"identical to the last bit: {a} and {b}, 3 epochs\n"
    assert json.loads(show(a, b, "--json").stdout)["identical"]


def test_what_cannot_be_compared_is_refused_in_one_sentence(train, tmp_path):
    a = train("a")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "begun").mkdir()
    shutil.copy(a / "config.yaml", tmp_path / "begun")
    for other, words in (
        (tmp_path / "empty", "holds no run"),
        (tmp_path / "nowhere", "no such run folder"),
        (tmp_path / "file", "no such run folder"),
        (tmp_path / "begun", "no checkpoint"),
        (a / "weights.safetensors", "name the run folder"),
    ):
        for pair in ((a, other), (other, a)):
            refused = show(*pair)
            assert (refused.exit_code, refused.stdout) == (2, "")
            assert words in refused.stderr
            assert len(refused.stderr.splitlines()) == 1
    for name in ("checkpoint.safetensors", "checkpoint.previous.safetensors"):
        content = (a / name).read_bytes()
        (a / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(WeightsError, match="damaged"):
        diff_runs(a, a)
    with pytest.raises(UsageError):
        diff_runs(tmp_path / "empty", a)
