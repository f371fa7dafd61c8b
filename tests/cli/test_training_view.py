import io
import os
import re

import pytest
from rich.console import Console

from cnntrain.cli.options import ProgressMode
from cnntrain.cli.views.console import CommandConsole
from cnntrain.cli.views.training_view import PlainView, RichView, SilentView, open_view
from cnntrain.training.events import LoadingProgress, Note, StepsVerified, TrainingEnded, WarningIssued


class Clock:
    """Time that a test turns by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def terminal(width: int = 100) -> tuple[io.StringIO, Console]:
    stream = io.StringIO()
    console = CommandConsole(stream, live=True)
    console.width = width
    return stream, console


def visible_lines(shown: str) -> list[str]:
    """What a terminal holds after it got ``shown``: the few control codes that Rich moves a bar with, obeyed."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", shown):
        if part == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif part == "\x1b[1A":
            row -= 1
        elif part in ("\r", "\x1b[2K"):
            lines[row] = ""  # Rich wipes a line whenever it goes back to its begin
        elif not part.startswith("\x1b"):
            lines[row] += part
    return [line.rstrip() for line in lines]


def test_plain_view_prints_header_and_one_line_an_iteration(started, batch, epoch):
    stream = io.StringIO()
    with PlainView(Console(file=stream, width=1000, markup=False, highlight=False)) as view:
        view.show(started())
        view.show(batch(1, 1))
        view.show(epoch(1))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert lines == [
        "    layer                   output      parameters   multiply-adds",
        "    input                   1 x 8 x 8",
        "0   conv K=2 F=3 S=2 relu   2 x 3 x 3           20             162",
        "1   pool k=2 max            2 x 1 x 1            0               0",
        "2   fc units=10 softmax     10                  30              20",
        "    total                                       50             182",
        "layers[0]: the last row and the last column of its input are never read",
        "layers[1]: the last row and the last column of its input are never read",
        "",
        "data     digits: 1,293 train, 144 validation, 360 test samples of 10 classes",
        "device   CPU, 2 cores, 2 workers, float32",
        "run      runs/small",
        "",
        "                       train             validation    largest",
        "epoch        loss   accuracy        loss   accuracy     change    seconds",
        " 1/20      0.9877    71.23 %      0.5000    87.50 %   1.23e-02      0.200",
    ]
    assert "\x1b" not in stream.getvalue()
    assert "samples/s" not in stream.getvalue()


def test_rich_view_draws_a_bar_over_the_batches(started, batch):
    stream, console = terminal()
    clock = Clock()
    with RichView(console, clock) as view:
        view.show(started())
        clock.now += 1
        view.show(batch(1, 2))
        bar = visible_lines(stream.getvalue())[-1]
        assert bar.startswith("epoch 1/20 ━━━━━━━━━━━━━━╺")
        assert bar.endswith("3,200 samples/s   loss 0.5000   0:00 left, run 0:39")


def test_rich_view_draws_at_most_ten_times_a_second(started, batch):
    stream, console = terminal()
    clock = Clock()
    with RichView(console, clock) as view:
        view.show(started())
        clock.now += 1
        view.show(batch(1, 1))
        drawn = stream.getvalue()
        clock.now += 0.09
        view.show(batch(1, 2))
        assert stream.getvalue() == drawn
        clock.now += 0.02
        view.show(batch(1, 3))
        assert stream.getvalue() != drawn


def test_iterations_stay_and_the_bar_is_wiped(started, batch, epoch):
    stream, console = terminal()
    clock = Clock()
    with RichView(console, clock) as view:
        view.show(started())
        for number in (1, 2, 3):
            clock.now += 0.06  # some lines wait for the next image
            view.show(batch(number, 4))
            view.show(epoch(number))
    lines = visible_lines(stream.getvalue())
    while not lines[-1]:
        lines.pop()
    assert [line.split()[0] for line in lines[-4:]] == ["epoch", "1/20", "2/20", "3/20"]
    assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h") == 1, "the cursor is back"


def test_the_bar_moves_on_whatever_event_comes(started, batch, epoch):
    stream, console = terminal()
    clock = Clock()
    with RichView(console, clock) as view:
        view.show(started())
        for number in (1, 2):
            view.show(batch(number, 4))
            clock.now += 1  # the validation
            view.show(epoch(number))
        assert visible_lines(stream.getvalue())[-1].startswith("epoch 2/20 ")


def test_a_run_may_end_before_its_first_batch_did(started):
    stream, console = terminal()
    with RichView(console, Clock()) as view:
        view.show(started())
        view.show(TrainingEnded({}))
    assert visible_lines(stream.getvalue())[-1] == ""


def test_one_batch_an_iteration_lets_the_bar_run_over_the_iterations(started, batch):
    stream, console = terminal()
    clock = Clock()
    with RichView(console, clock) as view:
        view.show(started(batches=1))
        clock.now += 1
        view.show(batch(10, 1))
        bar = visible_lines(stream.getvalue())[-1]
    assert bar.startswith("epoch 10/20 ━━━━━━━━━━━━━━╺")
    assert bar.endswith("run 0:01")


def test_the_bar_fits_80_columns(started, batch):
    stream, console = terminal(width=80)
    clock = Clock()
    with RichView(console, clock) as view:
        view.show(started())
        clock.now += 1
        view.show(batch(20, 4))
        assert visible_lines(stream.getvalue())[-1].endswith("run 0:00")


def test_an_interrupt_is_confirmed_past_all_buffers(tmp_path):
    with (tmp_path / "stderr").open("w") as stream:
        for view in (PlainView(Console(file=stream)), RichView(Console(file=stream))):
            view.stopping()
        confirmed = (tmp_path / "stderr").read_text()
    sentence = "stopping after this batch; press Ctrl-C again to stop at once\n"
    assert confirmed == f"{sentence}\n{sentence}"


def test_an_interrupt_is_no_error_where_nobody_listens(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        PlainView(Console(file=stream)).stopping()
    PlainView(Console(file=io.StringIO())).stopping()


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        (ProgressMode.AUTO, PlainView),  # pytest's stderr is no terminal
        (ProgressMode.PLAIN, PlainView),
        (ProgressMode.RICH, RichView),
        (ProgressMode.NONE, SilentView),
    ],
)
def test_progress_chooses_the_view(mode, kind):
    assert type(open_view(mode)) is kind


def test_silent_view_is_silent(started, epoch, capfd):
    with open_view(ProgressMode.NONE) as view:
        view.show(started())
        view.show(epoch(1))
        view.stopping()
    assert capfd.readouterr() == ("", "")


def test_loading_is_lines_in_a_log(started):
    stream = io.StringIO()
    with PlainView(Console(file=stream, width=1000, markup=False, highlight=False)) as view:
        for done in range(0, 100, 10):
            view.show(LoadingProgress(done, 100, "decoding images"))
        view.show(Note("skipped [x]\x1b[2J"))
    assert stream.getvalue().splitlines() == ["decoding images", "note: skipped [x]\\x1b[2J"]


def test_loading_is_a_bar_on_a_terminal_and_leaves_nothing_but_notes(started):
    stream, console = terminal()
    with RichView(console) as view:
        view.show(LoadingProgress(0, 776, "decoding images"))
        view.show(Note("skipped 2 hidden"))
        view.show(LoadingProgress(388, 776, "decoding images"))
        view.show(started())
    assert re.search(r"decoding images .* 50%", stream.getvalue())
    lines = visible_lines(stream.getvalue())
    assert lines[0] == "note: skipped 2 hidden"
    assert not any("decoding" in line for line in lines)


def test_a_view_that_is_closed_while_loading_leaves_nothing():
    stream, console = terminal()
    with RichView(console) as view:
        view.show(LoadingProgress(1, 776, "decoding images"))
    assert not "".join(visible_lines(stream.getvalue()))


def test_no_view_shows_no_loading(capsys):
    with SilentView() as view:
        view.show(LoadingProgress(1, 776, "decoding images"))
        view.show(Note("skipped 2 hidden"))
        view.show(WarningIssued("the disk is full"))
    assert capsys.readouterr() == ("", "note: skipped 2 hidden\nwarning: the disk is full\n")


def test_a_run_that_goes_on_says_where_and_reckons_with_what_is_left(started, batch):
    stream, console = terminal()
    clock = Clock()
    with RichView(console, clock) as view:
        view.show(StepsVerified(12))
        view.show(started(epochs_before=10, batches_before=2, batches=4, Max=20))
        clock.now += 10  # for two batches of four: 20 seconds an epoch, and nine are left
        view.show(batch(11, 4))
        shown = stream.getvalue()
    assert "verified: 12 steps were repeated, and gave the same bits" in shown
    assert "runs/small, resuming after epoch 10 and 2 of 4 batches" in shown
    assert "run 3:00" in shown


def test_a_warning_is_shown_in_every_view(capsys):
    for view in (open_view(ProgressMode.NONE), open_view(ProgressMode.PLAIN)):
        view.show(WarningIssued("[no] room"))
    assert capsys.readouterr().err == "warning: [no] room\n" * 2
