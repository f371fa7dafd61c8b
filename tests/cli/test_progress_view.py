import io

from rich.console import Console

from cnntrain.cli.options import ProgressMode
from cnntrain.cli.views import progress_view as view


def test_a_line_for_each_tensor(capsys):
    with view.open_gradcheck_progress(ProgressMode.PLAIN) as show:
        for name, total in (("layers.0.W", 2), ("input", 1200)):
            for done in range(1, total + 1):
                show(name, done, total)
    assert capsys.readouterr().err == "checked 2 derivatives of layers.0.W\nchecked 1,200 derivatives of input\n"


def test_nothing(capsys):
    with view.open_gradcheck_progress(ProgressMode.NONE) as show:
        show("input", 1, 1)
    assert capsys.readouterr() == ("", "")


def test_a_bar_that_is_drawn_at_most_ten_times_a_second_and_wiped():
    stream, now = io.StringIO(), 100.0
    console = Console(file=stream, width=80, force_terminal=True, color_system=None, legacy_windows=False)
    with view.gradcheck_bar(console, clock=lambda: now) as show:
        show("layers.0.W", 5, 10)
        drawn = stream.getvalue()
        assert "layers.0.W ━━━━━━━━━━━━━━━━━━━━" in drawn
        assert drawn.endswith(" 5/10")
        now += 0.09
        show("layers.0.W", 6, 10)
        assert stream.getvalue() == drawn
        now += 0.02
        show("layers.0.W", 7, 10)
        assert stream.getvalue().endswith(" 7/10")
    assert stream.getvalue().endswith("\x1b[1A\x1b[2K")
