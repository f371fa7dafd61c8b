"""What a run folder gets when training is over: metrics.csv, and the plots."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from cnntrain.data import Data
from cnntrain.errors import reason_of
from cnntrain.evaluation.artifacts import draw_run
from cnntrain.network.network import Network
from cnntrain.runs.metrics_file import read_metrics
from cnntrain.storage import write_text


def complete(
    folder: Path, network: Network, data: Data, ended: bool, plots: bool = True, only_in_training: Sequence[str] = ()
) -> Iterator[str]:
    """Write metrics.csv and draw the plots; yield a sentence for each file that cannot be made.

    Args:
        folder: Of the run.
        network: With the weights of the last epoch.
        data: Of the training.
        ended: Whether training came to its end by itself; otherwise the only plot is that of the curves.
        plots: Whether there shall be plots.
        only_in_training: What makes training and validation loss different measures.
    """
    try:
        write_csv(folder)
    except (OSError, ValueError, RecursionError) as error:
        yield f"{folder / 'metrics.csv'} cannot be written: {reason_of(error)}"
    if plots:
        yield from draw_run(folder, network, data, ended, only_in_training)


def write_csv(folder: Path) -> None:
    """Write the lines of metrics.jsonl as a table, a column for each key that occurs, empty where a value is null."""
    rows = read_metrics(folder / "metrics.jsonl")
    if not rows:
        return
    table = io.StringIO()
    writer = csv.DictWriter(table, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / "metrics.csv", table.getvalue())
