import io

import pytest
from rich.cells import cell_len
from rich.progress import Progress, TextColumn

from cnntrain.cli.console import CommandConsole
from cnntrain.cli.prediction_text import Csv, Json, Text
from cnntrain.cli.prediction_view import PredictionView
from cnntrain.errors import PictureError


def entry(name, p, file="a.png"):
    return {"file": file, "class": name, "probability": p}


def test_wide_and_hostile_class_names_line_up():
    classes = ("cat", "日本語", "\x1b[1m", "n" * 60)
    lines = Text(classes, "probability", 1).lines([entry(name, 0.5) for name in classes]).splitlines()
    assert len({cell_len(line[: line.index("%")]) for line in lines[:3]}) == 1
    assert r"\x1b[1m" in lines[2]
    assert lines[3].startswith("n" * 60)


def test_values_stand_in_for_probabilities():
    told = {"file": "a.png", "class": "x", "probability": None, "value": -12345678.9}
    form = Text(("x", "y"), "value", 1)
    assert form.begin().split() == ["class", "value", "file"]
    assert form.lines([told]).split() == ["x", "-1.235e+07", "a.png"]
    assert Csv(("x", "y"), "value", 1).lines([told]) == "a.png,x,-12345678.9\n"


def test_json_has_no_word_for_a_number_that_is_none():
    assert Json().lines([entry("x", float("nan"))]).endswith('"probability": null}')


def test_the_bar_counts_the_files_and_failures_stand_above_it(capsys):
    stream = io.StringIO()
    console = CommandConsole(stream, live=True)
    columns = TextColumn("{task.description}", markup=False)
    bar = Progress(columns, console=console, auto_refresh=False, redirect_stdout=False)
    seconds = iter([0.0, 2.0, 2.05, 4.0])
    view = PredictionView(Csv(("x", "y"), "probability", 1), console, bar, lambda: next(seconds))
    with bar:
        for count in (100, 1, 1199):
            view.show([entry("x", 0.5)] * count)
        view.failed(PictureError("b\n[red].png", "it is cut off"))
    assert capsys.readouterr().out.count("a.png,x,0.5\n") == 1300
    shown = stream.getvalue()
    assert "100 files, 50 files/s" in shown
    assert "101 files" not in shown
    assert "1,300 files, 325 files/s" in shown
    assert "b\\n[red].png: it is cut off" in shown
    assert view.failures == 1


@pytest.mark.parametrize("form", [Text(("x",), "probability", 1), Csv(("x",), "probability", 1)])
def test_nothing_but_json_has_an_end(form):
    assert form.end(7) == ""
