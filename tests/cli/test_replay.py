"""``cnntrain replay``, and what ``train`` says of a run that diverges."""

import json

from typer.testing import CliRunner

from cnntrain.cli.app import app


def cnntrain(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_diverged_run_is_shown_again(digits_file, tmp_path):
    run = tmp_path / "run"
    words = ["train", digits_file, "training.alpha=1e25", "--out", run, "--progress", "none", "--no-plots"]
    trained = cnntrain(*words)
    assert trained.exit_code == 6
    assert f"next: cnntrain replay {run}" in trained.stdout
    shown = cnntrain("replay", run)
    assert shown.exit_code == 0
    assert "reproduced in 1 step: epoch 1, batch 2: the loss is not finite" in shown.stdout
    assert "first tensor that is not finite: layers.2.output" in shown.stdout
    assert "layers.2 Activation" in shown.stdout
    report = json.loads(cnntrain("replay", run, "--json").stdout)
    assert (report["epoch"], report["batch"], report["steps"]) == (1, 2, 1)


def test_a_run_that_did_not_diverge_is_refused(tmp_path):
    refused = cnntrain("replay", tmp_path)
    assert refused.exit_code == 2
    assert "only a run that diverged can be replayed" in refused.stderr


def test_health_is_told_after_each_iteration(digits_file, tmp_path):
    words = ["train", digits_file, "training.Max=2", "--out", tmp_path / "run", "--health", "--no-plots"]
    told = cnntrain(*words, "--progress", "plain").stderr
    assert told.count("layers.0 conv  ") == 2
