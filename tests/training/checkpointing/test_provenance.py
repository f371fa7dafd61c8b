"""Provenance: a change of any code that the weights of a run depend on is noticed."""

import re
import shutil
from pathlib import Path

import pytest

import cnntrain
from cnntrain.training.checkpointing.provenance import (
    EXCLUDED_PACKAGES,
    INCLUDED_MODULES,
    changes,
    code_digest,
    data_mismatch,
    provenance,
)

PACKAGE = Path(cnntrain.__file__).parent


@pytest.fixture
def package(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__", "*.npz", "*.json")
    return Path(shutil.copytree(PACKAGE, tmp_path / "cnntrain", ignore=ignored))


@pytest.mark.parametrize(
    ("name", "is_noticed"),
    [
        ("evaluation/scoring.py", True),
        ("training/loop.py", True),
        ("training/monitoring.py", True),
        ("ops/losses.py", True),
        ("network/network.py", True),
        ("optimizers/adam.py", True),
        ("evaluation/metrics.py", False),
        ("cli/commands/train.py", False),
        ("runs/compare.py", False),
        ("inference/predictor.py", False),
    ],
)
def test_a_change_of_code_that_weights_depend_on_is_noticed(package, name, is_noticed):
    before = code_digest(package)
    assert before == code_digest()
    with (package / name).open("a") as file:
        file.write("# changed\n")
    assert (code_digest(package) != before) == is_noticed


def test_modules_of_excluded_packages_that_training_imports_are_included():
    """Except for those that save, draw or describe a run."""
    unrelated = {f"runs/{name}.py" for name in ("compare", "environment", "folder", "history", "metrics_file")}
    unrelated |= {"evaluation/advice.py", "evaluation/artifacts.py", "evaluation/figures.py"}
    imported = set()
    for path in (PACKAGE / "training").rglob("*.py"):
        for part, module in re.findall(r"from cnntrain\.(\w+)\.(\w+) import", path.read_text()):
            if part in EXCLUDED_PACKAGES:
                imported.add(f"{part}/{module}.py")
    assert imported - unrelated == set(INCLUDED_MODULES)


IMAGES = ["train images differ", "test images differ"]


@pytest.mark.parametrize(
    ("before", "differing", "words"),
    [
        (
            {"Pillow": "11.1"},
            IMAGES,
            "; Pillow was 11.1 and is {Pillow}, and may decode .*; install Pillow 11.1 again to resume$",
        ),
        ({"libjpeg": "1.0"}, IMAGES, "; libjpeg was 1.0 and is .*, .* install libjpeg 1.0 again to resume$"),
        ({"Pillow": "11.1"}, ["train samples: 5 then, 6 now", *IMAGES], "test images differ$"),
        ({}, IMAGES, "train images differ, test images differ$"),
    ],
)
def test_another_decoder_is_named_where_only_images_differ(before, differing, words):
    text = data_mismatch(Path("run"), provenance() | before, differing)
    assert text.startswith("run: the data are not those that this run started with: ")
    assert re.search(words.format(**provenance()), text)


def test_another_decoder_is_no_reason_to_warn_of_last_bits():
    assert changes(provenance() | {"Pillow": "11.1", "libjpeg": "1.0"}) == []
    assert changes(provenance() | {"NumPy": "1.0"})[0].startswith("NumPy was 1.0 and is ")
    assert data_mismatch(Path("run"), {"NumPy": "1.0"}, IMAGES).endswith("test images differ")


def test_features_that_differ_may_come_from_onnx_runtime_or_the_processor():
    text = data_mismatch(Path("run"), {"NumPy": "1.0"}, IMAGES, features=True)
    assert "another version of ONNX Runtime or on another kind of processor" in text
    assert "ONNX Runtime" not in data_mismatch(Path("run"), {"NumPy": "1.0"}, ["3 classes"], features=True)
