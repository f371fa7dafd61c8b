"""Draw docs/training.svg and docs/evaluation.svg: what train and eval of configs/digits.yaml leave on a terminal.

python docs/terminal_images.py
"""

import contextlib
import io
import re
import tempfile
from pathlib import Path

from cnntrain.cli.views import evaluation_view
from cnntrain.cli.views.console import CommandConsole
from cnntrain.cli.views.training_text import epoch_line, result_lines
from cnntrain.cli.views.training_view import PlainView
from cnntrain.config import load_config
from cnntrain.evaluation.evaluate import evaluate
from cnntrain.training.events import EpochEnded, TrainingEnded, TrainingStarted
from cnntrain.training.fit import fit

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 80
LEFT_OUT = range(6, 28)
"""Epochs that the image leaves out."""


def main(folder: Path = ROOT / "docs") -> None:
    """Train, evaluate, and draw both."""
    with tempfile.TemporaryDirectory() as working, contextlib.chdir(working):
        draw(training(), folder / "training.svg")
        draw(evaluation(), folder / "evaluation.svg")


def training() -> CommandConsole:
    """Return a terminal with the output of the training, most epochs left out."""
    console = terminal("cnntrain train configs/digits.yaml")
    for event in fit(load_config(ROOT / "configs" / "digits.yaml")):
        match event:
            case TrainingStarted():
                started = event
                PlainView(console).show(event)
            case EpochEnded() if event.epoch not in LEFT_OUT:
                console.print(epoch_line(event, started))
            case EpochEnded() if event.epoch == LEFT_OUT.start:
                console.print("...".rjust(9))
            case TrainingEnded():
                console.print()
                for line in result_lines(event.result):
                    console.print_sentence(line)
    return console


def evaluation() -> CommandConsole:
    """Return a terminal with the evaluation of that run."""
    console = terminal("cnntrain eval runs/digits")
    evaluation_view.show(evaluate("runs/digits"), console)
    return console


def terminal(command: str) -> CommandConsole:
    """Return a terminal with a command typed in."""
    console = CommandConsole(io.StringIO())
    console.width, console.record = COLUMNS, True
    console.print(f"$ {command}", style="green")
    return console


def draw(console: CommandConsole, path: Path) -> None:
    """Write the content of a terminal as an SVG file that loads nothing from elsewhere."""
    svg = console.export_svg(title="cnntrain", unique_id=path.stem)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono").replace(
        "<g ", '<g xml:space="preserve" '
    )
    path.write_text("\n".join(map(str.rstrip, svg.splitlines())) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
