"""The bits of training stay what they were, on the kernels for which they were recorded."""

import importlib.util
import json
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("training_bits", Path(__file__).with_name("training_bits.py"))
training_bits = importlib.util.module_from_spec(spec)
spec.loader.exec_module(training_bits)
CASES = training_bits.cases()


@pytest.mark.parametrize("name", CASES)
def test_weights_after_a_few_steps(name):
    known = json.loads(training_bits.FILE.read_text())
    family = training_bits.family()
    if family not in known:
        pytest.skip(f"no bits are recorded for {family}; there are {'; '.join(known)}")
    assert training_bits.weights_hash(*CASES[name]) == known[family][name]
