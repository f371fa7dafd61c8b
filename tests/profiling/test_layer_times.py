import numpy as np

from cnntrain.builder import build
from cnntrain.profiling.layer_times import Peak, by_entry, bytes_moved, operations, peak_rate, time_layers
from cnntrain.profiling.step_times import MAX_PIXELS, random_data, time_steps
from cnntrain.profiling.timer import Timer

LAYERS = [
    {"conv": {"K": 2, "F": 3, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"fc": {"units": 3, "activation": "softmax"}},
]


def test_operations_are_two_a_multiplication_and_one_product_fewer_back_through_the_first_layer(make_config):
    network = build(make_config(LAYERS, (1, 6, 6)))
    conv, fc = 4 * 4 * 2 * 9, 3 * 2 * 2 * 2
    expected = {"layers.0": [2 * conv, 2 * conv], "layers.1": [0, 0], "layers.2": [2 * fc, 4 * fc]}
    found = by_entry(network, operations(network, 5))
    assert {name: (counts / 5).tolist() for name, counts in found.items()} == expected


def test_each_array_of_a_pass_moves_once(make_config):
    network = build(make_config(LAYERS, (1, 6, 6), batch_size=32))
    assert len(list(network.micro_batches(40))) == 2
    moved = bytes_moved(network, 40)
    x, z, y = 36, 2 * 16, 2 * 4
    assert moved[0].tolist() == [4 * (40 * (x + z) + 2 * 18), 4 * (40 * (z + x) + 2 * 2 * 18)]
    assert moved[1].tolist() == [4 * 40 * (z + y), 4 * 40 * (y + z + z)]
    assert moved[3].tolist() == [4 * (40 * (y + 3) + 2 * 24), 4 * (40 * (3 + y + y) + 2 * 2 * 24)]


def test_every_layer_takes_its_time_and_the_parameters_stay(make_config):
    config = make_config(LAYERS, (1, 6, 6))
    network = build(config)
    before = network.theta.copy()
    seconds = time_layers(network, random_data(config, network, 40), 40, Timer(2))
    assert seconds.shape == (len(network.layers), 2)
    assert (seconds[: network.training_stop] > 0).all()
    assert (seconds[network.training_stop :] == 0).all(), "training leaves out softmax"
    assert np.isclose(sum(by_entry(network, seconds).values()).sum(), seconds.sum())
    assert np.array_equal(network.theta, before)


def test_a_residual_block_has_the_sum_of_what_is_inside(make_config):
    inside = [{"conv": {"K": 3, "F": 3, "P": 1}}, {"batch_norm": {}}]
    config = make_config([{"residual": {"layers": inside, "activation": "relu"}}, LAYERS[-1]], (1, 6, 6))
    network = build(config)
    insides = ["layers.0.0", "layers.0.1", "layers.0.shortcut"]
    counts = by_entry(network, operations(network, 1))
    assert set(counts) == {*insides, "layers.0", "layers.1"}
    conv, norm, shortcut = 36 * 3 * 9, 36 * 3, 36 * 3 + 36 * 3
    assert counts["layers.0.0"].tolist() == [2 * conv, 2 * conv]
    assert counts["layers.0.1"].tolist() == [2 * norm, 4 * norm]
    assert counts["layers.0"][0] == 2 * (conv + norm + shortcut)
    seconds = by_entry(network, time_layers(network, random_data(config, network, 40), 40, Timer(2)))
    assert (seconds["layers.0"] > sum(seconds[name] for name in insides)).all()


def test_steps_are_those_of_the_program(make_config):
    config = make_config(LAYERS, (1, 6, 6), alpha=1000.0, batch_size=4)
    network = build(config)
    timings = Timer(70)  # more than an epoch has
    time_steps(config, network, random_data(config, network, 4), 1, timings)
    assert len(timings.durations) == 70
    assert min(timings.durations) > 0
    assert np.isfinite(network.theta).all()


def test_random_data_have_whole_batches_and_do_not_fill_the_memory(make_config):
    config = make_config(LAYERS, (1, 6, 6), batch_size=7)
    data = random_data(config, build(config), 7)
    assert len(data.train) == 64 * 7
    assert data.train.labels.max() == len(data.classes) - 1 == 2
    large = make_config([{"fc": {"units": 2, "activation": "softmax"}}], (1, 1000, 1000), batch_size=20)
    assert random_data(large, build(large), 20).train.images.size == MAX_PIXELS // 20_000_000 * 20_000_000


def test_the_peak_is_the_fastest_product_of_the_matrices_type(monkeypatch):
    monkeypatch.setattr("cnntrain.profiling.layer_times.SIDES", (2, 64))
    peak = peak_rate("float64", seconds=0.01)
    assert peak.rate > 0
    assert peak.side == 64, "products of 2 x 2 matrices are calls, not operations"
    assert max(Peak(1.0, 5), peak) == peak
