"""Workspaces: one memory for micro-batches of all sizes, and the same bits as with one for each size."""

import gc
import weakref

import numpy as np
import pytest

from cnntrain.network.array_layout import from_edge
from cnntrain.network.workspaces import MicroBatchWorkspace, workspace_bytes
from cnntrain.ops.workspace import CACHE_LINE, aligned_empty

RELU, TANH = {"activation": "relu"}, {"activation": "tanh"}
NETWORKS = {
    "direct": [{"conv": {"K": 3, "F": 4, "S": 3, "P": 2, **RELU}}, {"conv": {"K": 2, "F": 2, "P": 1, "S": 2}}],
    "winograd": [{"conv": {"K": 6, "F": 3, "P": 1, **RELU}}, {"conv": {"K": 40, "F": 3, "P": 2, **TANH}}],
    "winograd along both axes": [
        {"conv": {"K": 32, "F": 3, "P": 1, **RELU}},
        {"conv": {"K": 32, "F": 3, "P": 2, **TANH}},
    ],
    "winograd in padding": [{"conv": {"K": 40, "F": 3, "P": 11, **RELU}}],
    "unread": [{"conv": {"K": 2, "F": 3, "P": 1}}, {"conv": {"K": 3, "F": 1, "S": 3, "P": 1}}],
    "max": [{"conv": {"K": 2, "F": 3, "P": 1}}, {"pool": {"k": 2, "S": 3, "type": "max"}}],
    "overlap": [{"conv": {"K": 2, "F": 3, "P": 1}}, {"pool": {"k": 3, "S": 2, "type": "max"}}],
    "average": [{"conv": {"K": 2, "F": 3, "P": 1}}, {"pool": {"k": 2, "S": 3, "type": "average"}}],
    "global": [{"conv": {"K": 2, "F": 3, "P": 1}}, {"pool": {"k": "all", "type": "average"}}],
    "normalized": [{"conv": {"K": 2, "F": 3, **RELU}}, {"batch_norm": {"activation": "elu"}}, {"dropout": {}}],
    "vectors": [{"fc": {"units": 5, "activation": "softplus"}}, {"batch_norm": RELU}, {"dropout": {"rate": 0.2}}],
}
SIZES = [5, 3, 6, 3, 7, 1, 7]


@pytest.fixture(params=NETWORKS)
def network(request, make_network):
    layers = [*NETWORKS[request.param], {"fc": {"units": 3, "activation": "softmax"}}]
    return make_network(layers, (6, 11, 12), dtype="float32")


def learned(network, memory, samples):
    """The gradient of some samples and dJ/dx, and the output in evaluation mode, with ``memory``."""
    memory.x[...] = from_edge(samples)
    gradient = np.zeros_like(network.theta)
    y = np.arange(memory.n) % 3
    _, _, dx = network.forward_backward(memory, y, 1.0, network.layout.views(gradient), want_dx=True)
    memory.x[...] = from_edge(samples)
    output = network.evaluation().output(memory)
    return gradient, dx.copy(), output.copy()


def test_slices_of_all_sizes_take_turns_in_one_memory_with_the_bits_of_their_own(network):
    rng = np.random.default_rng(3)
    for n in SIZES:
        samples = rng.normal(size=(n, 6, 11, 12)).astype("float32")
        expected = learned(network, MicroBatchWorkspace(network.layers, n, network.dtype), samples)
        for one, other in zip(learned(network, network.workspace(n), samples), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def own_bytes(memory):
    """Bytes of the declared arrays that a memory has made, views of another's left out."""
    others = {id(value.base) for value in made_arrays(memory.largest)} if memory.largest else set()
    return sum(value.nbytes for value in made_arrays(memory) if id(value.base) not in others)


def made_arrays(memory):
    """The declared arrays that a memory has made."""
    made = [vars(part).get(array.name) for part in (memory, *memory.caches) for array in part.declared()]
    return [value for value in made if value is not None]


def test_arrays_begin_at_cache_lines(network):
    learned(network, network.workspace(5), np.zeros((5, 6, 11, 12), "float32"))
    made = [value for value in made_arrays(network._workspaces.largest) if value.size]
    assert made
    assert {value.ctypes.data % CACHE_LINE for value in (*made, network.theta)} == {0}


@pytest.mark.parametrize("shape", [(0,), (3, 0), (1,), (2, 3, 5)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bool", "uint64"])
def test_aligned_arrays_are_like_numpys(shape, dtype):
    array = aligned_empty(shape, dtype)
    assert (array.shape, array.dtype, array.flags.c_contiguous, array.flags.writeable) == (shape, dtype, True, True)
    array[...] = 1
    assert (array == 1).all()


def test_only_the_largest_size_has_memory_and_that_is_what_shapes_tell(network):
    for n in (network.micro_batch_size, 3, 4):
        learned(network, network.workspace(n), np.zeros((n, 6, 11, 12), "float32"))
    largest, small = network._workspaces.largest, network.workspace(4)
    assert largest.n == network.micro_batch_size
    computed = workspace_bytes(network.layers, network.dtype, largest.n, largest.n)
    dx = sum(array.nbytes(largest.caches[0]) for array in largest.caches[0].declared() if array.use == "delta")
    assert own_bytes(largest) == computed + dx
    assert own_bytes(small) == 0


def test_evaluation_takes_the_memory_of_the_forward_pass_alone(network):
    forward = workspace_bytes(network.layers, network.dtype, 0, 8)
    assert (
        forward
        <= workspace_bytes(network.layers, network.dtype, 2, 8)
        < workspace_bytes(network.layers, network.dtype, 8, 8)
    )
    memory = MicroBatchWorkspace(network.layers, 8, network.dtype)
    memory.x[...] = 0
    network.evaluation().output(memory)
    assert own_bytes(memory) == forward


def test_memory_that_is_freed_is_made_again(network):
    samples = np.random.default_rng(1).normal(size=(4, 6, 11, 12)).astype("float32")
    before = learned(network, network.workspace(4), samples)
    network.free_workspaces()
    assert network._workspaces.largest is None
    for one, other in zip(before, learned(network, network.workspace(4), samples), strict=True):
        np.testing.assert_array_equal(one, other)


def test_freed_memory_does_not_wait_for_the_garbage_collector(network):
    learned(network, network.workspace(4), np.zeros((4, 6, 11, 12), "float32"))
    arrays = [weakref.ref(value.base) for value in made_arrays(network._workspaces.largest)]
    gc.disable()
    try:
        network.free_workspaces()
        assert arrays
        assert not [array for array in arrays if array() is not None]
    finally:
        gc.enable()
