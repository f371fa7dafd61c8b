"""Progress of ``train`` in Python: a bar on stderr, lines on stdout, or nothing."""

import json
import os
import re
import signal

import pytest

import cnntrain
from cnntrain.errors import UsageError
from cnntrain.training.events import BatchEnded, EpochEnded
from cnntrain.training.progress import epoch_line


def test_a_bar_is_the_default(tiny_config, tmp_path, capfd):
    cnntrain.train(tiny_config(), out=tmp_path / "run", plots=False)
    out, err = capfd.readouterr()
    assert out == ""
    assert "9/9" in err
    assert err.count("\n") == 1


def test_an_early_end_is_the_end_of_the_bar(tiny_config, tmp_path, capfd):
    cnntrain.train(tiny_config(Max=50, epsilon=1e9), out=tmp_path / "run", plots=False)
    assert re.search(r"100%\|[^|]*\| 3/3 ", capfd.readouterr().err)


def test_lines(tiny_config, tmp_path, capfd):
    run = cnntrain.train(tiny_config(data={"validation": 0.2}, Max=10), tmp_path / "run", False, progress="lines")
    out, err = capfd.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith(f"epoch  1/10: train loss {run.history['train_loss'][0]:.4f}, accuracy ")
    assert f"; validation loss {run.history['validation_loss'][9]:.4f}, accuracy " in lines[9]


def test_a_line_without_validation():
    event = EpochEnded(3, 0.5, 0.25, None, None, 1.0, 2.0, 0.1)
    assert epoch_line(event, 10) == "epoch  3/10: train loss 0.5000, accuracy 25.0 %; 2.0 s"


def test_none(tiny_config, tmp_path, capfd):
    cnntrain.train(tiny_config(), out=tmp_path / "run", plots=False, progress="none")
    assert capfd.readouterr() == ("", "")


def test_another_mode_is_an_error_before_anything_is_written(tiny_config, tmp_path):
    with pytest.raises(UsageError, match="progress: expected bar, lines, none, got 'rich'"):
        cnntrain.train(tiny_config(), out=tmp_path / "run", progress="rich")
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_says_how_to_continue(tiny_config, tmp_path):
    def interrupt(event):
        if isinstance(event, BatchEnded) and (event.epoch, event.batch) == (2, 2):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as stop:
        cnntrain.train(tiny_config(), out=tmp_path / "run", plots=False, callbacks=[interrupt], progress="none")
    assert str(stop.value) == f"cnntrain.resume({str(tmp_path / 'run')!r}) continues the run"
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["stop"] == "interrupted"
    assert cnntrain.resume(tmp_path / "run", plots=False)["stop"] == "max"
