"""Residual blocks in a config: positions, suggestions and overrides reach the layers inside."""

import pytest

from cnntrain.config import load_config
from cnntrain.errors import ConfigError, ShapeError
from cnntrain.network.summary import describe

HEAD = "network:\n  input: [3, 8, 8]\n  layers:\n"
TAIL = "    - fc: {units: 2, activation: softmax}\n"
BLOCK = """\
    - residual:
        layers:
          - conv: {K: 4, F: 3, P: 1, S: 2}
          - batch_norm: {activation: relu}
          - residual:
              layers:
                - conv: {K: 4, F: 3, P: 1}
        activation: relu
"""


@pytest.fixture
def load(tmp_path):
    def from_layers(layers, *overrides):
        path = tmp_path / "a.yaml"
        path.write_text(HEAD + layers + TAIL)
        return load_config(path, overrides)

    return from_layers


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("S: 2}", "strides: 2}", "6:38: layers[0].residual.layers[0].conv: unknown key 'strides'; did you mean 'S'?"),
        ("{activation", "{act", "7:26: layers[0].residual.layers[1].batch_norm: unknown key 'act'; did you mean"),
        (
            "K: 4, F: 3, P: 1}",
            "K: x, F: 3, P: 1}",
            "10:29: layers[0].residual.layers[2].residual.layers[0].conv.K: expected a whole number of at least 1",
        ),
        ("- batch_norm", "- bn", "7:13: layers[0].residual.layers[1]: unknown key 'bn'; did you mean 'batch_norm'?"),
        (
            "        activation",
            "        skip: conv\n        activation",
            "11:9: layers[0].residual: unknown key 'skip'",
        ),
        ("- conv: {K: 4, F: 3, P: 1, S: 2}", "- fc: {units: 3, activation: softmax}", "softmax is for the last layer"),
        ("- conv: {K: 4, F: 3, P: 1, S: 2}", "- fc:", "6:16: layers[0].residual.layers[0].fc: missing key 'units'"),
    ],
)
def test_a_mistake_inside_is_reported_where_it_is(load, old, new, message):
    with pytest.raises(ConfigError) as caught:
        load(BLOCK.replace(old, new, 1))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            "    - residual: {layers: [conv: {K: 3, F: 9}]}\n",
            "layers[0].residual.layers[0].conv: F = 9 does not fit an image of 8 x 8",
        ),
        (
            "    - residual: {layers: [conv: {K: 3, F: 4}]}\n",
            "layers[0].residual.shortcut: no stride brings the input, 3 x 8 x 8, to the size of the output of layers",
        ),
        (
            "    - residual: {layers: [conv: {K: 4, F: 1}], shortcut: identity}\n",
            "layers[0].residual.shortcut: the identity cannot be added: the input is 3 x 8 x 8",
        ),
        (
            "    - fc: {units: 5}\n    - residual: {layers: [fc: {units: 4}]}\n",
            "layers[1].residual.shortcut: the input is a vector of 5, the output of layers a vector of 4",
        ),
    ],
)
def test_shapes_that_cannot_be_added_are_refused(load, layers, message):
    with pytest.raises(ShapeError) as caught:
        load(layers)
    assert message in str(caught.value)


def test_an_override_reaches_a_layer_inside(load):
    words = [
        "network.layers.0.residual.layers.0.conv.K=6",
        "layers[0].residual.layers[2].residual.layers[0].conv.filters=6",
    ]
    block = load(BLOCK, *words).network.layers[0].residual
    assert block.layers[0].conv.K == block.layers[2].residual.layers[0].conv.K == 6
    with pytest.raises(ConfigError, match=r"write layers\[0\].residual.layers\[0\].conv.F"):
        load(BLOCK, "network.layers.0.residual.layers.0.F=5")


def test_a_block_without_layers_or_with_groups_is_refused(load):
    with pytest.raises(ConfigError, match="missing key 'layers', a list of at least one"):
        load("    - residual:\n")
    with pytest.raises(ConfigError, match="grouped and depthwise convolutions are not supported"):
        load("    - conv: {K: 3, F: 1, groups: 3}\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "{k: 3, P: 2, type: max}",
            "P = 2 is more than half of k = 3: a region could be nothing but padding; use at most 1",
        ),
        ("{k: all, P: 1, type: max}", "P does not apply with 'k: all'"),
    ],
)
def test_too_much_padding_of_a_pool_is_refused(load, options, message):
    with pytest.raises(ConfigError) as caught:
        load(f"    - pool: {options}\n")
    assert message in str(caught.value)


def test_the_summary_has_the_layers_inside_and_the_shortcut(load):
    import cnntrain

    block, _ = describe(cnntrain.build(load(BLOCK)))["layers"]
    first, norm, inner = block["layers"]
    assert (block["type"], block["output_shape"]) == ("residual", [4, 4, 4])
    assert (first["parameters"], norm["parameters"]) == (4 * 3 * 9, 8)
    assert inner["layers"][0]["parameters"] == 4 * 4 * 9 + 4
    assert inner["shortcut"] is None
    assert block["shortcut"]["parameters"] == 3 * 4 + 8
    inside = [first, norm, inner, block["shortcut"]]
    assert block["parameters"] == sum(row["parameters"] for row in inside)
    assert block["multiply_adds"] == sum(row["multiply_adds"] for row in inside)
