"""The same config and seed give the same weights file, byte for byte."""

import os
import subprocess
import sys

import pytest

import cnntrain

LAYERS = [
    {"conv": {"K": 3, "F": 3, "P": 1, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"conv": {"K": 4, "F": 3, "activation": "tanh"}},
    {"fc": {"units": 8, "activation": "elu"}},
    {"fc": {"activation": "softmax"}},
]


@pytest.fixture
def digits(make_config):
    def make(**training):
        data = {"source": "digits", "validation": 0.1}
        return make_config(LAYERS, data=data, **({"Max": 1, "momentum": 0.9, "alpha": 0.02, "l1": 1e-4} | training))

    return make


def files(folder):
    return {name: (folder / f"{name}.safetensors").read_bytes() for name in ("weights", "best")}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_seed_gives_the_same_bytes(digits, record, tmp_path, dtype):
    runs = [record(digits(dtype=dtype, batch_size=50), tmp_path / str(i)) for i in range(2)]
    assert files(tmp_path / "0") == files(tmp_path / "1")
    measured = {"run", "seconds"}
    first, again = ({k: v for k, v in run.result.items() if k not in measured} for run in runs)
    assert first == again


@pytest.mark.parametrize("option", [{"seed": 1}, {"shuffle": False}, {"batch_size": 64}], ids=str)
def test_what_changes_the_run_changes_the_weights(digits, record, tmp_path, option):
    for name, config in (("one", digits()), ("other", digits(**option))):
        record(config, tmp_path / name)
    assert files(tmp_path / "one")["weights"] != files(tmp_path / "other")["weights"]


def test_training_does_not_depend_on_what_ran_before(digits, record, tmp_path):
    record(digits(), tmp_path / "one")
    cnntrain.gradcheck(digits(), samples=2)
    record(digits(seed=9, batch_size=17), tmp_path / "between")
    record(digits(), tmp_path / "other")
    assert files(tmp_path / "one") == files(tmp_path / "other")


@pytest.mark.slow
def test_processes_with_another_hash_seed_write_the_same_bytes(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "data: {source: digits}\nnetwork:\n  layers:\n    - conv: {K: 3, F: 3, activation: relu}\n"
        "    - pool: {k: 2, type: max}\n    - fc: {activation: softmax}\ntraining: {Max: 1, momentum: 0.9}\n"
    )
    program = "import sys, cnntrain; cnntrain.train(cnntrain.load_config('a.yaml'), sys.argv[1])"
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, f"seed{seed}"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONHASHSEED": seed},
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    assert files(tmp_path / "seed1") == files(tmp_path / "seed2")
