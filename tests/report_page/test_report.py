"""``cnntrain report``: one page about a run, offline, and safe with anybody's names."""

import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import cnntrain
from cnntrain.cli.app import app
from cnntrain.report_page.curves import chart
from support.chromium import CHROMIUM, open_page


def report(*words):
    return CliRunner().invoke(app, ["report", *map(str, words), "--progress", "none"])


@pytest.fixture
def run(tiny_config, record, tmp_path):
    record(tiny_config(), tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def hostile_run(tmp_path, make_config, record):
    """A run on a folder of images whose classes and files have hostile names."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    names = ["a<b>&", "<script>alert(1)<\u2215script>"]
    for name in names:
        (folder / name).mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(0, 255, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}<img src=x onerror=alert(1)>.png")
    config = make_config(
        [{"fc": {"activation": "softmax"}}], data={"source": "images", "path": str(folder)}, Max=1, batch_size=8
    )
    record(config, tmp_path / "run")
    return tmp_path / "run"


class Tags(HTMLParser):
    """The tags of a page, with their attributes, and the text of each script."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.scripts, self._script = [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._script = [] if tag == "script" else self._script

    def handle_endtag(self, tag):
        if tag == "script":
            self.scripts.append("".join(self._script))
            self._script = None

    def handle_data(self, text):
        if self._script is not None:
            self._script.append(text)


def page_of(run):
    shown = report(run)
    assert shown.exit_code == 0, shown.stderr
    return (run / "report.html").read_text(encoding="utf-8")


def test_the_page_has_the_figures_of_the_evaluation(run):
    page, evaluation = page_of(run), cnntrain.evaluate(run)
    assert f"{evaluation['accuracy']:.2%}" in page
    for row in evaluation["per_class"]:
        assert f"{row['precision']:.1%}" in page if row["precision"] is not None else True
    cells = re.findall(r'data-cell="(\d+)-(\d+)">(\d*)<', page)
    matrix = np.zeros((3, 3), int)
    for true, chosen, count in cells:
        matrix[int(true), int(chosen)] = int(count or 0)
    assert matrix.tolist() == evaluation["confusion"]
    for words in (
        "multiply-adds",
        "cnntrain train run/config.yaml --out again",
        "cnntrain diff run again",
        "all epochs",
    ):
        assert words in page


def test_the_images_are_those_of_their_cells(run, tiny):
    page = page_of(run)
    data = json.loads(Tags(page).scripts[0])
    test = np.load(tiny)["x_test"]
    assert sum(map(len, data["cells"].values())) == len(test)
    for image in data["images"]:
        kind, _, content = image["url"].partition(";base64,")
        assert kind == "data:image/png"
        pixels = np.asarray(Image.open(BytesIO(base64.b64decode(content))))[..., 0]
        np.testing.assert_array_equal(pixels, test[image["sample"]])
    wrong = [row["sample"] for row in cnntrain.evaluate(run)["mistakes"]]
    assert [data["images"][i]["sample"] for i in data["mistakes"]] == wrong


def test_nothing_is_loaded_and_nothing_of_a_user_is_markup(hostile_run):
    page = page_of(hostile_run)
    parsed = Tags(page)
    policy = next(a["content"] for tag, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not [tag for tag, _ in parsed.tags if tag in ("img", "link", "iframe", "object", "embed", "base", "form")]
    assert not [a for _, a in parsed.tags if any(key.startswith("on") or key in ("src", "style") for key in a)]
    assert [a.get("type") for tag, a in parsed.tags if tag == "script"] == ["application/json", None]
    files = {image["file"] for image in json.loads(parsed.scripts[0])["images"]}
    assert all("<img src=x onerror=alert(1)>" in name for name in files)


def test_another_file_is_never_replaced_but_an_older_page_is(run, tmp_path):
    other = tmp_path / "mine.html"
    other.write_text("mine")
    refused = report(run, "--html", other)
    assert (refused.exit_code, refused.stdout, other.read_text()) == (2, "", "mine")
    assert "not replaced" in refused.stderr
    assert report(run, "--html", tmp_path).exit_code == 2
    assert report(run, "--html", tmp_path / "nowhere" / "a.html").exit_code == 2
    page = page_of(run)
    assert page_of(run) == page, "the same each time"
    result = json.loads(report(run, "--json").stdout)
    assert (result["bytes"], result["split"], result["samples"], result["images"]) == (
        len(page.encode()),
        "test",
        12,
        12,
    )


def test_what_is_no_run_is_refused_in_one_sentence(run, tmp_path):
    for path, status in ((tmp_path / "nowhere", 2), (run / "weights.safetensors", 2), (tmp_path, 5)):
        refused = report(path)
        assert (refused.exit_code, refused.stdout) == (status, "")
        assert len(refused.stderr.splitlines()) == 1


def test_files_that_were_edited_are_refused_or_left_out(run):
    (run / "summary.json").write_text('{"stop": 3, "train": {"loss": "<b>"}, "advice": [1], "best": 7, "seconds": "x"}')
    (run / "environment.json").write_text('{"cnntrain": 7, "blas": [[1], {"a": "<i>"}], "packages": {"<u>": "<s>"}}')
    assert not [tag for tag, _ in Tags(page_of(run)).tags if tag in ("b", "i", "u", "s")]
    (run / "summary.json").unlink()
    (run / "environment.json").unlink()
    assert "not finished" in page_of(run)
    (run / "summary.json").write_text("{")
    assert report(run).exit_code == 2


def test_many_classes_leave_out_the_matrix(tmp_path, make_config, record):
    rng = np.random.default_rng(0)
    labels = np.arange(140) % 70
    np.savez(tmp_path / "a.npz", x_train=rng.integers(0, 255, (140, 4, 4)).astype(np.uint8), y_train=labels,
             x_test=rng.integers(0, 255, (70, 4, 4)).astype(np.uint8), y_test=labels[:70])  # fmt: skip
    data = {"source": "npz", "path": str(tmp_path / "a.npz")}
    record(make_config([{"fc": {"activation": "softmax"}}], data=data, Max=1), tmp_path / "run")
    page = page_of(tmp_path / "run")
    assert 'id="matrix"' not in page
    assert "most frequent errors" in page


def test_a_chart_of_odd_rows_is_finite_or_empty():
    assert chart([], "loss") == ""
    assert chart([{"epoch": 1, "train_loss": float("nan")}], "loss") == ""
    one = chart([{"epoch": 1, "train_loss": 0.0}, {"epoch": "x", "train_loss": 1.0}], "loss")
    assert "nan" not in one
    long = chart([{"epoch": i + 1, "train_loss": 1 / (i + 1)} for i in range(5000)], "loss")
    assert len(long) < 20_000


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_browser_shows_the_images_of_a_cell(hostile_run):
    page_of(hostile_run)
    with open_page() as page:
        page.open(hostile_run / "report.html", width=400)
        assert page.run("document.documentElement.scrollWidth") <= 400
        page.hover('#matrix [data-cell="0-0"]')
        first = page.run("document.querySelector('#cell p').textContent")
        assert first.startswith(("<script>", "a<b>&"))
        count = page.run("Number(document.querySelector('#matrix .chosen').textContent || 0)")
        assert page.run("document.querySelectorAll('#cell img').length") == count
        page.run("document.querySelector('#matrix [data-cell=\"0-0\"]').focus()")
        page.press("ArrowRight")
        assert page.run("document.querySelector('#matrix .chosen').dataset.cell") == "0-1"
        page.press("ArrowDown")
        assert page.run("document.querySelector('#matrix .chosen').dataset.cell") == "1-1"
        assert page.run("Array.from(document.images).every((i) => i.complete && i.naturalWidth > 0)")
        assert [problem for problem in page.problems if not problem.startswith("a request for data:")] == []
