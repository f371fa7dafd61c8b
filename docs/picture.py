"""Draw docs/training.svg, the README's picture: what ``cnntrain train configs/digits.yaml`` leaves on a terminal.

python docs/picture.py
"""

import contextlib
import io
import re
import tempfile
from pathlib import Path

from cnntrain.cli.console import CommandConsole
from cnntrain.cli.training_text import iteration_line, result_lines
from cnntrain.cli.training_view import PlainView
from cnntrain.config import load_config
from cnntrain.training import fit
from cnntrain.training.events import Finished, IterationEnded, Started

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 94
LEFT_OUT = range(6, 28)
"""Iterations that the picture does without."""


def main() -> None:
    """Train, and draw it."""
    console = CommandConsole(io.StringIO())
    console.width, console.record = COLUMNS, True
    console.print("$ cnntrain train configs/digits.yaml", style="green")
    config = load_config(ROOT / "configs" / "digits.yaml")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for event in fit(config):
            match event:
                case Started():
                    started = event
                    PlainView(console, config.network.layers).show(event)
                case IterationEnded() if event.iteration not in LEFT_OUT:
                    console.print(iteration_line(event, started))
                case IterationEnded() if event.iteration == LEFT_OUT.start:
                    console.print("...".rjust(9))
                case Finished():
                    console.print("\n" + "\n".join(result_lines(event.result)))
    svg = console.export_svg(title="cnntrain", unique_id="training")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # what a reader would have to fetch
    svg = svg.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono").replace(
        "<g ", '<g xml:space="preserve" '
    )
    (ROOT / "docs" / "training.svg").write_text("\n".join(map(str.rstrip, svg.splitlines())) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
