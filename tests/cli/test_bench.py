import io
import json
import math

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.profiling import layer_times


@pytest.fixture(autouse=True)
def small_matrices(monkeypatch):
    monkeypatch.setattr(layer_times, "SIDES", (16, 64))


def bench(*words: str):
    return CliRunner().invoke(app, ["bench", *words, "--batches", "2"])


def test_shows_layers_steps_and_memory(network_file):
    shown = bench(str(network_file), "training.batch_size=5", "--workers", "1")
    assert shown.exit_code == 0
    rows = shown.stdout.splitlines()
    assert rows[0].split() == [
        *("layer", "output", "forward", "ms", "GFLOP/s", "peak", "backward", "ms", "GFLOP/s", "peak"),
        *("time", "MB", "GB/s"),
    ]
    assert rows[1].split()[:9] == ["0", "conv", "K=2", "F=3", "S=2", "relu", "2", "x", "3"]
    assert rows[2].split()[-5:-3] == ["-", "-"], "pooling multiplies nothing"
    assert rows[-5].split()[0] == "total"
    assert rows[-4].startswith("whole steps of 5 samples: ")
    assert " of the peak, " in rows[-4]
    assert rows[-4].endswith("samples/s (median of 2 batches)")
    assert rows[-3].startswith("between kernels, outside conv and fc products: ")
    assert rows[-2].startswith("peak of one core: its sgemm, ")
    assert " x ".join(2 * [rows[-2].split(" x ")[0].split()[-1]]) in ("16 x 16", "64 x 64")
    assert rows[-1].startswith("memory for training: ")


def test_says_what_it_measures(network_file):
    plain = bench(str(network_file), "--workers", "1").stderr.splitlines()
    assert plain == [
        "timing whole steps with 1 worker",
        "timing each layer on one core",
        "timing products of square matrices on one core",
    ]
    assert bench(str(network_file), "--progress", "none").stderr == ""
    assert "timing each layer" in bench(str(network_file), "--progress", "rich").stderr


def test_json(network_file):
    result = json.loads(bench(str(network_file), "training.dtype=float64", "--workers", "2", "--json").stdout)
    assert result.keys() == {
        "batch_size",
        "dtype",
        "gemm_gflops",
        "gemm_side",
        "input_shape",
        "layers",
        "workers",
        "batches",
        "step_ms",
        "step_gflops",
        "step_share",
        "between_kernels_ms",
        "samples_per_second",
        "memory_bytes",
        "memory_holds_data",
        "free_memory_bytes",
        "peak_rss_bytes",
    }
    assert (result["batch_size"], result["dtype"], result["workers"], result["batches"]) == (128, "float64", 2, 2)
    assert math.isclose(result["samples_per_second"], 1000 * result["batch_size"] / result["step_ms"])
    conv, pool, fc = result["layers"]
    assert math.isclose(result["step_share"], result["step_gflops"] / 2 / result["gemm_gflops"])
    assert 0 <= result["between_kernels_ms"] <= result["step_ms"]
    assert math.isclose(sum(layer["time_share"] for layer in result["layers"]), 1)
    figures = {f"{way}_{figure}" for way in ("forward", "backward") for figure in ("ms", "gflops", "share", "bytes")}
    for layer in (conv, pool, fc):
        assert layer.keys() == {"index", "type", "output_shape", "time_share"} | figures
    for layer in (conv, fc):
        assert all(layer[figure] > 0 for figure in figures)
        assert math.isclose(layer["backward_share"], layer["backward_gflops"] / result["gemm_gflops"])
    assert {figure for figure in figures if pool[figure] is None} == {
        figure for figure in figures if not figure.endswith(("ms", "bytes"))
    }


def test_batches_of_all_samples_are_as_large_as_the_training_set(digits_file):
    result = json.loads(bench(str(digits_file), "training.batch_size=all", "--workers", "1", "--json").stdout)
    assert result["batch_size"] == 1293


def test_data_files_are_not_read_where_the_shapes_are_known(digits_file):
    words = ["data.source=idx", "data.path=nowhere", "training.batch_size=3"]
    assert bench(str(digits_file), *words).exit_code == 0
    shown = bench(str(digits_file), *words, "training.batch_size=all")
    assert (shown.exit_code, shown.stdout) == (4, "")
    assert "nowhere: there is no such folder" in shown.stderr


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("training.batch_size=all", "training.batch_size: all needs a data section"),
        ("network.input=null", "network.input: missing key 'input'"),
        ("training.workers=0", "training.workers: expected a whole number of at least 1 or auto, got 0"),
    ],
)
def test_what_cannot_be_timed_is_told(network_file, word, sentence):
    shown = bench(str(network_file), word)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert shown.stderr.startswith("error: ")
    assert sentence in shown.stderr


def test_no_batches_are_refused(network_file):
    shown = CliRunner().invoke(app, ["bench", str(network_file), "--batches", "0"])
    assert shown.exit_code == 2
    assert "--batches" in shown.stderr


def test_the_table_fits_80_columns(config):
    from cnntrain.cli.views.tables import bench_table
    from cnntrain.profiling.bench import bench

    result = bench(config, batches=2)
    for width, has_shapes in ((80, False), (130, True)):
        stream = io.StringIO()
        Console(file=stream, width=width, markup=False).print(
            bench_table(result, config.network.layers, (2, 6, 6), width)
        )
        assert "…" not in stream.getvalue()
        assert ("2 x 3 x 3" in stream.getvalue()) == has_shapes
