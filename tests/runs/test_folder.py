"""What a run leaves behind, and that it never touches what is there."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

import cnntrain
from cnntrain.builder import load_config_data
from cnntrain.data.image_folder import split_file
from cnntrain.errors import DataError, UsageError
from cnntrain.evaluation.report import evaluate_network
from cnntrain.runs import folder as run_folder
from cnntrain.runs.folder import SPLIT_FILE, WEIGHTS_FILE, RunFolder
from cnntrain.storage import FolderLock
from cnntrain.training import monitoring
from cnntrain.weights import weights

FILES = {
    "config.yaml",
    "environment.json",
    "samples.npz",
    "weights.safetensors",
    "best.safetensors",
    "metrics.jsonl",
    "metrics.csv",
    "summary.json",
    "checkpoint.safetensors",
    "checkpoint.previous.safetensors",
}
METRICS = [
    "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "max_change", "seconds",
    "alpha", "monitor_loss",
]  # fmt: skip
SCORE = {"loss", "accuracy", "samples"}


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("validation", [0, 0.25])
def test_files_and_their_keys(tiny_config, record, tmp_path, validation):
    run = record(tiny_config(data={"validation": validation}, Max=2), tmp_path / "deep" / "run")
    folder = tmp_path / "deep" / "run"
    assert {path.name for path in folder.iterdir()} == FILES
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [METRICS, METRICS]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert [line["validation_loss"] is None for line in lines] == [validation == 0] * 2
    summary = json.loads((folder / "summary.json").read_text())
    assert summary == run.result
    assert summary["run"] == str(folder)
    assert list(summary) == [
        "run",
        "stop",
        "epochs",
        "seconds",
        "best",
        "train",
        "validation",
        "test",
        "rollbacks",
        "alpha_factor",
        "advice",
    ]
    held_out = summary["validation"]["samples"] if validation else 0
    assert (summary["train"]["samples"], held_out, summary["test"]["samples"]) == (40 - held_out, held_out, 12)
    assert summary["train"].keys() == summary["test"].keys() == SCORE
    assert bool(held_out) == bool(validation)


def test_config_of_a_run_is_the_config_with_all_defaults(tiny_config, record, tmp_path):
    config = tiny_config(data={"validation": 0.25}, alpha=0.02, seed=3)
    record(config, tmp_path / "run")
    assert cnntrain.load_config(tmp_path / "run" / "config.yaml") == config
    assert "momentum: 0.0" in (tmp_path / "run" / "config.yaml").read_text()


def test_data_without_a_test_split_give_no_test_score(make_config, record, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", images=rng.integers(0, 255, (9, 4, 4), dtype=np.uint8), labels=np.arange(9) % 3)
    layers = [{"fc": {"activation": "softmax"}}]
    run = record(make_config(layers, data={"source": "npz", "path": str(tmp_path / "a.npz")}, Max=1), tmp_path / "run")
    assert run.result["test"] is None
    assert run.result["train"]["samples"] == 9


def test_runs_without_out_are_numbered(tiny, record, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(
        "data: {source: npz, path: tiny.npz}\nnetwork: {layers: [fc: {activation: softmax}]}\ntraining: {Max: 1}\n"
    )
    config = cnntrain.load_config("x.yaml")
    first = record(config, None)
    before = content(tmp_path / "runs" / "x")
    others = [record(config, None) for _ in range(2)]
    runs = [run.result["run"] for run in (first, *others)]
    assert runs == [str(Path("runs", name)) for name in ("x", "x-2", "x-3")]
    assert content(tmp_path / "runs" / "x") == before
    assert {path.name for path in (tmp_path / "runs" / "x-3").iterdir()} == FILES | {"config.original.yaml"}


def test_folder_that_is_not_empty_is_refused_and_left_alone(tiny_config, record, tmp_path):
    record(tiny_config(), tmp_path / "run")
    before = content(tmp_path / "run")
    with pytest.raises(UsageError) as caught:
        record(tiny_config(seed=1), tmp_path / "run")
    assert str(tmp_path / "run") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert content(tmp_path / "run") == before


def test_empty_folder_is_used(tiny_config, record, tmp_path):
    (tmp_path / "run").mkdir()
    record(tiny_config(), tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


@pytest.mark.parametrize("out", ["file", "file/run"])
def test_file_in_the_way_is_refused_and_left_alone(tiny_config, record, tmp_path, out):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UsageError) as caught:
        record(tiny_config(), tmp_path / out)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "precious"


def test_nothing_is_made_when_the_data_are_missing(make_config, record, tmp_path):
    config = make_config([{"fc": {"activation": "softmax"}}], data={"source": "npz", "path": str(tmp_path / "no.npz")})
    with pytest.raises(DataError):
        record(config, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def overfitting(make_config, tmp_path):
    """A config that overfits 60 random labels, so that the validation loss rises."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 255, (60, 6, 6), dtype=np.uint8), rng.integers(0, 3, 60)
    np.savez(tmp_path / "noise.npz", images=images, labels=labels)
    data = {"source": "npz", "path": str(tmp_path / "noise.npz"), "validation": 0.5}
    layers = [{"fc": {"units": 30, "activation": "relu"}}, {"fc": {"activation": "softmax"}}]
    return make_config(layers, data=data, alpha=0.3, Max=12, batch_size=10)


def test_best_weights_are_those_of_the_least_validation_loss(overfitting, record, tmp_path):
    run = record(overfitting, tmp_path / "run")
    losses = [event.validation_loss for event in run.of("EpochEnded")]
    best = int(np.argmin(losses)) + 1
    assert best < len(losses)
    for name, epoch in (("best", best), ("weights", len(losses))):
        saved = cnntrain.load(tmp_path / "run" / f"{name}.safetensors").parameters()
        for tensor, value in run.parameters[epoch].items():
            np.testing.assert_array_equal(saved[tensor], value)


def losses_after_each_iteration(run, config, split):
    """The loss of the weights themselves, at the end of each epoch."""
    data = load_config_data(config)
    return [
        evaluate_network(
            with_parameters(run.network, parameters), split, data.splits()[split], data.preprocessing, data.classes
        ).score.loss
        for parameters in run.parameters[1:]
    ]


def with_parameters(network, parameters):
    network.set_parameters(parameters)
    return network


@pytest.mark.parametrize("options", [{"batch_size": 4}, {"batch_size": "all"}, {"optimizer": "adam", "alpha": 0.3}])
@pytest.mark.parametrize("validation", [0, 0.25])
def test_best_weights_have_the_least_loss_of_their_own(tiny_config, record, tmp_path, options, validation):
    """Steps this large oscillate, so that the loss before the last step differs."""
    config = tiny_config(data={"validation": validation}, **({"alpha": 3.0, "Max": 8} | options))
    run, split = record(config, tmp_path / "run"), "validation" if validation else "train"
    losses = losses_after_each_iteration(run, config, split)
    best = run.result["best"]
    assert best == {"epoch": int(np.argmin(losses)) + 1, "loss": min(losses)}
    assert cnntrain.evaluate(tmp_path / "run" / "best.safetensors", split)["loss"] == best["loss"]
    saved = cnntrain.load(tmp_path / "run" / "best.safetensors").parameters()
    for tensor, value in run.parameters[best["epoch"]].items():
        np.testing.assert_array_equal(saved[tensor], value)


links = pytest.mark.skipif(os.name == "nt", reason="links need a privilege")


@links
@pytest.mark.parametrize(
    ("link", "out", "named"),
    [("runs", None, "runs"), ("out", "out", "out"), ("a", "a/deep/run", "a"), ("runs", "runs/x", "runs")],
)
def test_a_link_that_leads_nowhere_is_told_at_once(monkeypatch, tmp_path, link, out, named):
    monkeypatch.chdir(tmp_path)
    Path(link).symlink_to("gone/folder")
    with pytest.raises(UsageError) as caught:
        RunFolder.create(out, "x")
    assert str(caught.value) == f"{named}: cannot create the run folder here, because this is a broken symbolic link"
    assert [path.name for path in tmp_path.iterdir()] == [link]


@links
def test_a_ring_of_links_is_an_error(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("runs").symlink_to("runs")
    with pytest.raises(UsageError, match=r"broken symbolic link$"):
        RunFolder.create(None, "x")


@links
def test_a_link_to_a_folder_is_that_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("elsewhere").mkdir()
    Path("runs").symlink_to("elsewhere")
    with RunFolder.create(None, "x"):
        assert Path("elsewhere/x/.lock").exists()


def test_a_file_of_the_name_runs_is_told_by_its_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("runs").touch()
    with pytest.raises(UsageError, match=r"^runs: cannot create the run folder here, because this is a file$"):
        RunFolder.create(None, "x")


def test_the_numbers_of_runs_have_an_end(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_folder, "MAX_RUNS", 3)
    for name in ("x", "x-2", "x-3"):
        Path("runs", name).mkdir(parents=True)
    with pytest.raises(UsageError, match=r"^runs: there are already 3 runs named x; .*--out DIR$"):
        RunFolder.create(None, "x")


def test_a_folder_is_looked_at_again_once_it_is_locked(monkeypatch, tmp_path):
    """A second process comes just when a first one has ended its run in the same folder."""
    take = FolderLock._take

    def late(self):
        if not (tmp_path / "run" / "summary.json").exists():
            (tmp_path / "run" / "summary.json").write_text("{}")
        return take(self)

    monkeypatch.setattr(FolderLock, "_take", late)
    with pytest.raises(UsageError, match="the folder is not empty"):
        RunFolder.create(tmp_path / "run", "x")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["summary.json"]


def test_a_folder_of_somebody_is_not_written_to(monkeypatch, tmp_path):
    (tmp_path / "mine").touch()
    monkeypatch.setattr(run_folder, "FolderLock", None)  # nothing is locked
    with pytest.raises(UsageError, match="the folder is not empty"):
        RunFolder.create(tmp_path, "x")


@pytest.mark.parametrize("name", [".lock", "report.0123abcd.tmp"])
def test_files_that_look_like_ours_are_not_taken_for_them(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="the folder is not empty"):
        RunFolder.create(tmp_path, "x")
    assert content(tmp_path) == {name: b"mine"}


@pytest.mark.skipif(os.name == "nt", reason="locks of another kind")
def test_a_file_system_without_locks_is_trained_on_with_a_note(tiny_config, record, monkeypatch, tmp_path):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    run = record(tiny_config(Max=1), tmp_path / "run")
    assert [event.text for event in run.of("WarningIssued")] == [
        f"{tmp_path / 'run'}: the file system has no locks; nothing keeps other processes out of this run"
    ]
    assert {path.name for path in (tmp_path / "run").iterdir()} >= FILES - {"checkpoint.previous.safetensors"}


@pytest.mark.parametrize("out", [None, "deep/er/run"])
@pytest.mark.parametrize("failing", ["lock", "checkpoint"])
def test_a_run_that_cannot_begin_leaves_no_folder(tiny_config, record, monkeypatch, tmp_path, out, failing):
    def fail(*_, **options):
        raise OSError(errno.EIO, "Input/output error", "somewhere")

    config = tiny_config()
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    monkeypatch.chdir(cwd)
    name = "fcntl.flock" if failing == "lock" else "cnntrain.training.checkpointing.checkpoint.save"
    monkeypatch.setattr(name, fail)
    with pytest.raises((OSError, UsageError)):
        record(config, out)
    assert list(cwd.iterdir()) == []


def test_a_run_that_cannot_begin_leaves_a_folder_that_was_there_as_it_was(tiny_config, record, monkeypatch, tmp_path):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error", "somewhere")

    (tmp_path / "run").mkdir()
    monkeypatch.setattr("cnntrain.training.checkpointing.checkpoint.save", fail)
    with pytest.raises(OSError, match="Input/output error"):
        record(tiny_config(), tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_of_many_training_samples_a_part_says_which_weights_are_best(make_config, record, tmp_path, monkeypatch):
    """The last weights are compared with the best ones on all of them."""
    monkeypatch.setattr(monitoring, "MIN_COUNT", 2)
    config = make_config(
        [{"fc": {"activation": "softmax"}}], data={"source": "digits"}, alpha=3.0, Max=8, batch_size=200
    )
    run = record(config, tmp_path / "run")
    best, losses = run.result["best"], losses_after_each_iteration(run, config, "train")
    monitored = [event.monitor_loss for event in run.of("EpochEnded")]
    assert best["loss"] == min(losses[int(np.argmin(monitored))], losses[-1])
    assert best["loss"] == losses[best["epoch"] - 1] != monitored[best["epoch"] - 1]
    assert best["loss"] <= run.result["train"]["loss"]
    assert cnntrain.evaluate(tmp_path / "run" / "best.safetensors", "train")["loss"] == best["loss"]


def test_the_samples_that_say_which_weights_are_best_are_of_all_classes(make_config):
    data = load_config_data(make_config([{"fc": {}}], data={"source": "digits"}))
    part = monitoring.MonitoredSplit.of(data, seed=0)
    assert part.split == "train"
    assert len(part.dataset) == monitoring.MIN_COUNT
    counts = np.bincount(part.dataset.labels, minlength=10)
    assert counts.max() - counts.min() <= 1
    images = data.train.gather(np.arange(len(data.train)))
    assert all(any((image == other).all() for other in images) for image in part.dataset.gather(np.arange(5)))
    again, other = (monitoring.MonitoredSplit.of(data, seed).dataset.rows for seed in (0, 1))
    assert again.tolist() == part.dataset.rows.tolist() != other.tolist()


def test_packages_below_use_the_same_file_names():
    assert WEIGHTS_FILE == weights.FILE_IN_RUN
    assert SPLIT_FILE == split_file.NAME
