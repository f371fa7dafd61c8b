"""What figures show, for few and many classes and any names."""

import io
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread
from matplotlib.text import Text

from cnntrain.evaluation.display_names import short, visible
from cnntrain.evaluation.metrics import CalibrationBin
from cnntrain.evaluation.plots.calibration import calibration
from cnntrain.evaluation.plots.confusion import MAX_LABELS, confusion
from cnntrain.evaluation.plots.curves import curves, points
from cnntrain.evaluation.plots.filters import colors, columns_of, filters, sheet
from cnntrain.evaluation.plots.mistakes import Mistake, drawable, mistakes
from cnntrain.evaluation.plots.style import png, styled
from cnntrain.runs.history import History

LONG = "a name that is very much longer than there is room for, number {}"
MATH = "$x_{}$ \\frac{{"


def texts(figure, axes=0):
    return [text.get_text() for text in figure.axes[axes].findobj(Text) if text.get_text()]


def pixels(figure):
    return imread(io.BytesIO(png(figure)))[..., :3]


def boxes(figure, found):
    """Where texts stand, in pixels."""
    figure.draw_without_rendering()
    return [text.get_window_extent() for text in found]


@pytest.mark.parametrize(
    ("classes", "name"), [(2, LONG), (5, MATH), (6, "\ud83d{}\n\x1b[31m"), (10, LONG), (26, "猫 {}"), (100, LONG)]
)
def test_names_of_classes_do_not_overlap_nor_leave_the_picture(classes, name):
    matrix = np.eye(classes, dtype=np.int64) * 1000
    with styled():
        figure = confusion(matrix, tuple(name.format(i) for i in range(classes)), "run\naccuracy 100 %")
        axes = figure.axes[0]
        for labels, side in ((axes.get_xticklabels(), "x"), (axes.get_yticklabels(), "y")):
            assert 2 <= len(labels) <= MAX_LABELS
            indices = sorted(boxes(figure, labels), key=lambda box: getattr(box, f"{side}0"))
            for box, following in pairwise(indices):
                assert getattr(box, f"{side}1") <= getattr(following, f"{side}0") + 1
            for box in indices:
                assert min(box.x0, box.y0) >= -1
                assert box.x1 <= figure.bbox.width + 1
        for label, side in ((axes.xaxis.label, "y"), (axes.yaxis.label, "x")):
            (box,) = boxes(figure, [label])
            assert getattr(box, f"{side}0") >= -1
            ticks = axes.get_xticklabels() if side == "y" else axes.get_yticklabels()
            assert getattr(box, f"{side}1") <= min(getattr(tick, f"{side}0") for tick in boxes(figure, ticks)) + 1


def test_small_matrices_have_their_counts_and_large_ones_their_colours():
    matrix = np.array([[9000, 1], [0, 0]])
    with styled():
        assert {"9,000", "1", "cat", "dog"} <= set(texts(confusion(matrix, ("cat", "dog"), "")))
        large = confusion(np.eye(100, dtype=np.int64), tuple(map(str, range(100))), "")
        assert "1,000" not in texts(large)
        assert np.isnan(confusion(matrix, ("cat", "dog"), "").axes[0].images[0].get_array().filled(np.nan)[1]).all()


def row(epoch, **changes):
    values = {
        "train_loss": 1 / epoch, "train_accuracy": 0.5, "validation_loss": None, "validation_accuracy": None,
    }  # fmt: skip
    return {"epoch": epoch, **values, **changes}


def test_curves_of_one_iteration_and_without_validation():
    with styled():
        figure = curves(History([row(1)]), "run")
        assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss", "accuracy"]
        assert [len(axes.lines) for axes in figure.axes] == [1, 1]
        assert (pixels(figure) != 1).any()


def test_curves_show_the_best_iteration_and_alpha_where_it_changes():
    rows = [row(i, validation_loss=abs(i - 3) + 0.1, validation_accuracy=0.1, alpha=0.1 / i) for i in range(1, 6)]
    with styled():
        figure = curves(History(rows), "run")
        assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss", "accuracy", "alpha"]
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        assert labels == ["train", "validation", "lowest validation loss, epoch 3"]
        assert len(curves(History([row(1, alpha=0.1), row(2, alpha=0.1)]), "run").axes) == 2


def test_curves_say_where_losses_are_not_comparable():
    rows = [row(i, validation_loss=1.0) for i in (1, 2)]
    with styled():
        figure = curves(History(rows), "run", ["augmentation", "dropout", "label smoothing", "class weights"])
        title = figure.axes[0].get_title(loc="left")
        assert title.split()[:4] == ["loss:", "train", "with", "augmentation,"]
        assert title.endswith("not comparable")
        figure.draw_without_rendering()
        left, correct = (axes._left_title.get_window_extent() for axes in figure.axes)
        assert left.x1 < correct.x0
        assert curves(History([row(1), row(2)]), "run", ["dropout"]).axes[0].get_title(loc="left") == "loss"


def test_the_legend_of_curves_leaves_room_for_the_name_of_the_run():
    with styled():
        figure = curves(History([row(10**6, validation_loss=1.0)]), "n" * 40)
        figure.draw_without_rendering()
        assert figure._suptitle.get_window_extent().x1 < figure.legends[0].get_window_extent().x0


@pytest.mark.parametrize("epochs", [20_001, 39_999, 100_000])
def test_curves_of_long_runs_have_as_many_points_as_can_be_seen(epochs):
    rng = np.random.default_rng(0)
    x, y = np.arange(1.0, epochs + 1), rng.random(epochs)
    y[[0, 5, epochs // 2, -1]] = np.nan, np.inf, 7.0, -3.0
    shown_x, shown_y = points(x, y)
    assert len(shown_x) == len(shown_y) <= 21_000
    assert (np.diff(shown_x) > 0).all()
    assert np.array_equal(y[shown_x.astype(int) - 1], shown_y)
    assert {2.0, epochs // 2 + 1, epochs} <= set(shown_x.tolist())
    width = epochs // 50  # 2 % of the width of the figure
    for start in range(10, epochs - width, width):
        part, seen = y[start : start + width], shown_y[(shown_x > start) & (shown_x <= start + width)]
        assert abs(seen.max() - part.max()) + abs(seen.min() - part.min()) < 0.01
    short = points(x[:20_000], y[:20_000])
    assert np.array_equal(short, (x[:20_000], y[:20_000]), equal_nan=True)


def test_losses_of_many_sizes_have_a_logarithmic_axis():
    with styled():
        assert curves(History([row(1), row(100)]), "run").axes[0].get_yscale() == "log"
        assert curves(History([row(1), row(2)]), "run").axes[0].get_yscale() == "linear"
        png(
            curves(
                History([row(1, train_loss=float("nan")), row(2, train_loss=float("inf")), row(3, train_loss=-1.0)]),
                "run",
            )
        )


@pytest.mark.parametrize(
    ("count", "shape"), [(0, (1, 8, 8)), (1, (1, 8, 8)), (25, (3, 20, 90)), (6, (2, 70, 70)), (2, (1, 300, 4))]
)
def test_any_pictures_of_mistakes_can_be_drawn(count, shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    title = f"{'n' * 40}\nthe 25 most confident of 10,000 errors on 100,000 validation samples"
    with styled():
        figure = mistakes([Mistake(image, "a" * 80, MATH, "99 %", "x/" * 60)] * count, title)
        found = [text for text in figure.axes[0].texts if text.get_text()]
        assert len(found) == 1 + 3 * count
        for box in boxes(figure, found):
            assert box.x0 >= -1
            assert box.y0 >= -1
            assert box.x1 <= figure.bbox.width + 1
        _, H, W = shape
        for image in figure.axes[0].images:
            box = image.get_window_extent()
            assert box.height / box.width == pytest.approx(H / W, rel=0.01)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1000.0])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (8, 1, 3, 3), (64, 3, 3, 3), (20, 4, 5, 5), (200, 1, 5, 5)])
def test_filters_of_any_shape_have_square_weights_and_labels_within_the_picture(shape, scale):
    W = np.random.default_rng(0).normal(0, scale, shape)
    with styled():
        figure = filters(W, f"{'n' * 40}\n{shape[0]} filters of layers[0]")
        H, W = figure.axes[0].images[0].get_array().shape[:2]
        box = figure.axes[0].get_window_extent()
        assert box.height / box.width == pytest.approx(H / W, rel=0.01)
        found = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
        for box in boxes(figure, found):
            assert box.x1 <= figure.bbox.width + 1
            assert box.y1 <= figure.bbox.height + 1


def test_the_figures_of_a_run_are_drawn_once(monkeypatch):
    drawn, rows = [], [row(i, validation_loss=0.5 / i, validation_accuracy=0.5, alpha=0.1 / i) for i in (1, 2, 3)]
    with styled():
        figures = [
            curves(History(rows), "run"),
            confusion(np.eye(3, dtype=np.int64), ("猫", "cat", "dog"), "run"),
            filters(np.ones((4, 1, 3, 3)), "run"),
            mistakes([], "run"),
        ]
        draw = Axes.draw
        monkeypatch.setattr(Axes, "draw", lambda axes, *rest: (drawn.append(axes), draw(axes, *rest)))
        for figure in figures:
            png(figure)
    assert len(drawn) == len(set(drawn)) == sum(len(figure.axes) for figure in figures)


def test_pixels_are_drawn_as_they_are():
    image = np.array([[[0, 255]], [[0, 0]], [[51, 0]]], np.uint8)
    np.testing.assert_allclose(drawable(image), [[[0, 0, 0.2], [1, 0, 0]]])
    np.testing.assert_allclose(drawable(np.array([[[0.25, np.nan]]], np.float32)), [[0.25, 0]])
    np.testing.assert_allclose(drawable(np.array([[[0]], [[255]]], np.uint8)), [[0.5]])


def test_kernels_of_three_channels_are_colours_around_grey():
    kernel = np.zeros((3, 1, 2))
    kernel[0, 0, 1] = -4.0
    np.testing.assert_allclose(colors(kernel), [[[0.5, 0.5, 0.5], [0, 0.5, 0.5]]])
    np.testing.assert_allclose(colors(np.zeros((3, 1, 1))), [[[0.5, 0.5, 0.5]]])


def test_a_sheet_has_gaps_between_its_tiles():
    tiles = [np.full((2, 2), i) for i in range(3)]
    whole = sheet(tiles, 2)
    assert whole.shape == (5, 5)
    assert whole[0, 0] == 0
    assert whole[1, 3] == 1
    assert whole[4, 1] == 2
    assert np.isnan([whole[0, 2], whole[2, 0], whole[4, 4]]).all()


@pytest.mark.parametrize(("count", "wanted", "columns"), [(16, 5.1, 4), (32, 7.2, 8), (7, 3.3, 3), (1, 1.3, 1)])
def test_rows_of_filters_are_full_where_that_looks_well(count, wanted, columns):
    assert columns_of(count, wanted) == columns


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (8, 3, 5, 5), (200, 1, 3, 3), (4, 7, 2, 2), (300, 3, 1, 1)])
def test_any_filters_can_be_drawn(shape):
    with styled():
        assert (pixels(filters(np.zeros(shape) if shape[2] == 1 else np.ones(shape), "title")) != 1).any()


def test_bars_of_the_calibration_are_the_accuracies():
    with styled():
        figure = calibration([CalibrationBin(0, 0.0, 0.0), CalibrationBin(10, 0.75, 0.5)], "run")
        assert [bar.get_height() for bar in figure.axes[0].patches] == [0, 0.5]
        assert [bar.get_height() for bar in figure.axes[1].patches] == [0, 10]
        assert "25.00 %" in figure.get_suptitle()


def test_names_are_shown_in_one_line():
    assert visible("a\nb\x1b") == r"a\nb\x1b"
    assert short("abcdefghij", 5) == "ab…ij"
    assert short("abc", 3) == "abc"
    assert short("一二三四五六七", 9) == "一二…六七"
    assert short("一二三四", 8) == "一二三四"
