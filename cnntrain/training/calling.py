"""Training as functions that return when it is over; tqdm shows the batches."""

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from cnntrain.config import Config
from cnntrain.training.events import BatchEnded, Event, Finished, Loading, Noted, Started, Warned
from cnntrain.training.fit import fit
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.keeping.resuming import go_on


def train(config: Config, out: str | Path | None = None) -> dict[str, Any]:
    """Train as ``cnntrain train`` does and return what its ``--json`` prints.

    Raises:
        CnntrainError: See ``fit``.
    """
    return watched(lambda interrupts: fit(config, out, interrupts))


def resume(run: str | Path, overrides: Sequence[str] = (), verify: bool = False) -> dict[str, Any]:
    """Go on with a run as ``cnntrain resume`` does and return what its ``--json`` prints.

    Args:
        run: The run folder.
        overrides: ``KEY=VALUE`` words such as ``training.Max=30``.
        verify: First repeat the steps between the last two checkpoints, and compare.

    Raises:
        CnntrainError: See ``go_on``.
    """
    return watched(lambda interrupts: go_on(run, overrides, interrupts, verify))


def watched(events: Callable[[Interrupts], Iterator[Event]]) -> dict[str, Any]:
    """Show what happens, and return how it ended. Notes and warnings are ``UserWarning``."""
    from tqdm.auto import tqdm

    with Interrupts() as interrupts:
        coming = events(interrupts)
        first = next(coming)  # a run that cannot begin needs no bar
        with tqdm(unit="batch", disable=sys.stderr is None) as bar:
            for event in chain([first], coming):
                match event:
                    case Loading():
                        of = f"/{event.total:,}" if event.total else ""
                        bar.set_description(f"{event.what} {event.done:,}{of}")
                    case Noted():
                        warnings.warn(event.text, stacklevel=3)
                    case Started():
                        bar.total = event.batches * event.Max
                        bar.set_description("")
                        bar.update(event.batches * event.iterations_before + event.batches_before)
                    case BatchEnded():
                        bar.set_postfix(iteration=event.iteration, loss=f"{event.loss:.4f}", refresh=False)
                        bar.update()
                    case Warned():
                        warnings.warn(event.text, stacklevel=3)
                    case Finished():
                        result = event.result
    return result
