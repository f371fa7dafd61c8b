"""``cnntrain data list``, ``fetch`` and ``info``."""

import hashlib
import io
import json
from dataclasses import replace

import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.cli.options import ProgressMode
from cnntrain.cli.views import progress_view
from cnntrain.cli.views.data_text import facts_lines
from cnntrain.cli.views.progress_view import Lines
from cnntrain.config.schema.config import SOURCES
from cnntrain.data.downloads.registry import MNIST, REGISTRY, File


def run(*words: str):
    return CliRunner().invoke(app, ["data", *words])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNTRAIN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


CONTENTS = {file.name: file.name.encode() * 9 for file in MNIST.files}


@pytest.fixture
def server(serve, monkeypatch):
    """A mirror of something that is called mnist; the true servers are never asked."""
    files = tuple(File(name, len(text), hashlib.sha256(text).hexdigest()) for name, text in CONTENTS.items())
    monkeypatch.setitem(REGISTRY, "mnist", replace(MNIST, files=files, servers=()))
    return serve(CONTENTS)


# --- list ------------------------------------------------------------------------------------------------------------


def test_the_list_has_every_source(cache):
    shown = run("list")
    assert shown.exit_code == 0
    rows = {line.split()[0]: line for line in shown.stdout.splitlines() if line.strip()}
    assert set(SOURCES) <= set(rows)
    assert "60,000 + 10,000" in rows["mnist"]
    assert rows["mnist"].rstrip().endswith("no")
    assert f"cache: {cache}" in shown.stdout


def test_the_list_as_json_tells_what_is_cached(server):
    def mnist():
        (found,) = [source for source in json.loads(run("list", "--json").stdout)["sources"] if source["named"]][:1]
        return found

    assert mnist()["cached"] is False
    run("fetch", "mnist", "--mirror", server.url)
    assert mnist()["cached"] is True
    assert mnist()["download_bytes"] == sum(map(len, CONTENTS.values()))
    described = json.loads(run("list", "--json").stdout)["sources"]
    assert [source["source"] for source in described] == list(SOURCES)
    assert all(source["what"] for source in described)


# --- fetch -----------------------------------------------------------------------------------------------------------


def test_fetch_downloads_once_and_says_where(server, cache):
    shown = run("fetch", "mnist", "--mirror", server.url)
    assert (shown.exit_code, shown.stdout) == (0, f"mnist: {cache}/downloads/mnist (918 bytes)\n")
    assert shown.stderr.splitlines() == [f"downloading mnist: {name}" for name in CONTENTS]
    again = run("fetch", "mnist", "mnist", "--json")
    assert again.exit_code == 0
    entry = {"source": "mnist", "path": f"{cache}/downloads/mnist", "bytes": 918}
    assert json.loads(again.stdout) == {"fetched": [entry, entry]}
    assert again.stderr == ""
    assert sum(server.asked.values()) == 4


def test_a_server_that_has_it_not_is_told(server):
    server.mode = "404"
    shown = run("fetch", "mnist", "--mirror", server.url, "--progress", "none")
    assert shown.exit_code == 4
    assert shown.stdout == ""
    assert shown.stderr.startswith(
        "error: mnist: train-images-idx3-ubyte.gz could not be downloaded: http://127.0.0.1:"
    )
    assert "the server answers 404 Not Found" in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mnits"], "there is no dataset named 'mnits' to fetch; did you mean 'mnist'?"),
        (["idx"], "there is no dataset named 'idx' to fetch; available: mnist, fashion-mnist, kmnist"),
        (["mnist", "--mirror", "x"], "--mirror: expected a URL that begins with http:// or https://, got 'x'"),
    ],
)
def test_wrong_words_are_told(words, told):
    shown = run("fetch", *words)
    assert shown.exit_code == 2
    assert told in shown.stderr


# --- info ------------------------------------------------------------------------------------------------------------


def test_info_counts_and_measures():
    shown = run("info", "digits", "data.validation=0.1")
    assert shown.exit_code == 0
    assert "samples    1,293 train, 144 validation, 360 test; 10 classes" in shown.stdout
    assert "1 x 8 x 8 (channels x rows x columns), uint8" in shown.stdout
    (row,) = [line.split() for line in shown.stdout.splitlines() if line.startswith("3 ")]
    assert row == ["3", "3", "131", "15", "37"]


def test_info_of_pictures_fits_a_terminal():
    sizes = {"smallest": [121, 300], "median": [1275, 1300], "largest": [3000, 4000]}
    result = {"source": "images", "path": "photos", "samples": {"train": 559, "validation": 62, "test": 155}}
    result |= {"classes": [None] * 8, "choices": [], "image_shape": [3, 64, 64], "pixels": "uint8"}
    lines = facts_lines(result | {"image_sizes": sizes, "mean": [0.5412] * 3, "std": [0.3013] * 3})
    assert lines[3:5] == [
        "files      121 x 300 to 3000 x 4000 (rows x columns), in the middle 1275 x 1300",
        "mean       0.5412 0.5412 0.5412 of each channel, pixels in 0..1, training images",
    ]
    assert max(map(len, lines)) <= 80


def test_info_takes_a_config(digits_file):
    result = json.loads(run("info", str(digits_file), "--json").stdout)
    assert result["source"] == "digits"
    assert result["samples"] == {"train": 1293, "validation": 144, "test": 360}
    assert len(result["classes"]) == 10


def test_a_config_without_data_is_told(network_file):
    shown = run("info", str(network_file))
    assert shown.exit_code == 2
    assert shown.stderr == f"error: {network_file}: this config has no data section\n"


def test_info_draws_a_sheet_but_overwrites_nothing(tmp_path):
    path = tmp_path / "digits.png"
    shown = run("info", "digits", "--sheet", str(path), "--json")
    assert json.loads(shown.stdout)["sheet"] == str(path)
    with Image.open(path) as image:
        assert image.size > (500, 500)
    before = path.read_bytes()
    again = run("info", "digits", "--sheet", str(path))
    assert again.exit_code == 2
    assert "already exists and is not overwritten" in again.stderr
    assert path.read_bytes() == before


def test_a_sheet_does_not_replace_a_link(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    shown = run("info", "digits", "--sheet", str(tmp_path / "a.png"))
    assert shown.exit_code == 2
    assert "already exists and is not overwritten" in shown.stderr
    assert (tmp_path / "a.png").is_symlink()
    assert not (tmp_path / "gone.png").exists()


@pytest.mark.parametrize(("name", "told"), [("a.jpg", "must end in .png"), ("no/a.png", "there is no folder ")])
def test_a_place_where_no_sheet_can_be_is_told(tmp_path, name, told):
    shown = run("info", "digits", "--sheet", str(tmp_path / name))
    assert shown.exit_code == 2
    assert told in shown.stderr


def test_what_is_no_source_is_told():
    shown = run("info", "mnits")
    assert shown.exit_code == 4
    assert "mnits is neither a folder, nor a file, nor a data set known by name; did you mean 'mnist'?" in shown.stderr


# --- how loading is shown --------------------------------------------------------------------------------------------


def test_lines_come_when_something_begins_and_every_ten_seconds():
    text, now = io.StringIO(), [0.0]
    lines = Lines(Console(file=text, width=100), lambda: now[0])
    for second, done in ((0, 0), (4, 10), (11, 50), (12, 60), (23, 70)):
        now[0] = second
        lines.report(done, 100, "downloading a")
    lines.report(0, 0, "unpacking")
    assert text.getvalue().splitlines() == ["downloading a", "downloading a (50%)", "downloading a (70%)", "unpacking"]


def test_a_bar_is_shown_on_a_terminal_alone(monkeypatch):
    text = io.StringIO()
    monkeypatch.setattr(progress_view, "messages", lambda live=False: Console(file=text, force_terminal=live, width=80))
    with progress_view.open_reporter(ProgressMode.RICH) as reporter:
        reporter.progress(1, 4, "downloading [mnist]")
        reporter.progress(2, 4, "downloading [mnist]")
    assert "downloading [mnist]" in text.getvalue()
    assert "50%" in text.getvalue()


OWN = "0123456789abcdef01234567-0123456789abcdef01234567.npy"


def test_clear_removes_decoded_images_and_nothing_else(cache):
    images = cache / "images"
    images.mkdir(parents=True)
    (cache / "downloads" / "mnist").mkdir(parents=True)
    for name in ("thesis.npy", "letter.tmp", "notes.txt", OWN[1:]):
        (images / name).write_text("mine")
    (images / OWN.replace("0", "f")).symlink_to("thesis.npy")
    (images / OWN).write_bytes(bytes(5000))
    (images / f"{OWN}.01234567.tmp").write_bytes(bytes(5000))
    before = {path.name for path in images.iterdir()}
    listed = json.loads(run("list", "--json").stdout)["decoded_images"]
    assert (listed["files"], listed["path"]) == (2, str(images))
    assert "decoded images: 10 kB in 2 files; `cnntrain data clear` removes them" in run("list").stdout
    shown = json.loads(run("clear", "--json").stdout)
    assert shown["bytes"] == listed["bytes"] == 10_000
    assert {path["path"] for path in shown["removed"]} == {str(images / OWN), str(images / f"{OWN}.01234567.tmp")}
    assert before - {path.name for path in images.iterdir()} == {OWN, f"{OWN}.01234567.tmp"}
    assert (cache / "downloads" / "mnist").is_dir()
    assert run("clear").stdout.strip() == f"removed 0 files of decoded images, 0 bytes, from {images}"


def test_clear_leaves_alone_what_is_in_use_and_what_a_link_leads_to(cache, tmp_path):
    from cnntrain.data.image_folder import cache_cleanup

    (cache / "images").mkdir(parents=True)
    with cache_cleanup.create(cache / "images" / f"{OWN}.01234567.tmp"):
        assert "01234567.tmp is in use by another process and was kept" in run("clear").stdout
    (cache / "images").rename(tmp_path / "elsewhere")
    (cache / "images").symlink_to(tmp_path / "elsewhere")
    shown = run("clear")
    assert shown.exit_code == 2
    assert "this is a link; nothing is removed from its target" in shown.stderr
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1
