import pytest

from cnntrain.evaluation.plots.style import png, styled
from cnntrain.evaluation.plots.sweep import history, importance

TRIALS = [
    {"trial": 0, "state": "failed", "value": None},
    {"trial": 1, "state": "complete", "value": 0.5},
    {"trial": 2, "state": "stopped", "value": 0.1},
    {"trial": 3, "state": "complete", "value": 0.7},
    {"trial": 4, "state": "complete", "value": 0.3},
]


@pytest.mark.parametrize(("metric", "minimize", "best"), [
    ("validation.loss", True, [0.5, 0.5, 0.5, 0.3]), ("validation.accuracy", False, [0.5, 0.5, 0.7, 0.7]),
])  # fmt: skip
def test_the_best_so_far_is_that_of_complete_trials(metric, minimize, best):
    with styled():
        figure = history(TRIALS, metric, minimize)
        line = next(line for line in figure.axes[0].get_lines() if line.get_label() == "best so far")
        assert list(line.get_ydata())[1:] == best
        assert png(figure) == png(history(TRIALS, metric, minimize))


@pytest.mark.parametrize("trials", [TRIALS[:1], [], [{"trial": 0, "state": "complete", "value": 1e-9}, TRIALS[1]]])
def test_any_trials_can_be_drawn(trials):
    with styled():
        assert png(history(trials, "validation.loss", True))


def test_importances_are_bars():
    with styled():
        figure = importance({"training.alpha": 0.75, "network.layers.0.conv.K": 0.25}, "validation.loss")
        assert [bar.get_width() for bar in figure.axes[0].patches] == [0.75, 0.25]
        assert png(figure)
