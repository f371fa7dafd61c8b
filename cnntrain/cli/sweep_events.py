"""Shows a sweep while it runs, and its result."""

import signal
import sys
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cnntrain.cli.options import ProgressMode
from cnntrain.cli.views.terminal import messages, print_json, results
from cnntrain.errors import UsageError
from cnntrain.streams import tolerant_stream

if TYPE_CHECKING:
    from cnntrain.config.sweep.sweep_file import Sweep


def require_optuna() -> None:
    """Raise UsageError unless Optuna is installed; it is an optional dependency."""
    try:
        import_module("optuna")
    except ImportError as error:
        raise UsageError(
            f"a sweep needs the package optuna, and it cannot be imported ({error}); install it with: "
            'pip install "cnntrain[sweep]"'
        ) from None


def show_sweep(
    sweep: "Sweep", folder: Path, parallel: int, plots: bool, progress: ProgressMode, json: bool, again: str
) -> None:
    """Run a sweep, show its events and print its result.

    Args:
        sweep: The sweep.
        folder: Its folder.
        parallel: Number of trials at a time.
        plots: Whether to draw plots.
        progress: How to show progress.
        json: Whether to print the result as JSON.
        again: The command that resumes it.

    Raises:
        KeyboardInterrupt: A signal stopped the sweep.
        CnntrainError: What the sweep raises.
    """
    from cnntrain.cli.views.sweep_text import show_result  # imported late: `cnntrain --help` needs none of it
    from cnntrain.cli.views.sweep_view import open_view
    from cnntrain.sweep.events import SweepEnded, SweepStarted
    from cnntrain.sweep.run import run_sweep
    from cnntrain.training.interrupts import Interrupts

    has_started = False
    with (
        redirect_stdout(tolerant_stream(sys.stdout)),
        open_view(progress) as view,
        Interrupts(on_signal=view.stopping) as interrupts,
    ):
        try:
            for event in run_sweep(sweep, folder, parallel, interrupts, plots):
                has_started = has_started or isinstance(event, SweepStarted)
                view.show(event)
                if isinstance(event, SweepEnded):
                    if json:
                        print_json(event.result)
                    else:
                        show_result(event.result, sweep, results())
        except KeyboardInterrupt as error:
            number = error.args[0] if error.args else interrupts.signal or signal.SIGINT
            if getattr(signal, "SIGBREAK", None) == number:
                number = signal.SIGTERM
            raise KeyboardInterrupt(number, *([f"to resume: {again}"] if has_started else [])) from None
    messages().print("", end="")
