"""The examples in docstrings run, and every public name has one."""

import doctest
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import cnntrain
from cnntrain.inference.predictor import Predictor
from cnntrain.layers.row import Row
from cnntrain.network.network import Network

ROOT = Path(cnntrain.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
WITH_EXAMPLES = [
    *(cnntrain, Network, Predictor.predict, Row, cnntrain.build, cnntrain.gradcheck, cnntrain.load),
    *(cnntrain.train, cnntrain.resume, cnntrain.evaluate),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(import_module(name)).failed == 0


@pytest.mark.parametrize("public", WITH_EXAMPLES, ids=lambda public: public.__name__)
def test_public_names_have_examples(public):
    assert ">>> " in inspect.getdoc(public)
