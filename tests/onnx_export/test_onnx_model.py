"""Every option of every layer, in ONNX Runtime and in our engine: the same outputs for the same pixels."""

import json

import numpy as np
import onnx
import pytest

from cnntrain.config.schema.entries import OPTIONS
from cnntrain.data import Dataset
from cnntrain.errors import UsageError
from cnntrain.onnx_export import onnx_model
from cnntrain.onnx_export.verification import compare
from cnntrain.ops.activations import ACTIVATIONS

END = {"fc": {"units": 3, "activation": "softmax"}}
MSE = {"loss": "mse"}

CASES = {
    "fc alone": ([END], (1, 3, 4), {}),
    "fc behind an image of several channels": ([{"conv": {"K": 3, "F": 2}}, END], (2, 4, 5), {}),
    "fc behind fc": ([{"fc": {"units": 5, "activation": "tanh"}}, END], (2, 3, 4), {}),
    "conv P, S": ([{"conv": {"K": 3, "F": 3, "P": 1, "S": 2, "activation": "relu"}}, END], (2, 7, 6), {}),
    "conv P=F+1": ([{"conv": {"K": 2, "F": 2, "P": 3}}, END], (1, 3, 4), {}),
    "conv S > F": ([{"conv": {"K": 2, "F": 1, "S": 3}}, END], (1, 7, 8), {}),
    "conv by Winograd": ([{"conv": {"K": 24, "F": 3, "P": 1, "activation": "relu"}}] * 2 + [END], (3, 8, 9), {}),
    "max pool": ([{"pool": {"k": 2, "type": "max"}}, END], (2, 5, 6), {}),
    "max pool, overlapping": ([{"pool": {"k": 3, "S": 2, "type": "max"}}, END], (2, 8, 7), {}),
    "max pool, S > k": ([{"pool": {"k": 2, "S": 3, "type": "max"}}, END], (1, 9, 7), {}),
    "average pool": ([{"pool": {"k": 2, "type": "average"}}, END], (2, 5, 6), {}),
    "average pool, overlapping": ([{"pool": {"k": 3, "S": 2, "type": "average"}}, END], (2, 8, 7), {}),
    "average pool over all": ([{"conv": {"K": 4, "F": 1}}, {"pool": {"k": 5, "type": "average"}}, END], (1, 5, 5), {}),
    "max pool behind conv": (
        [{"conv": {"K": 3, "F": 3, "activation": "sigmoid"}}, {"pool": {"k": 3, "S": 2, "type": "max"}}, END],
        (1, 9, 9),
        {},
    ),
    "two pools behind conv": (
        [
            {"conv": {"K": 3, "F": 3, "activation": "elu"}},
            {"pool": {"k": 2, "type": "max"}},
            {"pool": {"k": 2, "type": "average"}},
            END,
        ],
        (1, 10, 10),
        {},
    ),
    "dropout and a pool of all": (
        [{"conv": {"K": 4, "F": 1}}, {"dropout": {}}, {"pool": {"k": "all", "type": "average"}}, END],
        (1, 5, 7),
        {},
    ),
    "max pool of all": ([{"conv": {"K": 4, "F": 1}}, {"pool": {"k": "all", "type": "max"}}, END], (1, 5, 7), {}),
    "batch_norm": (
        [
            {"batch_norm": {"eps": 0.1}},
            {"conv": {"K": 3, "F": 3}},
            {"batch_norm": {"activation": "relu"}},
            {"pool": {"k": 2, "type": "max"}},
            {"fc": {"units": 5}},
            {"batch_norm": {"activation": "tanh"}},
            END,
        ],
        (2, 9, 8),
        {},
    ),
    "pools with padding": (
        [
            {"pool": {"k": 3, "S": 2, "P": 1, "type": "max"}},
            {"conv": {"K": 3, "F": 3, "activation": "tanh"}},
            {"pool": {"k": 3, "S": 1, "P": 1, "type": "average"}},
            END,
        ],
        (2, 10, 11),
        {},
    ),
    "residual": (
        [{"residual": {"layers": [{"conv": {"K": 2, "F": 3, "P": 1}}], "activation": "leaky_relu"}}, END],
        (2, 5, 6),
        {},
    ),
    "residual blocks in each other": (
        [
            {
                "residual": {
                    "layers": [
                        {"conv": {"K": 4, "F": 3, "P": 1, "S": 2}},
                        {"batch_norm": {"activation": "relu"}},
                        {"residual": {"layers": [{"conv": {"K": 4, "F": 1}}, {"dropout": {}}], "shortcut": "conv"}},
                        {"batch_norm": {"eps": 0.1}},
                    ],
                    "activation": "relu",
                }
            },
            {"pool": {"k": "all", "type": "average"}},
            {"fc": {"units": 4}},
            {"residual": {"layers": [{"fc": {"units": 4, "activation": "tanh"}}]}},
            {"residual": {"layers": [{"dropout": {}}], "activation": "elu"}},
            END,
        ],
        (2, 7, 6),
        {},
    ),
    "an fc that is no softmax": ([{"fc": {"units": 4, "activation": "sigmoid"}}], (1, 3, 3), MSE),
    "an fc without an activation": ([{"fc": {"units": 4}}], (1, 3, 3), MSE),
    "an image at the end": ([{"conv": {"K": 3, "F": 2, "activation": "tanh"}}], (2, 3, 4), MSE),
    "a pool at the end": ([{"conv": {"K": 3, "F": 2}}, {"pool": {"k": 2, "type": "max"}}], (2, 5, 5), MSE),
    "float64": ([{"conv": {"K": 3, "F": 3, "activation": "tanh"}}, END], (1, 6, 6), {"dtype": "float64"}),
} | {
    f"activation {name} of conv and fc": (
        [{"conv": {"K": 3, "F": 3, "activation": name}}, {"fc": {"units": 6, "activation": name}}, END],
        (2, 6, 6),
        {},
    )
    for name in ACTIVATIONS
}


def images_for(model, count=7):
    pixels = np.random.default_rng(1).integers(0, 256, (count, *model.in_shape), dtype=np.uint8)
    return Dataset(pixels, np.zeros(count, np.int64))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_onnx_runtime_gives_our_outputs(case, make_model):
    layers, input, training = case
    model = make_model(layers, input, **training)
    made = onnx_model.make_model(model)
    onnx.checker.check_model(made, full_check=True)
    report = compare(made.SerializeToString(), model, images_for(model), "test")
    assert report["largest_difference"] < 1e-5
    assert report["classes_that_differ"] == 0
    assert report["samples"] == 7


def test_every_layer_and_activation_has_a_case():
    used = {kind for layers, _, _ in CASES.values() for entry in layers for kind in entry}
    assert used == set(OPTIONS)
    assert [name for name, sigma in ACTIVATIONS.items() if not hasattr(sigma, "onnx_operator")] == []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_wrong_weight_is_seen(make_model, dtype):
    model = make_model(CASES["conv P, S"][0], (2, 7, 6), dtype=dtype)
    content = onnx_model.make_model(model).SerializeToString()
    parameters = model.parameters()
    parameters["layers.0.W"][0, 0, 0, 0] += 0.01
    model.set_parameters(parameters)
    assert compare(content, model, images_for(model), "test")["largest_difference"] > 1e-5


def test_outputs_that_are_not_numbers_are_seen(make_model):
    model = make_model([{"fc": {"units": 2}}], (1, 2, 2), loss="mse")
    content = onnx_model.make_model(model).SerializeToString()
    model.network.theta[:] = np.inf
    assert not compare(content, model, images_for(model), "test")["largest_difference"] <= 1e-5


def test_the_graph_reads_as_the_config(make_model):
    layers = [
        {"conv": {"K": 2, "F": 3, "activation": "relu"}},
        {"pool": {"k": 2, "type": "max"}},
        {"fc": {"units": 3, "activation": "softmax"}},
    ]
    made = onnx_model.make_model(make_model(layers, (1, 6, 8)))
    operators = [node.op_type for node in made.graph.node]
    assert operators == ["Cast", "Mul", "Add", "Conv", "Relu", "MaxPool", "Flatten", "Gemm", "Softmax"]
    assert [(o.domain, o.version) for o in made.opset_import] == [("", 17)]
    (pixels,) = made.graph.input
    assert pixels.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    sides = [side.dim_param or side.dim_value for side in pixels.type.tensor_type.shape.dim]
    assert (pixels.name, sides) == ("pixels", ["N", 1, 6, 8])
    assert [output.name for output in made.graph.output] == ["probabilities"]
    metadata = {entry.key: entry.value for entry in made.metadata_props}
    assert json.loads(metadata["classes"]) == ["class 0", "class 1", "class 2"]
    assert json.loads(metadata["input"]) == {"channels": 1, "size": [6, 8], "pixels": "uint8", "white": 255}
    assert json.loads(metadata["preprocessing"])["mean"] == [0.4]


def test_outputs_that_are_no_probabilities_have_another_name(make_model):
    made = onnx_model.make_model(make_model([{"fc": {"units": 2}}], (1, 2, 2), loss="mse"))
    assert [output.name for output in made.graph.output] == ["outputs"]


def test_a_network_too_large_for_a_file_is_refused(make_model, monkeypatch):
    monkeypatch.setattr(onnx_model, "MAX_BYTES", 100)
    with pytest.raises(UsageError, match="an ONNX file holds up to 25 in float32"):
        onnx_model.make_model(make_model([END], (1, 5, 5)))
