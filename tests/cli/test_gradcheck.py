import json

import pytest
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.gradient_check.fault_injection import FAULTS


@pytest.fixture
def gradcheck(network_file):
    return lambda *words: CliRunner().invoke(app, ["gradcheck", str(network_file), *words])


def test_right_gradients_are_status_0(gradcheck):
    shown = gradcheck()
    assert shown.exit_code == 0
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert [(row[0], row[-1]) for row in rows[1:-1]] == [
        (name, "ok") for name in ("layers.0.W", "layers.0.b", "layers.2.W", "layers.2.b", "input")
    ]
    assert shown.stdout.splitlines()[-1].startswith("passed: ")
    assert len(shown.stderr.splitlines()) == 5, "off a terminal, a line for each tensor"


def test_an_injected_fault_is_status_3(gradcheck):
    shown = gradcheck("--inject", "layers.0.W:no_flip", "--json", "--progress", "none")
    assert shown.exit_code == 3
    result = json.loads(shown.stdout)
    assert not result["passed"]
    assert result["worst"] > 1e-3
    assert shown.stderr == ""


def test_a_fault_is_named_in_the_table(gradcheck):
    shown = gradcheck("--inject", "layers.2.W:mean_for_sum", "--inject", "layers.0.W:no_mask")
    assert shown.exit_code == 3
    assert "FAILED" in next(line for line in shown.stdout.splitlines() if line.startswith("layers.2.W"))
    failed, *caught = shown.stdout.splitlines()[-3:]
    assert failed.startswith("FAILED: layers.0.W, ")
    assert caught == [
        "caught: layers.2.W mean_for_sum shows in the gradient of layers.2.W",
        "caught: layers.0.W no_mask shows in the gradients of layers.0.W, layers.0.b, the input",
    ]


def test_the_verdict_says_where_a_fault_shows(gradcheck):
    shown = gradcheck("--inject", "layers.0.W:no_flip", "--progress", "none")
    assert shown.stdout.splitlines()[-1] == "caught: layers.0.W no_flip shows in the input's gradient"
    missed = gradcheck("--inject", "layers.0.W:no_flip", "--threshold", "1.5", "--progress", "none")
    assert missed.exit_code == 0
    assert missed.stdout.splitlines()[-1] == "NOT caught: layers.0.W no_flip shows in no gradient"


def test_the_faults_are_listed_with_and_without_a_network(gradcheck):
    alone = CliRunner().invoke(app, ["gradcheck", "--inject", "list"])
    assert alone.exit_code == 0
    assert {line.split()[0] for line in alone.stdout.splitlines()[1:-1]} == set(FAULTS)
    assert "here:" not in alone.stdout
    of_network = gradcheck("--inject", "list")
    assert "rot180(W) (here: layers.0)" in of_network.stdout
    rows = json.loads(gradcheck("--inject", "list", "--json").stdout)["faults"]
    assert {row["fault"] for row in rows} == set(FAULTS)
    missing = CliRunner().invoke(app, ["gradcheck"])
    assert missing.exit_code == 2
    assert len(missing.stderr.splitlines()) == 1


def test_samples_overrides_and_threshold_reach_the_check(gradcheck):
    shown = gradcheck("network.layers.0.conv.K=1", "--samples", "all", "--threshold", "1e-5", "--json")
    result = json.loads(shown.stdout)
    assert result["threshold"] == 1e-5
    tensor = result["tensors"][0]
    assert tensor["entries"] == 9
    assert tensor["checked"] + tensor["kinks"] >= 9


@pytest.mark.parametrize(
    "words", [["--inject", "[conv]"], ["--threshold", "nan"], ["--threshold", "0"], ["--samples", "-1"], ["x"]]
)
def test_wrong_words_are_status_2(gradcheck, words):
    shown = gradcheck(*words)
    assert shown.exit_code == 2
    assert shown.stdout == ""
    assert len(shown.stderr.splitlines()) == 1


def test_help_names_every_fault():
    shown = CliRunner().invoke(app, ["gradcheck", "--help"])
    assert all(fault in shown.stdout for fault in FAULTS)
