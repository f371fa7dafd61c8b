"""The view of ``cnntrain eval`` at any width, for any number of classes and names of any length."""

import io

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from cnntrain.cli.views.console import CommandConsole
from cnntrain.cli.views.evaluation_view import show
from cnntrain.cli.views.tables import truncate
from cnntrain.streams import READABLE


@pytest.fixture
def result():
    def make(classes=3, name="class {}", mistakes=5, file=None, probability=0.987, most=100, **changes):
        names = [name.format(i) for i in range(classes)]
        rng = np.random.default_rng(0)
        row = {"precision": None, "recall": 0.5, "f1": 2 / 3}
        values = {
            "split": "validation",
            "samples": 1234,
            "loss": 0.08124,
            "accuracy": 0.97778,
            "classes": names,
            "top_k": {"k": 5, "accuracy": 1.0},
            "calibration_error": 0.0123,
            "macro": row,
            "weighted": row,
            "per_class": [{"class": name, **row, "support": 1000} for name in names],
            "confusion": rng.integers(0, most, (classes, classes)).tolist(),
            "confused": [{"true": names[0], "predicted": names[1], "samples": 17}],
            "mistakes": [
                {
                    "sample": 1000 + i,
                    "file": file and f"{file}{i}.jpg",
                    "true": names[0],
                    "predicted": names[-1],
                    "probability": probability,
                    "output": 2.5,
                }
                for i in range(mistakes)
            ],
            "plots": None,
            "advice": [],
        }
        return values | changes

    return make


def shown(result, width=80):
    stream = io.StringIO()
    show(result, Console(file=stream, width=width, markup=False, highlight=False, emoji=False))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_a_small_problem(result):
    lines = shown(result(mistakes=1, most=3))
    assert lines[:3] == [
        "split        samples     loss   accuracy      top-5   calibration error",
        "validation     1,234   0.0812    97.78 %   100.00 %              1.23 %",
        "",
    ]
    assert lines[3].split() == ["class", "precision", "recall", "F1", "samples"]
    assert lines[4].split() == ["class", "0", "-", "50.00", "%", "66.67", "%", "1,000"]
    assert "confusion matrix: true classes in rows, predicted classes in columns" in lines
    assert lines[-5] == "the 1 most confident of 27 mistakes"
    assert lines[-4].split() == ["sample", "class", "predicted", "probability"]
    assert lines[-3].split() == ["1,000", "class", "0", "class", "2", "98.70", "%"]
    assert lines[-2:] == ["", "validation accuracy 97.78 %, loss 0.0812, on 1,234 samples"]


def test_advice_stands_above_the_last_line(result):
    advice = [{"rule": "overfitting", "key": "training.l2", "text": "try training.l2=1e-4: [it] overfits"}]
    assert shown(result() | {"advice": advice})[-2:] == [
        "try training.l2=1e-4: [it] overfits",
        "validation accuracy 97.78 %, loss 0.0812, on 1,234 samples",
    ]


@pytest.mark.parametrize("width", [80, 120, 1000])
@pytest.mark.parametrize("classes", [2, 14, 100, 300])
@pytest.mark.parametrize(
    "name", ["{}", "a name of a class that is very much longer than a table has columns, {}", "猫 {}"]
)
@pytest.mark.parametrize("file", [None, "photographs/test/of a deep folder/somewhere else/that is long/IMG_"])
def test_no_line_is_longer_than_the_terminal_nor_cut_by_it(result, width, classes, name, file):
    lines = shown(result(classes, name, file=file), width)
    assert max(map(cell_len, lines)) <= min(width, 120)
    assert lines[0].split()[-2:] == ["calibration", "error"]
    assert sum("1,000" in line for line in lines) >= min(classes, 100)


def on_command_console(result, width, **stream):
    console = CommandConsole(io.TextIOWrapper(content := io.BytesIO(), **({"encoding": "utf-8"} | stream)))
    console.width = width
    show(result, console)
    console.file.flush()
    return content.getvalue().decode("utf-8")


@pytest.mark.parametrize("width", [20, 50, 60, 79])
@pytest.mark.parametrize("file", [None, "photographs/test/of a deep folder/IMG_"])
def test_no_figure_is_cut_however_narrow_the_terminal(result, width, file):
    told = result(14, file=file)
    words = on_command_console(told, width).split()
    for figure in ("1,234", "0.0812", "97.78", "100.00", "1.23", "50.00", "66.67", "98.70", "1,000"):
        assert figure in words
    assert words.count("98.70") == 5
    assert words.count("50.00") == 16


def test_gaps_shrink_before_lines_are_wrapped(result):
    lines = on_command_console(result(mistakes=0, split="test"), 60).splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0].split() == ["split", "samples", "loss", "accuracy", "top-5", "calibration", "error"]


def test_an_empty_cell_is_a_point_where_the_stream_has_nothing_else(result):
    told = result(3, confusion=[[5, 0, 12], [0, 3, 0], [1, 0, 4]])
    columns = []
    for encoding in ("utf-8", "ascii"):
        text = on_command_console(told, 80, encoding=encoding, errors=READABLE)
        lines = text.splitlines()
        head = next(place for place, line in enumerate(lines) if line.split() == ["0", "1", "2"])
        columns.append([line.replace("\u00b7", ".") for line in lines[head : head + 4]])
    assert columns[0] == columns[1]
    assert columns[1][2].split()[-3:] == [".", "3", "."]


def test_a_matrix_that_does_not_fit_gives_way_to_what_is_mixed_up_most(result):
    lines = shown(result(classes=40))
    assert not any("(column)" in line for line in lines)
    assert next(line for line in lines if line.startswith("   17")).split() == ["17", "class", "0", "class", "1"]


def test_columns_are_numbered_where_names_are_long(result):
    lines = shown(result(classes=12, name="a long name {}"))
    head = lines.index("confusion matrix: true classes in rows, predicted classes in columns") + 1
    assert lines[head].split() == [str(i) for i in range(12)]
    assert lines[head + 12].split()[:2] == ["11", "a"]


def test_of_very_many_classes_the_worst_are_shown(result):
    many = result(classes=150)
    many["per_class"][77]["f1"] = 0.01
    lines = shown(many)
    assert "the 100 of 150 classes with the lowest F1; --json has all" in lines
    assert lines[4].startswith("class 77 ")


def test_even_a_tiny_terminal_ends_no_command(result):
    assert max(map(cell_len, shown(result(12, file="a/b/c"), width=10))) <= 10


def test_a_network_without_mistakes(result):
    assert shown(result(mistakes=0))[-3] == "no mistakes"


def test_outputs_that_are_no_probabilities_are_called_so(result):
    lines = shown(result(probability=None, calibration_error=None, top_k=None))
    assert lines[0].split() == ["split", "samples", "loss", "accuracy"]
    assert [line.split()[-1] for line in lines[-8:-2]] == ["output", *5 * ["2.5000"]]


@pytest.mark.parametrize(
    ("name", "most", "words"),
    [("short", 5, "short"), ("abcdefgh", 5, "ab…gh"), ("a\nb", 9, r"a\nb"), ("猫猫猫猫", 5, "猫…猫"), ("abc", 1, "…")],
)
def test_names_are_cut_in_the_middle(name, most, words):
    assert truncate(name, most) == words
