"""Draw docs/training.svg, the README's picture: what ``cnntrain train configs/digits.yaml`` shows on a terminal.

python docs/picture.py
"""

import contextlib
import io
import re
import tempfile
from pathlib import Path

from cnntrain.cli.console import CommandConsole
from cnntrain.cli.training_text import result_lines
from cnntrain.cli.training_view import RichView
from cnntrain.config import load_config
from cnntrain.training import fit
from cnntrain.training.events import Finished, IterationEnded

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 82
LEFT_OUT = range(6, 28)
"""Iterations that the picture does without."""


def main() -> None:
    """Train, and draw what the command's own view leaves on the terminal; the bar is gone by then."""
    console = CommandConsole(io.StringIO())
    console.width, console.record = COLUMNS, True
    console.print("$ cnntrain train configs/digits.yaml", style="green")
    config = load_config(ROOT / "configs" / "digits.yaml")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        view = RichView(console, config.network.layers)
        for event in fit(config):
            if not (isinstance(event, IterationEnded) and event.iteration in LEFT_OUT):
                view.show(event)
            elif event.iteration == LEFT_OUT.start:
                view.close()  # writes the lines that wait
                console.print("...".rjust(9))
            if isinstance(event, Finished):
                for line in result_lines(event.result):
                    console.print(line)
    svg = console.export_svg(title="cnntrain", unique_id="training")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # a reader would have to fetch these fonts
    svg = "".join(f"{line.rstrip()}\n" for line in svg.splitlines())
    (ROOT / "docs" / "training.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
