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
from cnntrain.training.events import EpochEnded, Finished, Started
from cnntrain.training.fit import fit

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 80
LEFT_OUT = range(6, 28)
"""Epochs that the image does without."""


def main(folder: Path = ROOT / "docs") -> None:
    """Train and evaluate, and draw both."""
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        draw(training(), folder / "training.svg")
        draw(evaluation(), folder / "evaluation.svg")


def training() -> CommandConsole:
    """What the training shows, most of its lines left out."""
    console = terminal("cnntrain train configs/digits.yaml")
    for event in fit(load_config(ROOT / "configs" / "digits.yaml")):
        match event:
            case Started():
                started = event
                PlainView(console).show(event)
            case EpochEnded() if event.epoch not in LEFT_OUT:
                console.print(epoch_line(event, started))
            case EpochEnded() if event.epoch == LEFT_OUT.start:
                console.print("...".rjust(9))
            case Finished():
                console.print()
                for line in result_lines(event.result):
                    console.print(line, soft_wrap=True)
    return console


def evaluation() -> CommandConsole:
    """What eval shows of that training."""
    console = terminal("cnntrain eval runs/digits")
    evaluation_view.show(evaluate("runs/digits"), console)
    return console


def terminal(command: str) -> CommandConsole:
    """A terminal on which a command is given."""
    console = CommandConsole(io.StringIO())
    console.width, console.record = COLUMNS, True
    console.print(f"$ {command}", style="green")
    return console


def draw(console: CommandConsole, path: Path) -> None:
    """Write what is on a terminal as an image."""
    svg = console.export_svg(title="cnntrain", unique_id=path.stem)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # what a reader would have to fetch
    svg = svg.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono").replace(
        "<g ", '<g xml:space="preserve" '
    )
    path.write_text("\n".join(map(str.rstrip, svg.splitlines())) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
