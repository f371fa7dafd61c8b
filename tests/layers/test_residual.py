"""What is special to residual blocks: strides of the shortcut, names, seeds, observers, memory and faults."""

import numpy as np
import pytest

import cnntrain
from cnntrain.config.schema.entries import LayerEntry
from cnntrain.layers.row import in_config, walk
from cnntrain.network.workspaces import MicroBatchWorkspace, workspace_bytes

LAYERS = [
    {"conv": {"K": 4, "F": 3, "P": 1}},
    {
        "residual": {
            "layers": [
                {"conv": {"K": 6, "F": 3, "P": 1, "S": 2}},
                {"batch_norm": {"activation": "relu", "eps": 0.01, "momentum": 0.7}},
                {"residual": {"layers": [{"conv": {"K": 6, "F": 3, "P": 1}}, {"dropout": {"rate": 0.2}}]}},
            ],
            "activation": "tanh",
        }
    },
    {"fc": {"units": 3, "activation": "softmax"}},
]
NAMES = [
    "layers.0",
    "layers.1.0",
    "layers.1.1",
    "layers.1.2.0",
    "layers.1.2.1",
    "layers.1.2",
    "layers.1.shortcut",
    "layers.1",
    "layers.2",
]


@pytest.fixture
def network(make_config):
    return cnntrain.build(make_config(LAYERS, (2, 6, 6), dtype="float64"))


@pytest.mark.parametrize(
    ("shape", "layers", "S"),
    [
        ((2, 8, 8), [{"conv": {"K": 3, "F": 3, "P": 1, "S": 2}}], 2),
        ((2, 5, 7), [{"conv": {"K": 3, "F": 3, "P": 1, "S": 2}}], 2),
        ((2, 9, 9), [{"conv": {"K": 3, "F": 3, "P": 1, "S": 2}}, {"pool": {"k": 3, "S": 2, "P": 1, "type": "max"}}], 4),
        ((2, 6, 6), [{"pool": {"k": 2, "type": "max"}}, {"conv": {"K": 3, "F": 1}}], 2),
        ((2, 8, 8), [{"conv": {"K": 3, "F": 4}}], None),
        ((2, 4, 4), [{"conv": {"K": 3, "F": 4}}], 4),
    ],
)
def test_the_stride_of_the_shortcut_is_that_of_F_or_one_that_fits(shape, layers, S):
    block = LayerEntry.model_validate({"residual": {"layers": layers}}).residual
    if S is None:
        with pytest.raises(cnntrain.errors.ShapeError, match="no stride"):
            block.output_shape(shape)
    else:
        (conv,) = block.shortcut_layers(shape, block.output_shape(shape))
        assert (conv.F, conv.S, conv.K) == (1, S, 3)


def test_the_shortcut_normalizes_as_the_last_batch_norm_of_F(network):
    conv, norm, _ = network.layers[2].shortcut.layers
    assert (norm.eps, norm.momentum) == (0.01, 0.7)
    assert set(conv.params) == {"W"}
    assert [name for name in network.state() if "shortcut" in name] == [
        f"layers.1.shortcut.{key}" for key in ("W", "b", "gamma", "running_mean", "running_var")
    ]


def test_walk_and_observers_reach_every_layer_by_name(network):
    assert list(dict.fromkeys(name for name, _ in walk(network.layers))) == NAMES
    assert in_config("layers.1.2.0") == "layers[1].residual.layers[2].residual.layers[0]"
    names = {layer: name for name, layer in walk(network.layers)}
    seen, back = [], []
    workspace = network.load_micro_batch(np.random.default_rng(0).normal(size=(4, 2, 6, 6)), slice(0, 4))
    output = network.forward_micro_batch(workspace, lambda layer, y: seen.append(names[layer]))
    grads = network.layout.views(np.empty(network.layout.size))
    stop = network.training_stop
    network.row.backward(
        output.copy(), workspace.caches, grads, stop=stop, on_delta=lambda layer, _: back.append(names[layer])
    )
    assert list(dict.fromkeys(seen)) == NAMES
    assert set(back) == set(NAMES)
    assert back.index("layers.1") > max(back.index(name) for name in NAMES if name.startswith("layers.1."))


def test_every_layer_has_random_numbers_of_its_own(make_config):
    inner = {"residual": {"layers": [{"conv": {"K": 4, "F": 3, "P": 1}}], "shortcut": "conv"}}
    layers = [{"conv": {"K": 4, "F": 3, "P": 1}}, inner, inner, {"residual": {"layers": [inner, inner]}}]
    state = cnntrain.build(make_config(layers, (4, 4, 4))).state()
    kernels = [value.tobytes() for name, value in state.items() if name.endswith("W") and value.shape[-1] == 3]
    assert len(set(kernels)) == len(kernels) == 5
    shortcuts = [value.tobytes() for name, value in state.items() if name.endswith("shortcut.W")]
    assert len(set(shortcuts)) == len(shortcuts) == 4


def test_memory_of_a_block_is_that_of_its_arrays(network):
    workspace = MicroBatchWorkspace(network.layers, 4, "float64")
    declared = sum(size for _, size in workspace.sizes(True))
    assert workspace_bytes(network.layers, "float64", 4, 4) < declared
    evaluated = workspace_bytes(network.layers, "float64", 0, 4)
    assert evaluated < workspace_bytes(network.layers, "float64", 4, 4)
    frozen = workspace_bytes(network.layers, "float64", 4, 4, frozen=3)
    assert evaluated <= frozen < workspace_bytes(network.layers, "float64", 4, 4)


@pytest.mark.parametrize(
    "fault",
    [
        "layers.1:no_skip",
        "layers.1:no_mask",
        "layers.1.2:no_skip",
        "layers.1.0.W:no_flip",
        "layers.1.0:lost_stride",
        "layers.1.1:no_mean",
        "layers.1.2.1:no_mask",
        "layers.1.shortcut.W:mean_for_sum",
    ],
)
def test_the_gradient_check_catches_every_fault_inside(make_config, fault):
    config = make_config(LAYERS, (2, 6, 6))
    assert not cnntrain.gradcheck(config, samples=3, inject=[fault])["passed"]


def test_a_fault_at_no_entry_names_those_inside(make_config):
    with pytest.raises(cnntrain.errors.UsageError) as caught:
        cnntrain.gradcheck(make_config(LAYERS, (2, 6, 6)), inject=["layers.9.0:no_skip"])
    assert "layers.0 to layers.2, and in residual blocks layers.1.0, layers.1.1, layers.1.2.0" in str(caught.value)
