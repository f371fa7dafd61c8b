"""The plots that a run leaves, and that no plot ever fails a run."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cnntrain
from cnntrain.data import fonts
from cnntrain.evaluation import artifacts
from cnntrain.evaluation.artifacts import draw_report, swept_folder
from cnntrain.evaluation.evaluate import evaluate_saved
from cnntrain.runs.metrics_file import read_metrics, write_metrics_table
from cnntrain.storage import FolderLock

PNG = b"\x89PNG\r\n\x1a\n"


def drawn(folder: Path) -> set[str]:
    assert all(path.read_bytes().startswith(PNG) for path in folder.glob("*.png"))
    return {path.name for path in folder.glob("*.png")}


def warnings(run) -> list[str]:
    return [event.text for event in run.of("WarningIssued")]


@pytest.fixture
def no_ink(monkeypatch):
    """Figures are made but not drawn, which takes longest."""
    from cnntrain.evaluation.plots import style

    monkeypatch.setattr(style, "png", lambda figure: PNG)


def test_a_run_leaves_its_plots(tiny_config, record, tmp_path):
    run = record(tiny_config(data={"validation": 0.25}), tmp_path / "run", plots=True)
    assert drawn(tmp_path / "run") == {"curves.png", "confusion.png", "mistakes.png", "filters.png"}
    assert warnings(run) == []
    assert [type(event).__name__ for event in run.events[-1:]] == ["TrainingEnded"]


@pytest.mark.usefixtures("no_ink")
def test_a_network_without_a_convolution_has_no_filters(tiny_config, record, tmp_path):
    record(tiny_config([{"fc": {"activation": "softmax"}}]), tmp_path / "run", plots=True)
    assert drawn(tmp_path / "run") == {"curves.png", "confusion.png", "mistakes.png"}


@pytest.mark.usefixtures("no_ink")
def test_an_interrupted_run_has_curves_if_it_has_an_iteration(tiny_config, record, tmp_path):
    from cnntrain.training.interrupts import Interrupts

    for epoch, expected in ((1, set()), (2, {"curves.png"})):
        interrupts = Interrupts()

        def stop(event, interrupts=interrupts, epoch=epoch):
            interrupts.signal = 2 if event.epoch == epoch else None

        folder = tmp_path / f"run{epoch}"
        record(tiny_config(), folder, on_batch=stop, interrupts=interrupts, plots=True)
        assert drawn(folder) == expected
        assert (folder / "metrics.csv").exists() == bool(expected)


def test_without_matplotlib_a_run_warns_and_is_whole(tiny_config, record, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("cnntrain.evaluation.plots")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    fonts._fonts_for.cache_clear()
    run = record(tiny_config(), tmp_path / "run", plots=True)
    assert drawn(tmp_path / "run") == set()
    (warning,) = warnings(run)
    assert "cannot be drawn" in warning
    assert "\n" not in warning
    assert cnntrain.evaluate(tmp_path / "run")["accuracy"] == run.of("TrainingEnded")[0].result["test"]["accuracy"]


@pytest.mark.usefixtures("no_ink")
@pytest.mark.parametrize("broken", ["write_file", "evaluate_network"])
def test_a_full_disk_or_memory_is_a_warning(tiny_config, record, tmp_path, monkeypatch, broken):
    def fail(*args):
        raise (OSError(28, "No space left on device") if broken == "write_file" else MemoryError())

    monkeypatch.setattr(artifacts, broken, fail)
    run = record(tiny_config(), tmp_path / "run", plots=True)
    assert run.of("TrainingEnded")[0].result["stop"] == "max"
    assert len(warnings(run)) == (4 if broken == "write_file" else 1)
    assert drawn(tmp_path / "run") == (set() if broken == "write_file" else {"curves.png"})


def test_the_csv_has_a_column_for_each_key(tmp_path):
    rows = [{"epoch": 1, "validation_loss": None}, {"epoch": 2, "validation_loss": 0.1, "alpha": 1e-05}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_metrics_table(tmp_path, read_metrics(tmp_path))
    assert (tmp_path / "metrics.csv").read_text() == "epoch,validation_loss,alpha\n1,,\n2,0.1,1e-05\n"


def test_the_csv_of_a_run_says_what_its_lines_say(tiny_config, record, tmp_path):
    record(tiny_config(), tmp_path / "run", plots=True)
    titles, *rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == len(lines) == 3
    for row, line in zip(rows, lines, strict=True):
        values = ["" if value is None else json.dumps(value) for value in line.values()]
        assert dict(zip(titles.split(","), row.split(","), strict=True)) == dict(zip(line, values, strict=True))


def test_the_same_run_gives_the_same_pictures_whatever_the_user_has_set(tiny_config, record, tmp_path, monkeypatch):
    import matplotlib

    record(tiny_config(), tmp_path / "run", plots=True)
    level = logging.getLogger("matplotlib").level
    for folder in ("a", "b"):
        report = evaluate_saved(tmp_path / "run", "test")
        paths = draw_report(tmp_path / folder, report, "run")
        assert [path.name for path in paths] == ["confusion.png", "mistakes.png", "calibration.png"]
        monkeypatch.setitem(matplotlib.rcParams, "font.size", 30)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    assert logging.getLogger("matplotlib").level == level
    assert matplotlib.rcParams["font.size"] == 30


@pytest.mark.usefixtures("no_ink")
def test_pictures_of_mistakes_are_those_of_the_samples(tiny_config, record, tmp_path, monkeypatch):
    from cnntrain.evaluation.plots import mistakes

    record(tiny_config(), tmp_path / "run", plots=True)
    seen = []
    monkeypatch.setattr(mistakes, "drawable", lambda image: seen.append(image) or image[0] / 255)
    report = evaluate_saved(tmp_path / "run", "train")
    draw_report(tmp_path / "plots", report, "run")
    expected = [report.dataset.images[row["sample"]] for row in report.result()["mistakes"]]
    np.testing.assert_array_equal(seen, expected)
    assert seen


@pytest.mark.slow
def test_nothing_is_said_where_matplotlib_cannot_keep_its_cache(tmp_path):
    (tmp_path / "file").write_text("")
    program = (
        "import sys, pathlib\n"
        "from cnntrain.evaluation.artifacts import draw_file\n"
        "def draw():\n"
        "    from matplotlib.figure import Figure\n"
        "    return Figure()\n"
        "draw_file(pathlib.Path(sys.argv[1]), draw)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.png")],
        env=os.environ | {"MPLCONFIGDIR": str(tmp_path / "file" / "none")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert drawn(tmp_path) == {"a.png"}


def test_matplotlib_is_imported_when_something_is_drawn_and_not_before():
    program = "import cnntrain.training, cnntrain.evaluation.evaluate, sys; print('matplotlib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


def test_what_a_killed_process_left_is_swept_unless_another_one_is_at_work(tmp_path):
    left = tmp_path / "confusion.png.0123abcd.tmp"
    for path in (left, tmp_path / "report.png.0123abcd.tmp"):
        path.touch()
    other = FolderLock(tmp_path)
    with swept_folder(tmp_path):
        assert left.exists()
    other.release()
    with swept_folder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["report.png.0123abcd.tmp"]
