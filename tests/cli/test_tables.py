import io

import pytest
from rich.console import Console

from cnntrain.builder import build
from cnntrain.cli.views import tables
from cnntrain.config import LayerEntry
from cnntrain.network.summary import describe


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"pool": {"k": "all", "type": "average"}}, "pool k=all average"),
        ({"batch_norm": {}}, "batch_norm"),
        ({"batch_norm": {"activation": "relu", "eps": 0.001}}, "batch_norm relu eps=0.001"),
        ({"dropout": {"rate": 0.25}}, "dropout rate=0.25"),
        ({"conv": {"K": 3, "F": 2, "activation": "relu"}}, "conv K=3 F=2 relu"),
    ],
)
def test_an_entry_in_short(entry, text):
    assert tables.layer_text(LayerEntry.model_validate(entry)) == text


def shown(renderable: object, **options: object) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=100, markup=False, highlight=False, **options).print(renderable)  # type: ignore[arg-type]
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_layers_with_their_options_shapes_and_totals(config):
    network = build(config)
    table = tables.layers_table(describe(network), config.network.layers, network.in_shape)
    assert shown(table) == [
        "    layer                   output      parameters   multiply-adds",
        "    input                   1 x 8 x 8",
        "0   conv K=2 F=3 S=2 relu   2 x 3 x 3           20             162",
        "1   pool k=2 max            2 x 1 x 1            0               0",
        "2   fc units=10 softmax     10                  30              20",
        "    total                                       50             182",
        "layers[0]: the last row and the last column of its input are never read",
        "layers[1]: the last row and the last column of its input are never read",
    ]


@pytest.fixture
def check():
    names = ["layers.0.W", "layers.0.b", "input"]
    return {
        "passed": True,
        "worst": 3.2e-10,
        "threshold": 1e-6,
        "tensors": [
            {"name": name, "entries": 1200, "checked": 23, "kinks": 0, "max_relative_error": 3.2e-10} for name in names
        ],
    }


def test_right_gradients_are_ok(check):
    assert shown(tables.gradients_table(check)) == [
        "tensor       entries   checked   kinks   max relative error",
        "layers.0.W     1,200        23       0              3.2e-10   ok",
        "layers.0.b     1,200        23       0              3.2e-10   ok",
        "input          1,200        23       0              3.2e-10   ok",
    ]
    assert tables.verdict(check).plain == (
        "passed: every gradient agrees with its finite differences; worst relative error 3.2e-10, threshold 1e-06"
    )


def test_wrong_and_unproven_gradients_are_named(check):
    check |= {"passed": False, "worst": 1.1}
    check["tensors"][0] |= {"max_relative_error": 1.1}
    check["tensors"][2] |= {"max_relative_error": 0.0, "checked": 0, "kinks": 23}
    assert shown(tables.gradients_table(check))[1:] == [
        "layers.0.W     1,200        23       0              1.1e+00   FAILED",
        "layers.0.b     1,200        23       0              3.2e-10   ok",
        "input          1,200         0      23                    -   FAILED: nothing but kinks",
    ]
    words = "FAILED: layers.0.W, input; worst relative error 1.1e+00, threshold 1e-06"
    assert tables.verdict(check).plain == words


def test_ok_is_green_and_failed_is_red(check):
    check["tensors"][0] |= {"max_relative_error": 1.1}
    lines = shown(tables.gradients_table(check), force_terminal=True, color_system="standard")
    assert "\x1b[1;31mFAILED" in lines[1]
    assert "\x1b[32mok" in lines[2]


@pytest.mark.parametrize(
    ("size", "words"), [(999, "999 bytes"), (1000, "1 kB"), (24_560_000, "24.6 MB"), (3_000_000_000_000, "3 TB")]
)
def test_memory_is_told_in_units(size, words):
    told = {"memory_bytes": size, "workers": 1, "memory_holds_data": True, "free_memory_bytes": None}
    assert tables.memory_text(told) == f"memory for training: about {words} with 1 worker"
    told |= {"workers": 2, "memory_holds_data": False, "free_memory_bytes": size}
    assert tables.memory_text(told) == f"memory for training: about {words} with 2 workers and no images; free: {words}"
