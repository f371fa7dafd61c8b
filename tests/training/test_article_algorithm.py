"""The article's algorithm (section 5) to the letter: all samples in a step, sums, stop at Max or by epsilon."""

import numpy as np
import pytest

import cnntrain
from cnntrain import textbook
from cnntrain.builder import load_config_data

ARTICLE = {"batch_size": "all", "reduction": "sum", "dtype": "float64"}
LAYERS = [
    {"conv": {"K": 2, "F": 2, "P": 1, "S": 2, "activation": "sigmoid"}},
    {"pool": {"k": 2, "S": 1, "type": "average"}},
    {"fc": {"units": 4, "activation": "tanh"}},
    {"fc": {"units": 3, "activation": "softmax"}},
]
MAX_POOL = [
    {"conv": {"K": 3, "F": 2, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"fc": {"units": 3, "activation": "softmax"}},
]


def samples_of(config):
    """What the first layer sees, in float64, and the labels."""
    data = load_config_data(config)
    columns = np.empty((5, 1, 5, len(data.train)))
    data.preprocessing.columns(data.train.images, columns)
    return columns.transpose(3, 1, 0, 2), data.train.labels


def assert_close(parameters, expected):
    assert parameters.keys() == expected.keys()
    for name, value in parameters.items():
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("layers", [LAYERS, MAX_POOL], ids=["average", "max"])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_every_iteration_is_that_of_the_textbook(tiny_config, record, tmp_path, layers, loss):
    config = tiny_config(layers, alpha=0.02, loss=loss, Max=2, **ARTICLE)
    run = record(config, tmp_path / "run")
    samples, labels = samples_of(config)
    expected = run.parameters[0]
    for parameters in run.parameters[1:]:
        expected = textbook.epoch(layers, expected, samples, labels, 0.02, loss)
        assert_close(parameters, expected)
    assert_close(cnntrain.load(tmp_path / "run").parameters(), expected)


def test_a_step_is_alpha_times_the_sum_of_the_samples_gradients(tiny_config, record, tmp_path):
    config = tiny_config(LAYERS, alpha=0.02, Max=1, **ARTICLE)
    samples, labels = samples_of(config)
    network = cnntrain.build(config)
    before = network.parameters()
    singles = [network.loss_and_gradients(samples[i : i + 1], labels[i : i + 1])[1] for i in range(len(labels))]
    expected = {name: W - 0.02 * sum(grads[name] for grads in singles) for name, W in before.items()}
    assert_close(record(config, tmp_path / "run").parameters[1], expected)


def test_max_change_is_the_largest_over_every_W_and_b_in_the_iteration(tiny_config, record, tmp_path):
    for name, training in {"full batch": ARTICLE, "mini-batches": {"batch_size": 7, "momentum": 0.5}}.items():
        run = record(tiny_config(alpha=0.01, **training), tmp_path / name)
        for event, before, after in zip(run.of("EpochEnded"), run.parameters, run.parameters[1:], strict=False):
            changes = [np.abs(after[name] - before[name]).max() for name in before]
            assert event.max_change == pytest.approx(max(changes), rel=1e-6)


def test_it_stops_at_Max(tiny_config, record, tmp_path):
    run = record(tiny_config(Max=4, **ARTICLE), tmp_path / "run")
    assert (run.result["stop"], run.result["epochs"]) == ("max", 4)
    assert [event.epoch for event in run.of("EpochEnded")] == [1, 2, 3, 4]


def test_it_stops_once_every_change_is_below_epsilon(tiny_config, record, tmp_path):
    settings = {"alpha": 0.005, "Max": 12, **ARTICLE}
    changes = [event.max_change for event in record(tiny_config(**settings), tmp_path / "all").of("EpochEnded")]
    for nth in (3, 6):
        # The change of the nth epoch itself does not stop it: it is not below epsilon.
        for epsilon in (changes[nth], np.nextafter(changes[nth], 1)):
            stops_at = next((i for i, change in enumerate(changes, 1) if change < epsilon), None)
            run = record(tiny_config(epsilon=epsilon, **settings), tmp_path / f"{nth} {epsilon!r}")
            assert run.result["epochs"] == (stops_at or 12)
            assert run.result["stop"] == ("epsilon" if stops_at else "max")


def test_epsilon_reached_in_the_last_iteration_is_told_as_such(tiny_config, record, tmp_path):
    run = record(tiny_config(epsilon=1e9, Max=1, **ARTICLE), tmp_path / "run")
    assert (run.result["stop"], run.result["epochs"]) == ("epsilon", 1)


def test_epsilon_zero_never_stops(tiny_config, record, tmp_path):
    run = record(tiny_config(alpha=1e-60, Max=3, epsilon=0), tmp_path / "run")
    assert [event.max_change for event in run.of("EpochEnded")] == [0, 0, 0]
    assert (run.result["stop"], run.result["epochs"]) == ("max", 3)


def test_the_sum_is_the_mean_times_the_number_of_samples(tiny_config, record, tmp_path):
    summed = record(tiny_config(alpha=0.01, **ARTICLE), tmp_path / "sum")
    averaged = record(tiny_config(alpha=0.4, **{**ARTICLE, "reduction": "mean"}), tmp_path / "mean")  # 40 samples
    assert_close(averaged.parameters[-1], summed.parameters[-1])
