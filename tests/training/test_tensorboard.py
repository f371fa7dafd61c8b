"""``training.tensorboard``: event files that say what metrics.jsonl says, after a kill and a rollback, too."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

import cnntrain
from cnntrain.errors import UsageError
from cnntrain.training import event_files
from cnntrain.training.event_files import EventFile, read_events
from cnntrain.training.event_files import event_files as files_in
from cnntrain.training.events import EpochEnded, TrainingEnded, WarningIssued
from cnntrain.training.fit import fit
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.resume import resume_run
from cnntrain.training.tensorboard import METRICS, recorded_epochs, without_unknown_folder


def as_tensorboard_reads(folder):
    """Values by tag and step: what a session's start purges is gone, as in TensorBoard's EventAccumulator."""
    shown = {}
    for path in files_in(folder):
        for event in read_events(path):
            if event.HasField("session_log"):
                shown = {tag: {s: v for s, v in steps.items() if s < event.step} for tag, steps in shown.items()}
            for value in event.summary.value:
                shown.setdefault(value.tag, {})[event.step] = value
    return shown


def scalars(folder):
    shown = as_tensorboard_reads(folder)
    return {tag: {step: value.simple_value for step, value in shown[tag].items()} for tag in METRICS if tag in shown}


def metrics(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def assert_says_what_the_metrics_say(folder, run):
    rows = metrics(run)
    shown = scalars(folder)
    assert set(shown) == {name for row in rows for name, value in row.items() if value is not None} - {"epoch"}
    for name, values in shown.items():
        assert list(values) == [row["epoch"] for row in rows if row[name] is not None], name  # in this order
        assert list(values.values()) == pytest.approx([row[name] for row in rows if row[name] is not None], rel=1e-6)


def test_scalars_images_and_hyperparameters(tiny_config, tmp_path):
    config = tiny_config(tensorboard=True, Max=3, alpha=0.02, data={"validation": 0.2})
    list(fit(config, tmp_path / "run"))
    folder = tmp_path / "run" / "tensorboard"
    assert_says_what_the_metrics_say(folder, tmp_path / "run")
    shown = as_tensorboard_reads(folder)
    assert "validation_loss" in shown
    for tag in ("confusion", "filters"):
        assert list(shown[tag]) == [3]
        assert shown[tag][3].image.encoded_image_string == (tmp_path / "run" / f"{tag}.png").read_bytes()
        assert shown[tag][3].image.width > shown[tag][3].image.height > 100 or tag == "confusion"
    content = shown["_hparams_/session_start_info"][0].metadata.plugin_data.content
    values = HParamsPluginData.FromString(content).session_start_info.hparams
    assert values["training.alpha"].number_value == 0.02
    assert values["network.layers.0.conv.activation"].string_value == "relu"
    assert values["training.shuffle"].bool_value is True
    content = shown["_hparams_/session_end_info"][3].metadata.plugin_data.content
    assert HParamsPluginData.FromString(content).session_end_info.status == 1


def test_off_unless_asked_and_the_same_bits(tiny_config, tmp_path):
    list(fit(tiny_config(), tmp_path / "without", plots=False))
    list(fit(tiny_config(tensorboard=True), tmp_path / "with", plots=False))
    assert not (tmp_path / "without" / "tensorboard").exists()
    for name in ("weights.safetensors", "best.safetensors"):
        assert (tmp_path / "without" / name).read_bytes() == (tmp_path / "with" / name).read_bytes()
    assert "confusion" not in as_tensorboard_reads(tmp_path / "with" / "tensorboard")  # plots=False


def test_a_folder_of_ones_own(tiny_config, tmp_path):
    config = tiny_config(tensorboard=str(tmp_path / "logs" / "a"))
    list(fit(config, tmp_path / "a", plots=False))
    assert_says_what_the_metrics_say(tmp_path / "logs" / "a", tmp_path / "a")
    with pytest.raises(UsageError, match=r"logs/a: this folder has the event files of another run"):
        list(fit(config, tmp_path / "b", plots=False))
    assert not (tmp_path / "b").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file: cannot write event files of TensorBoard here, because this is not a "):
        list(fit(tiny_config(tensorboard=str(tmp_path / "file" / "x")), tmp_path / "b", plots=False))


def stop_in(epoch, batch, events, interrupts):
    for event in events:
        if getattr(event, "epoch", 0) == epoch and getattr(event, "batch", 0) == batch:
            interrupts.request_stop()


@pytest.mark.parametrize("folder", [True, "logs"])
def test_a_resumed_run_goes_on_in_a_new_file(tiny_config, tmp_path, folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    interrupts = Interrupts()
    config = tiny_config(tensorboard=folder, Max=5)
    stop_in(3, 2, fit(config, "run", interrupts, plots=False), interrupts)
    list(resume_run("run", plots=False))
    folder = tmp_path / ("run/tensorboard" if folder is True else "logs")
    assert_says_what_the_metrics_say(folder, tmp_path / "run")
    first, second = files_in(folder)
    (start,) = (event.step for event in read_events(second) if event.HasField("session_log"))
    assert start == 3
    assert len(list(read_events(first))) > 2


def test_epochs_that_no_file_has_come_from_the_metrics(tiny_config, tmp_path):
    interrupts = Interrupts()
    stop_in(3, 1, fit(tiny_config(Max=4), tmp_path / "run", interrupts, plots=False), interrupts)
    list(resume_run(tmp_path / "run", ["training.tensorboard=true"], plots=False))
    assert_says_what_the_metrics_say(tmp_path / "run" / "tensorboard", tmp_path / "run")


def test_half_an_event_at_the_end_of_a_killed_run(tiny_config, tmp_path):
    interrupts = Interrupts()
    stop_in(4, 1, fit(tiny_config(tensorboard=True, Max=5), tmp_path / "run", interrupts, plots=False), interrupts)
    folder = tmp_path / "run" / "tensorboard"
    (path,) = files_in(folder)
    whole = path.read_bytes()
    assert recorded_epochs(folder) == 3
    for length in range(len(whole) - 1, len(whole) // 2, -37):
        path.write_bytes(whole[:length])
        assert recorded_epochs(folder) <= 3
    path.write_bytes(whole[: len(whole) // 2] + b"?" + whole[len(whole) // 2 + 1 :])  # damaged in the middle
    assert recorded_epochs(folder) < 3
    list(resume_run(tmp_path / "run", plots=False))
    assert_says_what_the_metrics_say(folder, tmp_path / "run")


@pytest.mark.parametrize("alpha", [0.3, 0.1])
def test_after_a_rollback_the_lost_epochs_are_purged(make_config, tmp_path, alpha):
    config = make_config(
        [{"fc": {"units": 10}}],
        data={"source": "digits"},
        Max=200,
        batch_size="all",
        alpha=alpha,
        loss="mse",
        on_divergence="rollback",
        tensorboard=True,
    )
    events = []
    with suppress(cnntrain.CnntrainError):
        events.extend(fit(config, tmp_path / "run", plots=False))
    (ended,) = (event for event in events if isinstance(event, TrainingEnded))
    assert ended.result["rollbacks"] > 0
    assert len([event for event in events if isinstance(event, EpochEnded)]) > ended.result["epochs"] > 0
    assert_says_what_the_metrics_say(tmp_path / "run" / "tensorboard", tmp_path / "run")


def test_a_full_disk_is_a_warning_and_nothing_is_lost(tiny_config, tmp_path, monkeypatch):
    real, is_full = EventFile.write, [False]

    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, content):
            if is_full[0]:
                self.file.write(content[: len(content) // 3])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self.file.write(content)

        def __getattr__(self, name):
            return getattr(self.file, name)

    def write(self):
        if not isinstance(self._file, Full):
            self._file = Full(self._file)
        real(self)

    monkeypatch.setattr(EventFile, "write", write)
    warnings = []
    for event in fit(tiny_config(tensorboard=True, Max=6), tmp_path / "run", plots=False):
        warnings += [event.text] if isinstance(event, WarningIssued) else []
        if isinstance(event, EpochEnded):
            is_full[0] = event.epoch in (2, 3)
    assert warnings == [
        f"{tmp_path}/run/tensorboard: event files of TensorBoard cannot be written: No space left on device"
    ]
    assert_says_what_the_metrics_say(tmp_path / "run" / "tensorboard", tmp_path / "run")


def test_files_sort_in_the_order_of_their_creation(tmp_path, monkeypatch):
    made = []
    for now in (2000, 2000, 1000):  # the same second; a clock that was set back
        monkeypatch.setattr(event_files.time, "time", lambda now=now: float(now))
        file = EventFile(tmp_path, 1)
        file.close()
        made.append(file.path)
    assert files_in(tmp_path) == made


def test_a_missing_extra_is_a_sentence_before_anything_is_written(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX.record_writer", None)
    with pytest.raises(UsageError, match=r'install it with: pip install "cnntrain\[tensorboard\]"'):
        list(fit(tiny_config(tensorboard=True), tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_strangers_run_writes_into_no_folder_of_mine(tiny_config, tmp_path):
    logs, mine = tmp_path / "logs", tmp_path / "mine"
    list(fit(tiny_config(tensorboard=str(logs), Max=2), tmp_path / "run", plots=False))
    logs.rename(mine)
    logs.mkdir()
    (logs / "letter.txt").write_text("")
    events = list(resume_run(tmp_path / "run", ["training.Max=3"], plots=False))
    assert [path.name for path in logs.iterdir()] == ["letter.txt"]
    (warning,) = (event.text for event in events if isinstance(event, WarningIssued))
    assert warning == (
        f"{logs}: this folder has no event files of the run, so the run writes none; training.tensorboard=DIR names "
        "another folder"
    )
    list(resume_run(tmp_path / "run", ["training.Max=4", f"training.tensorboard={logs}"], plots=False))
    assert_says_what_the_metrics_say(logs, tmp_path / "run")


def test_a_link_in_a_run_folder_is_not_followed(tiny_config, tmp_path):
    list(fit(tiny_config(Max=1), tmp_path / "run", plots=False))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run" / "tensorboard").symlink_to(tmp_path / "elsewhere")
    events = list(resume_run(tmp_path / "run", ["training.Max=2", "training.tensorboard=true"], plots=False))
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (warning,) = (event.text for event in events if isinstance(event, WarningIssued))
    assert "this is a link" in warning


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment_and_resumed(tmp_path, seed):
    words = ["digits", "training.Max=40", "training.workers=1", "--out", str(tmp_path / "run"), "--no-plots"]
    command = [sys.executable, "-m", "cnntrain"]
    first = [*command, "train", *words, "--tensorboard"]
    process = subprocess.Popen(first, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    log = tmp_path / "run" / "metrics.jsonl"
    for _ in range(1200):
        if log.exists() and log.read_text().count("\n") > 3 + 5 * seed:
            break
        time.sleep(0.05)
    time.sleep(0.013 * seed)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(files_in(tmp_path / "run" / "tensorboard")) == 1
    resumed = [*command, "resume", str(tmp_path / "run"), "training.Max=42", "--no-plots"]
    subprocess.run(resumed, check=True, capture_output=True)
    assert len(files_in(tmp_path / "run" / "tensorboard")) == 2
    assert len(metrics(tmp_path / "run")) == 42
    assert_says_what_the_metrics_say(tmp_path / "run" / "tensorboard", tmp_path / "run")


def test_a_folder_that_no_system_can_name_is_left_out_on_resume(tiny_config):
    config = tiny_config()
    training = config.training.model_copy(update={"tensorboard": Path("x" * 300)})
    known, notes = without_unknown_folder(config.model_copy(update={"training": training}), [])
    assert known.training.tensorboard is False
    assert len(notes) == 1
