"""``cnntrain explain``: what it prints, in 80 columns, and what it says of wrong words."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

import cnntrain
from cnntrain import textbook
from cnntrain.cli.app import app
from cnntrain.cli.views.explain_layout import matrix_lines, side_by_side, wrapped
from cnntrain.explain.texts import dictionary

LAYERS = """\
data: {source: digits}
network:
  layers:
    - conv: {K: 3, F: 3, P: 1, activation: relu}
    - pool: {k: 2, type: max}
    - conv: {K: 4, F: 2}
    - batch_norm: {activation: tanh}
    - pool: {k: 2, S: 1, type: average}
    - dropout: {rate: 0.3}
    - fc: {units: 6, activation: sigmoid}
    - fc: {activation: softmax}
training: {Max: 1, batch_size: 64, momentum: 0.9, l2: 0.01, l1: 0.001, clip_norm: 1.0, workers: 1}
"""


@pytest.fixture(scope="module")
def config_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("explain") / "all.yaml"
    path.write_text(LAYERS)
    return path


@pytest.fixture(scope="module")
def run(config_file):
    folder = config_file.parent / "run"
    cnntrain.train(cnntrain.load_config(config_file), out=folder, plots=False)
    return folder


def explain(*words):
    return CliRunner().invoke(app, ["explain", *map(str, words)])


def test_the_way_of_a_sample_has_a_line_a_layer_there_and_back(run):
    shown = explain(run, "--sample", 3)
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == "sample 3 of 360, test split"
    assert re.match(r"label \d, prediction \d \([\d.]+ %\), J = ", lines[1])
    there = [line.split()[0] for line in lines if re.match(r"\d  a = ", line)]
    back = [line.split()[0] for line in lines if re.match(r"\d  delta = ", line)]
    assert there == list("01234567") == back[::-1]
    assert "Step 23 of the run" in shown.stdout
    assert re.search(r"\d+ numbers recomputed by the textbook; largest difference \d\.\de-\d\d", shown.stdout)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("layer", [None, *range(8)])
def test_every_line_fits_80_columns(run, layer, language):
    words = [] if layer is None else ["--layer", layer]
    shown = explain(run, *words, "--lang", language)
    assert shown.exit_code == 0, shown.output
    assert max(cell_len(line) for line in shown.stdout.splitlines()) <= 80
    assert ("\u7684" in shown.stdout) == (language == "zh")


def test_a_layer_shows_its_sums(run):
    text = explain(run, "--layer", 0, "--filter", 2, "--at", "4,5").stdout
    for part in (
        "layers[0] conv: 1 x 8 x 8 -> 3 x 8 x 8, W 3 x 1 x 3 x 3, b 3",
        "z[2,4,5] = sum x ⊙ W + b",
        "a[2,4,5] = relu(z)",
        "rot180(W)",
        "dJ/dx[0,4,5] = sum delta ⊙ W",
        "delta[2,4,5]·W[2,0,1,1] = ",
        "dW[2,0,1,1] = sum delta ⊙ x",
        "db[2] = sum delta",
        "v[2,0,1,1] = 0.9 v - alpha g",
        "clip_norm multiplies the whole gradient by",
    ):
        assert part in text
    assert "Took" not in text


def test_what_is_chosen_is_said(run):
    text = explain(run, "--layer", 1).stdout
    assert re.search(r"Took output \d: it has the largest \|delta\|", text)
    assert re.search(r"Took \d,\d of the input", text)
    assert "upsample, max" in text
    assert "upsample, average" in text


def test_json_is_one_object_whose_sums_hold(run):
    result = json.loads(explain(run, "--layer", 2, "--json").stdout)
    assert result["layer"]["kind"] == "conv"
    assert result["recomputed"]["largest_difference"] <= 1e-12
    equations = [equation for part in result["parts"] for equation in part["equations"]]
    [z] = [equation for equation in equations if equation["name"].startswith("z[")]
    total = sum(value for _, value in z["operands"])
    for group in z["groups"]:
        total += sum(left * right for left, right in group["terms"])
    assert total == pytest.approx(z["value"], abs=1e-12)
    assert json.loads(explain(run, "--json").stdout)["layers"][7]["sigma"] == "softmax"


def test_a_config_is_explained_untrained(config_file):
    shown = explain(config_file, "--split", "train", "network.layers.0.conv.K=2")
    assert shown.exit_code == 0
    assert "The network is untrained" in shown.stdout
    assert "1,437, train split" in shown.stdout or "1437, train split" in shown.stdout


def test_batch_normalization_of_a_vector_traces_several_samples(config_file):
    words = ["network.layers=[fc: {units: 5}, batch_norm: {activation: relu}, fc: {activation: softmax}]"]
    shown = explain(config_file, *words, "--layer", 1)
    assert "8 samples are traced together" in shown.stdout
    assert "8 values of the channel in 8 traced sample(s)" in shown.stdout.replace("\n  ", " ")


@pytest.mark.parametrize(
    ("optimizer", "formula"),
    [
        ("optimizer=sgd", "W = W + v"),
        ("nesterov=true", "0.9 v - alpha g"),
        ("optimizer=rmsprop", "rho r + (1 - rho) g²"),
        ("optimizer=adam", "beta2 v + (1 - beta2) g²"),
        ("optimizer=adamw", "W (1 - alpha weight_decay) - alpha m'"),
    ],
)
def test_the_step_of_every_optimizer(run, optimizer, formula):
    words = ["training.momentum=0"] if "optimizer" in optimizer and "sgd" not in optimizer else []
    shown = explain(run, f"training.{optimizer}", *words, "--layer", 6)
    assert shown.exit_code == 0, shown.output
    assert formula in shown.stdout


@pytest.mark.parametrize("option", ["loss=mse", "label_smoothing=0.1", "class_weights=balanced", "reduction=sum"])
def test_every_loss(run, option):
    shown = explain(run, f"training.{option}", "--layer", 7)
    assert shown.exit_code == 0, shown.output
    assert "Loss, and the delta it starts with" in shown.stdout


def test_a_page_is_written_whole_and_says_where(run, tmp_path):
    file = tmp_path / "a page.html"
    shown = explain(run, "--html", file, "--layer", 2, "--lang", "zh")
    assert shown.exit_code == 0
    assert "a page.html" in shown.stdout
    text = file.read_text(encoding="utf-8")
    assert text.startswith('<!doctype html>\n<html lang="zh">')
    assert '"start":2' in text
    result = json.loads(explain(run, "--html", file, "--json").stdout)
    assert result["html"] == str(file)
    assert result["bytes"] == file.stat().st_size < 2_000_000
    assert explain("--examples", "--html", tmp_path / "examples.html").exit_code == 0
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".html"] == []


def test_a_page_that_cannot_be_written_is_a_sentence(run, tmp_path):
    missing = explain(run, "--html", tmp_path / "no" / "page.html")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "the page cannot be written: No such file or directory" in missing.stderr
    assert "this is a folder" in explain(run, "--html", tmp_path).stderr
    other = tmp_path / "config.yaml"
    other.write_text("data: {source: digits}\n")
    refused = explain(run, "--html", other)
    assert refused.exit_code == 2
    assert "is no page of explain, so it is not replaced" in refused.stderr
    assert other.read_text() == "data: {source: digits}\n"


def test_layers_inside_a_residual_block(tmp_path):
    file = tmp_path / "residual.yaml"
    file.write_text(
        "data: {source: digits}\nnetwork:\n  layers:\n"
        "    - residual: {layers: [conv: {K: 4, F: 3, P: 1, S: 2}, batch_norm: {}], activation: relu}\n"
        "    - fc: {activation: softmax}\n"
    )
    overview = explain(file).stdout
    assert "delta = delta of 0" in overview
    assert "0.shortcut.0" in overview
    for layer in ("0", "0.0", "0.1", "0.shortcut.0", "0.shortcut.1"):
        shown = explain(file, "--layer", layer)
        assert shown.exit_code == 0, shown.output
        assert f"layers[{layer}] " in shown.stdout
    assert "has the layers 0.0, 0.1, 0.shortcut.0" in explain(file, "--layer", "0.7").stderr


def test_frozen_entries_and_earlier_weights(run, config_file):
    frozen = explain(run, "network.freeze=4", "--layer", 2)
    assert frozen.exit_code == 0, frozen.output
    assert "The first 4 entries are frozen" in frozen.stdout
    assert "dW[" in frozen.stdout
    assert "Step" not in frozen.stdout.partition("layers[2]")[2]
    begun = explain(config_file, f"network.start_from={run}", "--layer", 0, "--json")
    W, of_run = (
        json.loads(shown.stdout)["parts"][0]["matrices"][1] for shown in (begun, explain(run, "--layer", 0, "--json"))
    )
    assert W["values"] == of_run["values"]


def test_the_examples_of_the_article():
    shown = explain("--examples")
    assert shown.exit_code == 0
    assert shown.stdout.count("Misprint in the article") == 2
    for line in (
        "nabla a24 = delta12 = 8·1 = 8",
        "nabla a33 = delta22 / 4 = 6·0.25 = 1.5",
        "nabla a12 = delta11 w12 + delta12 w11 = 2·(-2) + 1·1 = -3",
        "nabla a31 = delta21 w21 = (-3)·3 = -9",
        "dJ/dW11 = a11 delta11 + a12 delta12 + a21 delta21 + a22 delta22",
    ):
        assert line in shown.stdout
    result = json.loads(explain("--examples", "--json").stdout)
    values = {part["title"]: [e["value"] for e in part["equations"]] for part in result["parts"]}
    assert values["upsample_by_max"] == [2, 0, 0, 0, 0, 0, 0, 8, 0, 4, 0, 0, 0, 0, 6, 0]
    assert values["upsample_by_average"] == [0.5, 0.5, 2, 2] * 2 + [1, 1, 1.5, 1.5] * 2
    assert len(values["nine_gradients"]) == len(values["kernel_gradient"]) == 9


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "missing argument RUN|CONFIG"),
        (["RUN", "--layer", "9"], "--layer 9: the network has the layers 0, 1, 2, 3, 4, 5, 6, 7"),
        (["RUN", "--layer", "0", "--filter", "3"], "--filter 3: layer 0 (conv) has the outputs 0 to 2"),
        (["RUN", "--layer", "0", "--at", "8,0"], "has rows 0 to 7 and columns 0 to 7, as --at r,c"),
        (["RUN", "--layer", "7", "--at", "1,1"], "has one number, 0 to 5"),
        (["RUN", "--layer", "0", "--at", "x"], "--at: expected a row and a column such as 4,5"),
        (["RUN", "--at", "1,1"], "--filter and --at need --layer"),
        (["RUN", "--sample", "360"], "--sample 360: the test split has the samples 0 to 359"),
        (["RUN", "--split", "validation"], "the data have no validation split, only train and test"),
        (["RUN", "--examples"], "leave out RUN|CONFIG"),
        (["--examples", "--sample", "0"], "leave out RUN|CONFIG, --sample"),
        (["RUN", "--sample", "-1"], "--sample -1: the test split has the samples 0 to 359"),
    ],
)
def test_wrong_words_are_sentences(run, words, message):
    shown = explain(*[run if word == "RUN" else word for word in words])
    assert shown.exit_code == 2
    assert message in shown.stderr.replace("\n", " ")
    assert shown.stdout == ""


def test_a_difference_from_the_textbook_has_an_exit_status_of_its_own(run, monkeypatch):
    forward = textbook.conv_forward
    monkeypatch.setattr(textbook, "conv_forward", lambda *arguments: forward(*arguments) * (1 + 1e-9))
    shown = explain(run, "--layer", 0)
    assert (shown.exit_code, shown.stdout) == (3, "")
    assert "in the engine, but the textbook computes" in shown.stderr


def test_every_sentence_is_there_in_both_languages():
    for key, sentences in dictionary().items():
        assert sentences.keys() == {"en", "zh"}, key
        fields = [sorted(re.findall(r"{(\w+)}", text)) for text in sentences.values()]
        assert fields[0] == fields[1], key


def test_in_chinese_a_line_begins_with_no_comma_and_ends_with_no_parenthesis(run):
    lines = [
        line
        for words in (["--examples"], *([run, "--layer", i] for i in range(8)))
        for line in explain(*words, "--lang", "zh").stdout.splitlines()
    ]
    assert any(
        len(line) - len(line.lstrip()) == 2 and "\u4e00" <= line.strip()[0] <= "\u9fff" for line in lines if line
    )
    assert not [line for line in lines if line.strip()[:1] in tuple("，。；：、）")]
    assert not [line for line in lines if line.endswith(("（", "《"))]
    assert not [
        line for line in lines if re.search(r"[\u4e00-\u9fff] ?[(:;,]( |$)", line)
    ]  # but （：；， after Chinese


def test_in_chinese_only_letters_and_formulas_are_english(tmp_path):
    file = tmp_path / "residual.yaml"
    file.write_text(
        "data: {source: digits}\nnetwork:\n  layers:\n"
        "    - residual: {layers: [conv: {K: 4, F: 3, P: 1, S: 2}, batch_norm: {}], activation: relu}\n"
        "    - pool: {k: 2, S: 1, type: max}\n    - fc: {activation: softmax}\n"
    )
    wanted = [["--examples"], [file], *([file, "--layer", name] for name in ("0", "0.0", "0.1", "1", "2"))]
    shown = "\n".join(explain(*words, "--lang", "zh").stdout for words in wanted)
    assert not re.findall(r"\b(?:of|the|is|are|between|through|by|split|article|section|regions?)\b", shown)
    assert "测试集，样本 0（共 360 个" in shown
    assert "第 0 层的 delta" in shown
    assert "周围填充一圈 0 的 delta" in shown


@pytest.mark.parametrize("text", ["卷积核" * 40, "、".join(["卷积核"] * 30), "（批归一化）" * 20, "a " * 60])
def test_sentences_wrap_at_80_columns_and_lose_nothing(text):
    lines = [line.plain for line in wrapped(text, "")]
    assert len(lines) > 1
    assert max(map(cell_len, lines)) <= 80
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_matrices_under_chinese_names_stay_aligned():
    matrix = {"values": [[1.0, 2.0], [3.0, 4.0]], "marked": []}
    blocks = [matrix_lines(matrix, name) for name in ("周围填充一圈 0", "W")]
    lines = [line.plain for line in side_by_side(blocks)]
    second = cell_len(lines[0][: lines[0].index("W")])
    assert all(cell_len(line[: line.rindex(last)]) > second for line, last in zip(lines[1:], "24", strict=True))
    assert len({cell_len(line) for line in blocks[0]}) == 1


def test_every_text_that_is_used_is_in_the_dictionary_and_none_is_left_over():
    package = Path(cnntrain.__file__).parent
    files = [
        *package.glob("explain/**/*.py"),
        *package.glob("explain/**/*.js"),
        *package.glob("cli/views/explain_*.py"),
    ]
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    for key in dictionary():
        name = key.removeprefix("formula: ")
        family = re.sub(r"_(test|train|validation|shown)$|^(rows|columns)_", "", name)
        assert (
            re.search(rf"[\"'`](?:{re.escape(name)}[\"'`]|{re.escape(family)}_\$?{{)", source)
            or f"}}_{family}" in source
        ), key
    used = re.findall(r"(?:sentence\(|\bt\()\"(\w+)\"", source)
    assert len(used) > 30
    assert set(used) <= set(dictionary())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_output_without_chinese_letters_is_noted(language):
    words = [sys.executable, "-m", "cnntrain", "explain", "--examples", "--lang", language]
    shown = subprocess.run(words, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}, check=True)
    note = b"note: ascii, the encoding of the output, has no Chinese letters; PYTHONUTF8=1 sets UTF-8"
    assert (note in shown.stderr) == (language == "zh")
    assert (b"\\u6587" in shown.stdout) == (language == "zh")
