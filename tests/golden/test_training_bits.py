"""The bits of training stay what they were, on the kernels for which they were recorded."""

import json

import pytest

from support.training_bits import FILE, cases, family, weights_hash

CASES = cases()


@pytest.mark.parametrize("name", CASES)
def test_weights_after_a_few_steps(name):
    known = json.loads(FILE.read_text(encoding="utf-8"))
    if family() not in known:
        pytest.skip(f"no bits are recorded for {family()}; there are {'; '.join(known)}")
    assert weights_hash(*CASES[name]) == known[family()][name]
