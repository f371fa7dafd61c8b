"""A finished run in Python: its result, its history, its network."""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.config import load_config
from cnntrain.errors import UsageError, reason_of
from cnntrain.network.network import Network
from cnntrain.runs.folder import CONFIG_FILE
from cnntrain.runs.history import EPOCH, History
from cnntrain.runs.metrics_file import read_metrics
from cnntrain.training.monitoring import only_in_training
from cnntrain.weights.weights import load_saved

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Run(dict[str, Any]):
    """What ``cnntrain.train`` and ``cnntrain.resume`` return: the result as a dict, and what the run folder holds.

    The keys are those of ``cnntrain train --json``: ``run``, ``stop``, ``epochs``, ``seconds``, ``best``, ``train``,
    ``validation``, ``test`` and others. A function that takes a run folder also takes a run: ``cnntrain.load(run)``.

    Examples:
        >>> import cnntrain
        >>> config = cnntrain.load_config("digits", ["training.Max=2", "training.workers=1"])
        >>> run = cnntrain.train(config, out="runs/two", plots=False)
        >>> run["epochs"], run.history["train_loss"].shape
        (2, (2,))
        >>> run.network.out_shape
        (10,)
    """

    def __fspath__(self) -> str:
        return str(self["run"])

    def __dir__(self) -> list[str]:
        return ["get", "history", "items", "keys", "network", "plot", "values"]

    @property
    def history(self) -> dict[str, NDArray[Any]]:
        """The figures of each epoch, by the names of ``metrics.jsonl``, each ``(epochs,)``; NaN for a missing one.

        Raises:
            UsageError: ``metrics.jsonl`` cannot be read.
        """
        history = self._read()
        return {
            name: np.array(list(history.values(name))) if name == EPOCH else history.column(name)
            for name in history.names
        }

    @cached_property
    def network(self) -> Network:
        """The trained network, with the weights of the last epoch.

        Raises:
            WeightsError: The weights in the run folder are missing or malformed.
        """
        return load_saved(Path(self)).network

    def plot(self) -> "Figure":
        """Return a Matplotlib figure of loss and accuracy by epoch, the same as ``curves.png``.

        It is independent of ``pyplot``; ``figure.savefig("curves.pdf")`` saves it.

        Raises:
            UsageError: ``metrics.jsonl`` cannot be read.
        """
        from cnntrain.evaluation.plots.curves import curves
        from cnntrain.evaluation.plots.style import styled

        folder = Path(self)
        with styled():
            return curves(self._read(), folder.name, only_in_training(load_config(folder / CONFIG_FILE)))

    def _read(self) -> History:
        try:
            history = read_metrics(Path(self))
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"{os.fspath(self)}: the figures of the run cannot be read: {reason_of(error)}") from error
        if not history:
            raise UsageError(f"{os.fspath(self)}: there are no figures of any epoch")
        return history
