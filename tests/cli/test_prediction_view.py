import io
import os

import pytest
from rich.cells import cell_len
from rich.progress import Progress, TextColumn

from cnntrain.cli.views.console import CommandConsole
from cnntrain.cli.views.prediction_text import Csv, Json, Text
from cnntrain.cli.views.prediction_view import PredictionView, goes_to_a_file
from cnntrain.errors import ImageError


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
        view.failed(ImageError("b\n[red].png", "it is cut off"))
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


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("top", [1, 2, 3])
@pytest.mark.parametrize("classes", [("cat", "dog", "emu"), ("a rather long name of a class", "猫" * 30, "x")])
def test_a_terminal_has_the_file_first_and_lines_that_fit(width, top, classes):
    form = Text(classes, "probability", top, width)
    guesses = [{"class": name, "probability": 1.0} for name in classes[:top]]
    row = {"file": "holiday/2024/somewhere far away/IMG_0001.jpeg", "top": guesses}
    lines = [*form.begin().splitlines(), *form.lines([row, row | {"file": "a.png"}]).splitlines()]
    if width >= 80:
        assert max(map(cell_len, lines)) <= width
    assert lines[0].split()[:2] == ["file", "class"]
    assert lines[1].startswith("holi")
    assert lines[1].count("100.00 %") == top
    assert lines[2].startswith("a.png ")


def test_a_bar_is_drawn_only_where_lines_are_not_seen(tmp_path):
    reader, writer = os.pipe()
    with open(writer, "w") as pipe, open(tmp_path / "file", "w") as file:
        assert goes_to_a_file(file)
        assert not goes_to_a_file(pipe)
    os.close(reader)
    assert not goes_to_a_file(io.StringIO())
