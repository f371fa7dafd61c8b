import csv
import io
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import cnntrain
from cnntrain.cli.app import app


@pytest.fixture(scope="module")
def run(make_config, tmp_path_factory):
    """A run on the digits, barely trained."""
    folder = tmp_path_factory.mktemp("digits") / "run"
    layers = [{"fc": {"activation": "softmax"}}]
    cnntrain.train(make_config(layers, data={"source": "digits"}, Max=1, workers=1), out=folder, plots=False)
    return str(folder)


@pytest.fixture
def images(tmp_path, monkeypatch):
    """A folder of images, which is the current one."""
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(["a.png", "b c.jpg", "in/d.gif", "in/[e].bmp"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "bad.png").write_text("not an image")
    return tmp_path


def predict(*words, input=None):
    return CliRunner().invoke(app, ["predict", *words], input=input)


def test_lines_that_line_up_with_the_names_last(run, images):
    shown = predict(run, "a.png", "in")
    assert shown.exit_code == 0
    titles, *lines = shown.stdout.splitlines()
    assert titles == "class   probability   file"
    assert [line.split()[-1] for line in lines] == ["a.png", "in/[e].bmp", "in/d.gif"]
    assert {line.index(" %") for line in lines} == {titles.index("y   file") - 1}
    assert shown.stderr == ""


def test_several_classes_a_line(run, images):
    titles, line = predict(run, "a.png", "--top", "2").stdout.splitlines()
    assert titles.split() == ["class", "probability"] * 2 + ["file"]
    assert line.count("%") == 2


def test_json_is_what_the_python_function_gives(run, images):
    shown = predict(run, "in", "b c.jpg", "--json", "--top", "3")
    wanted = cnntrain.load(run).predict(["in", "b c.jpg"], top=3)
    assert json.loads(shown.stdout) == {"predictions": wanted, "failed": 0}
    assert shown.exit_code == 0


def test_csv(run, images):
    shown = predict(run, "a.png", "in", "--csv", "--top", "2")
    rows = list(csv.reader(io.StringIO(shown.stdout)))
    assert rows[0] == ["file", "class", "probability", "class_2", "probability_2"]
    wanted = cnntrain.load(run).predict(["a.png", "in"], top=2)
    assert rows[1:] == [
        [entry["file"], *(str(guess[key]) for guess in entry["top"] for key in ("class", "probability"))]
        for entry in wanted
    ]


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_what_cannot_be_read_is_told_and_the_rest_goes_on(run, images, form):
    shown = predict(run, "bad.png", "a.png", "no\nsuch", "in", *form)
    assert shown.exit_code == 4
    assert shown.stdout.count("in/") == 2
    assert shown.stderr.splitlines() == [
        "error: bad.png: it is not a JPEG, PNG, BMP, GIF, WebP, TIFF or PPM image, or its header is damaged",
        "error: no\\nsuch: it cannot be read: No such file or directory",
    ]
    if form == ["--json"]:
        assert json.loads(shown.stdout)["failed"] == 2


def test_nothing_but_failures(run, images):
    shown = predict(run, "bad.png", "--json")
    assert json.loads(shown.stdout) == {"predictions": [], "failed": 1}
    assert shown.exit_code == 4


def test_an_empty_folder_is_a_failure(run, images):
    (images / "empty").mkdir()
    shown = predict(run, "empty")
    assert (shown.exit_code, shown.stderr) == (4, "error: empty: there is no image in this folder\n")


def test_what_is_left_out_of_a_folder_is_noted(run, images):
    (images / "in" / "x.jp2").write_bytes(b"")
    (images / "in" / "about.txt").write_text("")
    shown = predict(run, "in", "--json")
    assert shown.exit_code == 0
    assert len(json.loads(shown.stdout)["predictions"]) == 2
    assert shown.stderr.splitlines() == [
        "note: in: 1 JPEG 2000 image cannot be read: convert it to JPEG or PNG",
        "note: in: skipped 1 file that is not an image (.txt 1)",
    ]


def test_a_name_in_another_form_of_unicode(run, images):
    os.rename(images / "a.png", images / "gru\u0308n.png")
    os.rename(images / "b c.jpg", images / "\u00e4.jpg")
    shown = predict(run, "-", "--json", input="gr\u00fcn.png\na\u0308.jpg\n")
    assert shown.exit_code == 0
    assert [each["file"] for each in json.loads(shown.stdout)["predictions"]] == ["gru\u0308n.png", "\u00e4.jpg"]


def test_names_from_stdin(run, images):
    os.link(b"a.png", b"\xff \t.png")
    names = b"b c.jpg\r\n\n\xff \t.png\r\n\nin"
    shown = predict(run, "-", "--json", input=names)
    assert shown.exit_code == 0
    files = [entry["file"] for entry in json.loads(shown.stdout)["predictions"]]
    assert files == ["b c.jpg", os.fsdecode(b"\xff \t.png"), "in/[e].bmp", "in/d.gif"]
    text = predict(run, "-", input=names).stdout
    assert "\\udcff \\t.png" in text


def test_names_cannot_move_the_cursor(run, images):
    os.link("a.png", "\x1b[2J.png")
    assert predict(run, "\x1b[2J.png").stdout.splitlines()[1].endswith(r"\x1b[2J.png")


def test_words_that_do_not_go_together(run, images):
    assert predict(run, "a.png", "--json", "--csv").exit_code == 2
    assert predict(run, "a.png", "--top", "0").exit_code == 2
    assert predict(run).exit_code == 2


def test_missing_weights_are_status_5(images):
    shown = predict("nothing", "a.png", "--json")
    assert shown.exit_code == 5
    message = "nothing: no weights here; a run folder or a .safetensors file is needed"
    assert json.loads(shown.stdout) == {"error": {"kind": "WeightsError", "message": message, "exit": 5}}
    assert shown.stderr == f"error: {message}\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_ctrl_c_leaves_whole_json(run, images):
    words = [sys.executable, "-m", "cnntrain", "predict", run, "-", "--json"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(b"a.png\n" * 500)
        process.stdin.flush()
        begin = process.stdout.readline() + process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.stderr.read() == b"stopped\n"
    assert process.returncode == 130
    assert json.loads(begin + rest)["predictions"][0]["file"] == "a.png"


@pytest.mark.skipif(os.name == "nt", reason="Windows tells of a closed pipe in another way")
def test_a_closed_pipe_is_status_141(run, images):
    words = [sys.executable, "-m", "cnntrain", "predict", run, *["a.png"] * 2000]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_csv_holds_names_as_they_are(run, images):
    names = [b"caf\xe9.png", b"line\r.png", b"line\n.png", '猫, "x".png'.encode()]
    for name in names:
        os.link(b"a.png", name)
    shown = predict(run, *map(os.fsdecode, names), "--csv")
    assert shown.exit_code == 0
    text = io.StringIO(shown.stdout_bytes.decode("utf-8", "surrogateescape"), newline="")
    rows = list(csv.reader(text, strict=True))[1:]
    assert [os.fsencode(row[0]) for row in rows] == names
    assert all(os.path.exists(os.fsencode(row[0])) for row in rows)


def test_lists_of_names_as_windows_and_find_write_them(run, images):
    for content in (b"\xef\xbb\xbfa.png\r\n", "a.png\r\n".encode("utf-16"), b"a.png\0"):
        shown = predict(run, "-", "--json", input=content)
        assert [entry["file"] for entry in json.loads(shown.stdout)["predictions"]] == ["a.png"]
        assert shown.exit_code == 0


def test_a_name_that_is_none_is_not_repeated_whole(run, images):
    shown = predict(run, "-", input=b"x" * 10_000_000)
    assert shown.exit_code == 2
    assert len(shown.stderr) < 200
    shown = predict(run, "-", input=b"x" * 30_000)
    assert shown.exit_code == 4
    assert len(shown.stderr) < 600


def test_a_table_of_images_among_files(run, images):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64))
    rows = "\n".join(",".join(map(str, row)) for row in pixels.tolist())
    (images / "test.csv").write_text(",".join(f"pixel{i}" for i in range(64)) + "\n" + rows)
    shown = predict(run, "test.csv", "a.png", "--csv")
    titles, *lines = csv.reader(io.StringIO(shown.stdout))
    assert titles == ["file", "sample", "class", "probability"]
    assert [line[:2] for line in lines] == [["test.csv", "0"], ["test.csv", "1"], ["test.csv", "2"], ["a.png", ""]]
    assert [line.split()[-1] for line in predict(run, "test.csv").stdout.splitlines()[1:]] == [
        "test.csv[0]",
        "test.csv[1]",
        "test.csv[2]",
    ]
    assert predict(run, "-", input=b"test.csv\n").exit_code == 2
