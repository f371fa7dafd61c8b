"""The notebooks of the repository run, and print what is stored in them."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")


def printed(cell):
    """What a code cell prints, with the values that are text."""
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "".join(texts)


def assert_prints_the_same(new, stored):
    """Compare texts, whose numbers may differ in the last digit: another processor rounds differently."""
    assert NUMBER.sub("#", new) == NUMBER.sub("#", stored)
    numbers = [list(map(float, NUMBER.findall(text))) for text in (new, stored)]
    assert numbers[0] == pytest.approx(numbers[1], abs=2e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_prints_what_is_stored(path, tmp_path):
    stored, notebook = nbformat.read(path, 4), nbformat.read(path, 4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=200, kernel_name="python3", resources=resources).execute()
    assert list(tmp_path.iterdir()) == []  # nothing is left behind
    for cell, before in zip(notebook.cells, stored.cells, strict=True):
        if cell.cell_type == "code":
            assert not [output for output in cell.outputs if output.get("name") == "stderr"]
            assert_prints_the_same(printed(cell), printed(before))
            assert len([o for o in cell.outputs if "image/png" in o.get("data", {})]) == len(
                [o for o in before.outputs if "image/png" in o.get("data", {})]
            )


def test_there_is_one_on_backpropagation_with_outputs_and_nothing_personal():
    (path,) = NOTEBOOKS
    assert path.stem == "backpropagation"
    text = path.read_text(encoding="utf-8")
    assert len(text) < 300_000
    assert not re.search(r"/home/|/root/|/tmp/|/Users/", text)
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert "error" not in {output.output_type for cell in cells for output in cell.outputs}


def test_its_sections_are_those_of_the_article():
    (path,) = NOTEBOOKS
    text = "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
    assert re.findall(r"^## (\d)\. ", text, re.MULTILINE) == ["1", "2", "3", "3", "4", "5"]
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (path.parent / link).exists(), link
