"""What ``summary`` counts."""

import json
from xml.etree import ElementTree

import pytest

import cnntrain
from cnntrain.network.summary import describe

LENET = [
    {"conv": {"K": 6, "F": 5, "P": 2, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"conv": {"K": 16, "F": 5, "activation": "relu"}},
    {"pool": {"k": 2, "type": "average"}},
    {"fc": {"units": 120, "activation": "relu"}},
    {"fc": {"units": 84, "activation": "relu"}},
    {"fc": {"units": 10, "activation": "softmax"}},
]


def summary(make_config, layers, input, **training):
    return describe(cnntrain.build(make_config(layers, input, **training)))


def test_lenet_is_counted_as_by_hand(make_config):
    result = summary(make_config, LENET, (1, 28, 28))
    assert [tuple(row[key] for key in ("index", "type", "output_shape", "parameters", "multiply_adds"))
            for row in result["layers"]] == [
        (0, "conv", [6, 28, 28], 6 * 25 + 6, 28 * 28 * 6 * 25),
        (1, "pool", [6, 14, 14], 0, 0),
        (2, "conv", [16, 10, 10], 16 * 6 * 25 + 16, 10 * 10 * 16 * 6 * 25),
        (3, "pool", [16, 5, 5], 0, 0),
        (4, "fc", [120], 400 * 120 + 120, 400 * 120),
        (5, "fc", [84], 120 * 84 + 84, 120 * 84),
        (6, "fc", [10], 84 * 10 + 10, 84 * 10),
    ]  # fmt: skip
    assert result["parameters"] == 61706
    assert not any(row["notes"] for row in result["layers"])
    assert json.loads(json.dumps(result)) == result


def test_a_normalised_network_is_counted_as_by_hand(make_config):
    layers = [
        {"conv": {"K": 6, "F": 3}},  # without b
        {"batch_norm": {"activation": "relu"}},
        {"pool": {"k": "all", "type": "average"}},
        {"dropout": {}},
        {"fc": {"units": 3}},
        {"batch_norm": {}},
    ]
    result = summary(make_config, layers, (2, 7, 9))
    assert [tuple(row[key] for key in ("index", "type", "output_shape", "parameters", "multiply_adds"))
            for row in result["layers"]] == [
        (0, "conv", [6, 5, 7], 6 * 2 * 9, 5 * 7 * 6 * 2 * 9),
        (1, "batch_norm", [6, 5, 7], 12, 6 * 5 * 7),
        (2, "pool", [6, 1, 1], 0, 0),
        (3, "dropout", [6, 1, 1], 0, 0),
        (4, "fc", [3], 18, 18),
        (5, "batch_norm", [3], 6, 3),
    ]  # fmt: skip
    assert result["parameters"] == 6 * 2 * 9 + 12 + 18 + 6
    assert not any(row["notes"] for row in result["layers"])


def test_describing_changes_no_weight(make_config):
    network = cnntrain.build(make_config(LENET, (1, 28, 28)))
    before = network.theta.copy()
    describe(network)
    assert (network.theta == before).all()


@pytest.mark.parametrize("layer", [{"conv": {"K": 2, "F": 1}}, {"pool": {"k": 1, "type": "average"}}])
def test_network_that_ends_in_an_image_is_described(make_config, layer):
    row, *others = summary(make_config, [layer], (2, 3, 4))["layers"]
    assert (row["output_shape"], others) == ([2, 3, 4], [])


@pytest.mark.parametrize(
    ("layer", "input", "notes"),
    [
        ({"conv": {"K": 1, "F": 3, "S": 2}}, (1, 7, 7), []),
        ({"conv": {"K": 1, "F": 3, "S": 2}}, (1, 8, 7), ["the last row of its input is never read"]),
        ({"conv": {"K": 1, "F": 3, "S": 2}}, (1, 7, 8), ["the last column of its input is never read"]),
        ({"conv": {"K": 1, "F": 3, "S": 2, "P": 1}}, (1, 8, 8), []),  # it is the padding that is not read
        ({"conv": {"K": 1, "F": 3, "S": 4, "P": 1}}, (1, 8, 8),
         ["the last 2 rows and the last 2 columns of its input are never read"]),
        ({"pool": {"k": 2, "type": "max"}}, (1, 9, 9),
         ["the last row and the last column of its input are never read"]),
        ({"pool": {"k": 2, "type": "max"}}, (1, 9, 8), ["the last row of its input is never read"]),
        ({"pool": {"k": 2, "S": 5, "type": "max"}}, (1, 6, 2), ["the last 4 rows of its input are never read"]),
        ({"pool": {"k": 3, "type": "average"}}, (1, 3, 5), ["the last 2 columns of its input are never read"]),
        ({"fc": {"units": 2}}, (1, 3, 5), []),
    ],
)  # fmt: skip
def test_rows_and_columns_that_are_never_read_are_noted(make_config, layer, input, notes):
    assert summary(make_config, [layer], input)["layers"][0]["notes"] == notes


def test_a_network_shows_as_its_table():
    network = cnntrain.build("digits")
    assert repr(network).splitlines() == [
        "   layer  output      parameters  multiply-adds",
        "   input  1 x 8 x 8",
        "0  conv   8 x 8 x 8           80          4,608",
        "1  pool   8 x 4 x 4            0              0",
        "2  conv   16 x 4 x 4       1,168         18,432",
        "3  pool   16 x 2 x 2           0              0",
        "4  fc     10                 650            640",
        "   total                   1,898         23,680",
    ]
    html = network._repr_html_()
    assert html.count("<tr>") == 8
    assert ElementTree.fromstring(html).tag == "table"
    network.layers[0].kind = "<b>&"
    assert "&lt;b&gt;&amp;" in network._repr_html_()
