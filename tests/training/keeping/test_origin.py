"""What a change of the program means for a run: any source that its weights depend on is noticed."""

import re
import shutil
from pathlib import Path

import pytest

import cnntrain
from cnntrain.training.keeping.origin import DECIDING, SHOWN_ONLY, code

PACKAGE = Path(cnntrain.__file__).parent


@pytest.fixture
def package(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__", "*.npz", "*.json")
    return Path(shutil.copytree(PACKAGE, tmp_path / "cnntrain", ignore=ignored))


@pytest.mark.parametrize(
    ("name", "is_noticed"),
    [
        ("judging/scoring.py", True),
        ("training/loop.py", True),
        ("training/monitoring.py", True),
        ("ops/losses.py", True),
        ("network.py", True),
        ("judging/metrics.py", False),
        ("cli/train.py", False),
    ],
)
def test_a_change_of_what_decides_is_noticed(package, name, is_noticed):
    before = code(package)
    assert before == code()
    with (package / name).open("a") as file:
        file.write("# changed\n")
    assert (code(package) != before) == is_noticed


def test_what_training_imports_of_the_parts_that_only_show_is_counted():
    """Of modules that decide something; what saves, draws or describes a run does not."""
    showing = {"judging/environment.py", "judging/run_end.py"}
    found = set()
    for path in (PACKAGE / "training").rglob("*.py"):
        for part, module in re.findall(r"from cnntrain\.(\w+)\.(\w+) import", path.read_text()):
            if part in SHOWN_ONLY:
                found.add(f"{part}/{module}.py")
    assert found - showing == set(DECIDING)
