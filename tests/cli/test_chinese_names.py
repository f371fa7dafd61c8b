"""Classes, folders and files with Chinese names, from the folder of images to predictions, plots and pages."""

import json
import os

import numpy as np
import pytest
from PIL import Image
from rich.cells import cell_len
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.data.fonts import fonts_for

CLASSES = ("小鸟和其他会飞的动物以及昆虫类的图片集合", "狗", "猫")
CONFIG = """\
data: {source: images, path: 照片, size: [8, 8], test: 0.4, validation: 0.1}
network: {layers: [fc: {units: 4, activation: relu}, fc: {activation: softmax}]}
training: {Max: 1, alpha: 0.0001, workers: 1}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("文件夹")
    rng = np.random.default_rng(0)
    for i, name in enumerate(CLASSES):
        (folder / "照片" / name).mkdir(parents=True)
        for j in range(10):
            pixels = rng.integers(0, 80, (8, 8, 3))
            pixels[..., i] += 120
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "照片" / name / f"图{j}.png")
    (folder / "难.yaml").write_text(CONFIG, encoding="utf-8")
    before = os.getcwd()
    os.chdir(folder)
    try:
        assert cnntrain("train", "难.yaml").exit_code == 0
    finally:
        os.chdir(before)
    return folder


def cnntrain(*words):
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["init", "照片", "--out", "新.yaml"], "wrote 新.yaml"),
        (["data", "info", "难.yaml"], "猫"),
        (["eval", "runs/难", "--plots"], "runs/难/eval"),
        (["predict", "runs/难", "照片/猫"], "照片/猫/图0.png"),
        (["explain", "runs/难", "--lang", "zh"], "测试集，样本 0"),
        (["explain", "runs/难", "--lang", "zh", "--layer", "1"], "小鸟和"),
        (["explain", "runs/难", "--html", "页.html"], "页.html"),
        (["report", "runs/难"], "runs/难/report.html"),
        (["export", "runs/难", "--onnx", "模型.onnx", "--verify"], "模型.onnx"),
        (["runs"], "难"),
        (["diff", "runs/难", "runs/难"], "identical"),
    ],
    ids=lambda words: "-".join(words[:1]) if isinstance(words, list) else "",
)
def test_every_command_takes_and_shows_chinese_names(folder, monkeypatch, words, shown):
    monkeypatch.chdir(folder)
    result = cnntrain(*words)
    assert result.exit_code == 0, result.output
    assert shown in result.stdout + result.stderr
    assert "\\u" not in result.stdout


def test_json_and_pages_have_the_names(folder, monkeypatch):
    monkeypatch.chdir(folder)
    names = {
        each["class"] for each in json.loads(cnntrain("predict", "runs/难", "照片", "--json").stdout)["predictions"]
    }
    assert names <= set(CLASSES)
    for words in (["explain", "runs/难", "--html", "二.html"], ["report", "runs/难"]):
        assert cnntrain(*words).exit_code == 0
    for page in ("二.html", "runs/难/report.html"):
        assert all(name in (folder / page).read_text(encoding="utf-8") for name in CLASSES)


def test_tables_stay_aligned(folder, monkeypatch):
    monkeypatch.chdir(folder)
    lines = cnntrain("eval", "runs/难").stdout.splitlines()
    rows = [line for line in lines if line.startswith((*CLASSES, "class ")) and line.rstrip()[-1] in "s0123456789"][:4]
    assert len(rows) == 4
    assert len({cell_len(row.rstrip()) for row in rows}) == 1


@pytest.mark.skipif(bool(fonts_for(CLASSES).missing), reason="needs a font with Chinese letters")
def test_plots_use_a_font_that_has_the_letters(folder, monkeypatch):
    monkeypatch.chdir(folder)
    result = cnntrain("eval", "runs/难", "--plots")  # Matplotlib warns of a letter it lacks, and warnings are errors
    assert result.exit_code == 0
    assert "no installed font" not in result.stderr


@pytest.mark.slow
def test_a_sweep_of_a_config_with_a_chinese_name(folder, monkeypatch):
    monkeypatch.chdir(folder)
    result = cnntrain("sweep", "难.yaml", "training.alpha=1e-3,1e-2", "trials=2")
    assert result.exit_code == 0, result.output
    assert "sweeps/难/best.yaml" in result.stdout + result.stderr
    assert cnntrain("runs", "sweeps/难").exit_code == 0
