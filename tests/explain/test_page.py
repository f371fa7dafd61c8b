"""The page: the engine's numbers, nothing from elsewhere, and hostile names stay text. In Chromium, where there is one:
it recomputes its numbers, lights what belongs together, and writes out the arithmetic."""

import base64
import hashlib
import json
import re
from contextlib import ExitStack
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from cnntrain.builder import build_for
from cnntrain.config import config_from_dict
from cnntrain.data.dataset import Dataset
from cnntrain.data.preprocessing import Preprocessing
from cnntrain.data.splits import Data
from cnntrain.explain.page import data as page_data
from cnntrain.explain.page.html import examples_page, sample_page
from cnntrain.explain.step import Position, take_step
from cnntrain.explain.subject import trace_subject
from support.chromium import CHROMIUM, open_page

in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
HOSTILE = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(2)>", "a\u202eb\x1b[31m", "'\"&amp;"]
LAYERS = [
    {"conv": {"K": 3, "F": 3, "P": 1, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"conv": {"K": 4, "F": 2}},
    {"batch_norm": {"activation": "tanh"}},
    {"pool": {"k": 2, "S": 1, "type": "average"}},
    {"dropout": {"rate": 0.3}},
    {"fc": {"units": 6, "activation": "elu"}},
    {"fc": {"activation": "softmax"}},
]
TRAINING = {"momentum": 0.9, "l2": 0.01, "l1": 0.001, "clip_norm": 1.0, "label_smoothing": 0.1}


def make_subject(layers=LAYERS, shape=(2, 7, 8), training=TRAINING, N=1, classes=tuple(HOSTILE)):
    """A network with random numbers in all parameters, and random samples."""
    config = config_from_dict({"network": {"input": list(shape), "layers": layers}, "training": training}, "page")
    rng = np.random.default_rng(3)
    labels = np.arange(len(classes))
    samples = Dataset(rng.integers(0, 255, (len(classes), *shape)).astype(np.uint8), labels)
    data = Data(samples, None, None, classes, Preprocessing.none(shape[0]))
    network = build_for(config, data, dtype="float64")
    network.theta[: network.layout.trainable_count] += rng.normal(0, 0.1, network.layout.trainable_count)
    x, y = rng.normal(size=(N, *shape)), rng.integers(0, len(classes), N)
    subject = trace_subject(network, x, y, source="a<b>&'\"", classes=classes, file="<svg onload=alert(3)>.png")
    states = rng.uniform(0, 0.01, (config.training.state_rows, network.theta.size))
    return replace(subject, step=take_step(network, config.training, x, y, Position(states=states)))


class Parts(HTMLParser):
    """The elements of a page, and the text of scripts and styles."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.texts, self.attributes = [""], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attributes]

    def handle_endtag(self, tag):
        self.tags.append("")

    def handle_data(self, text):
        self.texts.append((self.tags[-1], text))

    @property
    def data(self):
        return json.loads(next(text for tag, text in self.texts if tag == "script"))


def test_every_array_of_the_page_is_the_engines():
    subject = make_subject()
    entries = Parts(sample_page(subject, "en")).data["entries"]
    assert [entry["kind"] for entry in entries] == [next(iter(layer)) for layer in LAYERS]
    for entry, layer in zip(entries, subject.trace, strict=True):
        for name, stored in entry["arrays"].items():
            if name in layer.arrays() and "data" in stored:
                expected = layer.arrays()[name]
                expected = expected[0] if name in ("mean", "var") else expected
                assert stored["shape"] == list(expected.shape)
                np.testing.assert_array_equal(np.ravel(expected), stored["data"])


def test_the_page_is_one_file_that_asks_for_nothing():
    text = sample_page(make_subject(), "en")
    assert len(text.encode()) < 2_000_000
    assert not re.findall(r"https?://|//\w+\.\w+|@import|url\(", text)
    parts = Parts(text)
    assert not {"img", "link", "iframe", "object", "base", "form", "svg"} & set(parts.tags)
    assert not [each for each in parts.attributes if each[1] in ("src", "href", "style") or each[1].startswith("on")]
    policy = next(value for tag, name, value in parts.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind, tag in (("script", "script"), ("style", "style")):
        content = [text for of, text in parts.texts if of == tag][-1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_hostile_names_stay_text():
    text = sample_page(make_subject(), "en")
    parts = Parts(text)
    assert parts.tags.count("script") == 2
    assert "alert" not in "".join(content for tag, content in parts.texts if tag != "script")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<" not in text.split('id="data">')[1].split("</script>")[0]


@pytest.mark.slow
def test_a_page_that_would_be_too_large_is_cut_and_says_so():
    layers = [
        {"conv": {"K": 24, "F": 3, "P": 1, "activation": "relu"}},
        {"conv": {"K": 24, "F": 3, "P": 1}},
        {"batch_norm": {"activation": "relu"}},
        {"pool": {"k": 2, "type": "max"}},
        {"fc": {"units": 50, "activation": "relu"}},
        {"fc": {"activation": "softmax"}},
    ]
    subject = make_subject(layers, (3, 26, 26))
    text = sample_page(subject, "en")
    assert len(text.encode()) < 2_000_000
    entries = Parts(text).data["entries"]
    assert any(entry["cut"] for entry in entries)
    assert all(entry["arrays"] for entry in entries)
    tiny = page_data.entries_data(subject.entries(), subject.step, 1000)
    assert [entry["arrays"] for entry in tiny] == [{}] * len(layers)


def test_thousands_of_classes_with_long_names_fit():
    classes = tuple(f"{'long' * 30} {i}" for i in range(3000))
    text = sample_page(make_subject([{"fc": {"activation": "softmax"}}], (1, 4, 4), classes=classes), "en")
    assert len(text.encode()) < 2_000_000
    assert len(Parts(text).data["classes"]) in (100, 101)


def test_both_languages_are_there():
    for language in ("en", "zh"):
        data = Parts(sample_page(make_subject(), language)).data
        assert data["language"] == language
        assert all(set(texts) == {"en", "zh"} for texts in data["texts"].values())


@pytest.fixture(scope="module")
def browser():
    with ExitStack() as stack:
        try:
            page = stack.enter_context(open_page())
        except (OSError, RuntimeError) as error:
            pytest.skip(f"Chromium does not start here: {error}")
        yield page


def opened(browser, tmp_path, text, **window):
    file = tmp_path / "page.html"
    file.write_text(text, encoding="utf-8")
    browser.problems.clear()
    browser.open(file, **window)
    return browser


NETWORKS = {
    "all kinds": {},
    "several samples": {"N": 3},
    "without momentum, mse": {
        "layers": [{"conv": {"K": 2, "F": 3, "S": 2, "activation": "softplus"}}, {"fc": {"activation": "sigmoid"}}],
        "training": {"loss": "mse"},
    },
    "softmax with mse, adamw": {
        "layers": [
            {"conv": {"K": 2, "F": 2, "P": 2, "S": 3, "activation": "leaky_relu"}},
            {"fc": {"activation": "softmax"}},
        ],
        "training": {"loss": "mse", "optimizer": "adamw", "class_weights": [1.0, 2.0, 0.5, 3.0]},
    },
    "a vector normalized, rmsprop": {
        "layers": [{"fc": {"units": 5}}, {"batch_norm": {"activation": "relu"}}, {"fc": {"activation": "softmax"}}],
        "training": {"optimizer": "rmsprop", "reduction": "sum"},
        "N": 4,
    },
    "overlapping pools, nesterov, adam": {
        "layers": [
            {"pool": {"k": 3, "S": 2, "type": "max"}},
            {"pool": {"k": 2, "S": 1, "type": "average"}},
            {"pool": {"k": "all", "type": "average"}},
            {"fc": {"activation": "softmax"}},
        ],
        "training": {"momentum": 0.9, "nesterov": True},
    },
    "residual, padded pools": {
        "layers": [
            {"conv": {"K": 3, "F": 3, "P": 1, "activation": "tanh"}},
            {
                "residual": {
                    "layers": [
                        {"conv": {"K": 4, "F": 3, "P": 1, "S": 2}},
                        {"batch_norm": {"activation": "elu"}},
                        {"residual": {"layers": [{"conv": {"K": 4, "F": 1, "activation": "tanh"}}, {"dropout": {}}]}},
                    ],
                    "activation": "softplus",
                }
            },
            {"pool": {"k": 3, "S": 2, "P": 1, "type": "max"}},
            {"pool": {"k": 3, "S": 1, "P": 1, "type": "average"}},
            {"fc": {"activation": "softmax"}},
        ],
        "N": 2,
    },
    "ends in an image": {
        "layers": [{"conv": {"K": 4, "F": 3, "activation": "tanh"}}, {"pool": {"k": "all", "type": "max"}}],
        "training": {"loss": "mse", "optimizer": "adam"},
    },
}


@in_chromium
@pytest.mark.parametrize(
    "name",
    [
        name if name in ("all kinds", "residual, padded pools") else pytest.param(name, marks=pytest.mark.slow)
        for name in NETWORKS
    ],
)
def test_the_page_recomputes_every_number(browser, tmp_path, name):
    subject = make_subject(**NETWORKS[name])
    page = opened(browser, tmp_path, sample_page(subject, "en"))
    checked = page.run("({...document.getElementById('checked').dataset})")
    computed = sum(
        layer.arrays()[array].size
        for _, layer in subject.trace.walk()
        for array in ("delta", "dx", "dW", "db", "dgamma")
        if array in layer.arrays()
    )
    assert int(checked["numbers"]) > computed
    assert int(checked["left"]) == 0
    assert float(checked["difference"]) < 1e-12
    assert page.problems == []
    for position in range(len(subject.entries())):
        page.run(f"go({position})")
        assert page.run("document.querySelectorAll('#main td[data-key]').length") > 0
    assert page.problems == []


@in_chromium
def test_a_wrong_number_is_found(browser, tmp_path):
    subject = make_subject()
    subject.trace[2].z[0, 1, 1, 1] += 1e-6
    page = opened(browser, tmp_path, sample_page(subject, "en"))
    assert page.run("document.querySelector('#checked .wrong').textContent") is not None
    assert page.run("CHECK.where").startswith(("2 ", "3 "))
    assert page.run("CHECK.worst") > 1e-8


@in_chromium
def test_hostile_names_do_nothing_in_a_browser(browser, tmp_path):
    page = opened(browser, tmp_path, sample_page(make_subject(), "en"))
    page.run("go(7)")
    assert "</script><script>alert(1)</script>" in page.run("document.querySelector('table.classes').textContent")
    assert page.run("document.querySelectorAll('img, svg, script').length") == 2
    assert page.problems == []


@in_chromium
def test_pointing_at_a_pixel_lights_its_window_and_the_deltas_that_come_back(browser, tmp_path):
    subject = make_subject()
    page = opened(browser, tmp_path, sample_page(subject, "en"))
    page.run("choose({filter: 1, channel: 0})")
    page.hover('td[data-key="0|z|0,1,3,4"]')
    lit = page.run("[...document.querySelectorAll('table[data-array=x] .lit')].map(td => td.dataset.key)")
    assert lit == [f"0|x|0,0,{r},{c}" for r in (2, 3, 4) for c in (3, 4, 5)]
    text = page.run("document.getElementById('arithmetic').textContent")
    assert text.startswith("z[1,3,4] = Σ x·W + b")
    z = subject.trace[0].z[0, 1, 3, 4]
    assert f"{z:.6g}"[:6] in text
    page.hover('td[data-key="0|x|0,0,3,4"]')
    deltas = page.run("[...document.querySelectorAll('table[data-array=delta] .lit')].map(td => td.dataset.key)")
    assert deltas == [f"0|delta|0,1,{r},{c}" for r in (2, 3, 4) for c in (3, 4, 5)]
    assert page.run("document.querySelectorAll('table[data-array=z] .lit-back').length") == 9
    assert page.run("document.getElementById('arithmetic').textContent").startswith("∂J/∂x[0,3,4] = Σ δ·W")
    turned = page.run(
        "[...document.querySelectorAll('table[data-array=W]')].map(t => t.querySelectorAll('.lit').length)"
    )
    assert turned == [9, 9]
    page.hover('td[data-key="0|W|1,0,0,2"]')
    text = page.run("document.getElementById('arithmetic').textContent")
    assert text.startswith("∂J/∂W[1,0,0,2] = Σ δ·x")
    assert "Step: W[1,0,0,2]" in text
    assert page.problems == []


@in_chromium
def test_the_page_begins_with_what_was_asked_for(browser, tmp_path):
    subject = make_subject()
    page = opened(browser, tmp_path, sample_page(subject, "en", "2", 3, (1, 2)))
    assert page.run("document.querySelector('h2').textContent").startswith("layers[2] conv")
    assert page.run("document.getElementById('choose-page_filter').value") == "3"
    assert ",1,2] = Σ δ·W" in page.run("document.getElementById('arithmetic').textContent")
    assert page.problems == []


@in_chromium
def test_keys_move_through_a_table_and_the_map_through_the_network(browser, tmp_path):
    page = opened(browser, tmp_path, sample_page(make_subject(), "en"))
    page.run("document.querySelector('table[data-array=z] td').focus()")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp"):
        page.press(key)
    assert page.run("document.activeElement.dataset.key").endswith("0,2")
    assert page.run("document.getElementById('arithmetic').textContent").startswith("z[")
    assert page.run("document.querySelectorAll('[tabindex=\"0\"]').length") > 3
    page.run("document.querySelector('#map button[data-position=\"3\"]').focus()")
    page.press("Enter")
    page.run("document.querySelector('#map button[data-position=\"3\"]').click()")
    assert page.run("document.querySelector('h2').textContent").startswith("layers[3] batch_norm")
    assert page.run("document.querySelector('[aria-current]').dataset.position") == "3"
    assert page.problems == []


@in_chromium
@pytest.mark.slow
def test_languages_switch_and_both_themes_are_there(browser, tmp_path):
    page = opened(browser, tmp_path, sample_page(make_subject(), "en"), dark=True)
    dark = page.run("getComputedStyle(document.body).backgroundColor")
    page.run("document.getElementById('theme').click()")
    assert page.run("getComputedStyle(document.body).backgroundColor") != dark
    english = page.run("document.body.innerText")
    page.run("document.getElementById('language').click()")
    assert page.run("document.documentElement.lang") == "zh"
    assert "前向传播" in page.run("document.body.innerText") != english
    assert page.problems == []


@in_chromium
@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_is_wider_than_the_window(browser, tmp_path, width):
    page = opened(browser, tmp_path, sample_page(make_subject(), "zh"), width=width)
    for position in range(len(LAYERS)):
        page.run(f"go({position})")
        assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("document.querySelectorAll('math').length") > 0


@in_chromium
@pytest.mark.slow
def test_the_page_of_a_network_that_is_cut_is_right_in_what_it_shows(browser, tmp_path):
    layers = [
        {"conv": {"K": 16, "F": 5, "P": 2, "activation": "relu"}},
        {"pool": {"k": 2, "type": "max"}},
        {"conv": {"K": 24, "F": 3, "S": 2}},
        {"batch_norm": {"activation": "relu"}},
        {"fc": {"units": 30, "activation": "relu"}},
        {"fc": {"activation": "softmax"}},
    ]
    subject = make_subject(layers, (3, 40, 40))
    page = opened(browser, tmp_path, sample_page(subject, "en"))
    checked = page.run("({...document.getElementById('checked').dataset})")
    assert int(checked["numbers"]) > 1000
    assert int(checked["left"]) > 0
    assert float(checked["difference"]) < 1e-12, page.run("CHECK.where")
    assert "more numbers are shown" in page.run("document.getElementById('checked').textContent")
    page.run("go(2)")
    assert "The page holds a part" in page.run("document.getElementById('main').textContent")
    assert page.problems == []


@in_chromium
def test_the_examples_have_a_page(browser, tmp_path):
    page = opened(browser, tmp_path, examples_page("en"))
    assert page.run("document.querySelectorAll('#map button').length") == 4
    assert float(page.run("document.getElementById('checked').dataset.difference")) == 0
    page.run("go(0)")
    upsampled = page.run("[...document.querySelectorAll('table[data-array=dx] td')].map(td => Number(td.textContent))")
    assert upsampled == [2, 0, 0, 0, 0, 0, 0, 8, 0, 4, 0, 0, 0, 0, 6, 0]
    page.run("go(2)")
    page.hover('td[data-key="2|dx|0,0,1,1"]')
    assert "22" in page.run("document.getElementById('arithmetic').textContent")
    assert page.problems == []
