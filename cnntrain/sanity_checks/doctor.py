"""All sanity checks of a config or run, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnntrain.builder import build_for, load_config_data
from cnntrain.config import load_config
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.gradient_check.check import add_random_biases, set_test_class_weights
from cnntrain.network.network import Network
from cnntrain.parallel import single_core
from cnntrain.runs.compare import describe
from cnntrain.runs.folder import CONFIG_FILE, WEIGHTS_FILE
from cnntrain.sanity_checks.data_checks import data_checks
from cnntrain.sanity_checks.finding import Finding, finding
from cnntrain.sanity_checks.network_checks import (
    dead_units,
    gradients,
    initial_loss,
    loss_of_a_guess,
    penalty,
    saturated_units,
)
from cnntrain.sanity_checks.short_training import generator
from cnntrain.sanity_checks.training_checks import Miniature, learn_by_heart
from cnntrain.training.diagnostics import LayerDiagnostics, diagnose_layers
from cnntrain.training.samples import TrainingSamples
from cnntrain.weights import weights

STATUSES = ("pass", "warn", "fail")


class Subject:
    """A config or run, with its data."""

    def __init__(self, path: Path, overrides: Sequence[str], reporter: ProgressReporter):
        self.path, self.overrides = path, overrides
        self.trained: Network | None = None
        """The network with the weights of the run; None for a config."""
        if path.is_dir() and (path / CONFIG_FILE).is_file() and not (path / WEIGHTS_FILE).exists():
            reporter.note(f"{path}: the run has no weights yet; a new network is checked")
            self.config = load_config(path / CONFIG_FILE, overrides)
            self.data = load_config_data(self.config, path, reporter)
        elif path.is_dir() or path.suffix == ".safetensors":
            saved = weights.load_saved(path, overrides)
            self.config, self.trained = saved.config, saved.network
            data = load_config_data(saved.config, saved.path.parent, reporter, saved.preprocessing.scale)
            saved.check_fits(data)
            self.data = replace(data, preprocessing=saved.preprocessing)
        else:
            self.config = load_config(path, overrides)
            self.data = load_config_data(self.config, None, reporter)

    def network(self, dtype: str | None = None) -> Network:
        """Return a new network."""
        return build_for(self.config, self.data, dtype)

    def in_float64(self) -> Network:
        """Return the network for the gradient check: that of the run, or a new one."""
        if self.trained is not None:
            network = self.trained.astype("float64")
        else:
            network = self.network("float64")
            add_random_biases(network, self.config.training.seed)
        set_test_class_weights(network, self.config)
        return network

    def diagnostics(self, network: Network) -> tuple[list[LayerDiagnostics], int]:
        """Return diagnostics of the layers, and the number of samples they are from."""
        rng = generator(self.config.training.seed, 5)
        samples = self.data.train.take(np.sort(rng.permutation(len(self.data.train))[: network.micro_batch_size]))
        mixed = TrainingSamples(replace(self.data, train=samples), self.config.training)
        return diagnose_layers(network, mixed, 1), len(samples)


def doctor(
    config: str | Path,
    overrides: Sequence[str] = (),
    reporter: ProgressReporter = NO_PROGRESS,
    on_finding: Callable[[Finding], None] = lambda finding: None,  # noqa: ARG005
) -> dict[str, Any]:
    """Run all sanity checks: the list of Stanford's CS231n, and checks of the data.

    Nothing is written. Trainings are short: on a part of the samples, from new weights.

    Args:
        config: Path of a config, run folder or ``.safetensors`` file. Of a run, the trained weights are checked, too.
        overrides: ``KEY=VALUE`` overrides of the config.
        reporter: Receives progress, and notes of loading the data.
        on_finding: Called with the result of each check.

    Returns:
        ``passed``, whether no check failed; ``counts`` of ``pass``, ``warn`` and ``fail``; ``checks``, each with
        ``check``, ``status``, ``text``, ``advice`` and ``figures``.

    Raises:
        ConfigError: The config is invalid, or has no data section.
        DataError, WeightsError: The data or the weights are missing or malformed.

    References:
        https://cs231n.github.io/neural-networks-3/, sections "Before learning: sanity checks tips" and "Babysitting
        the learning process".
    """
    found: list[Finding] = []
    with single_core():
        for result in findings(Path(config), overrides, reporter):
            found.append(result)
            on_finding(result)
    counts = {status: sum(result.status == status for result in found) for status in STATUSES}
    return {"passed": not counts["fail"], "counts": counts, "checks": [result.to_json() for result in found]}


def findings(path: Path, overrides: Sequence[str], reporter: ProgressReporter) -> Iterator[Finding]:
    """Yield the result of each check."""
    subject = Subject(path, overrides, reporter)
    config, data = subject.config, subject.data
    checks = 0

    def announce(what: str) -> None:
        nonlocal checks
        reporter.progress(checks, CHECKS, what)
        checks += 1

    announce("checking the data")
    yield from data_checks(config, data, path)
    yield from end_of_the_run(path)
    announce("checking the new network")
    network = subject.network()
    first, loss = initial_loss(config, network, data)
    yield first
    yield penalty(network, loss)
    new, count = subject.diagnostics(network)
    if subject.trained is None:
        yield dead_units(new, "new network", count)
        yield saturated_units(new, "new network", count)
    else:
        yield finite_weights(subject.trained)
        trained, count = subject.diagnostics(subject.trained)
        yield dead_units(trained, "trained network", count)
        yield saturated_units(trained, "trained network", count)
    announce("checking gradients")
    what = "new" if subject.trained is None else "trained"
    yield gradients(subject.in_float64(), config.training.seed, what)
    announce("overfitting 20 samples")
    yield learn_by_heart(config, data, loss_of_a_guess(network, data.train.labels[:1])[0])
    announce("training in miniature")
    small = Miniature(config, network, data)
    yield small.run()
    yield small.step_sizes()
    announce("training in miniature, labels shuffled")
    yield small.run_shuffled()
    reporter.progress(CHECKS, CHECKS, "done")


CHECKS = 6
"""Steps of the progress."""


def finite_weights(network: Network) -> Finding:
    """Check that no weight of a run is infinite or NaN."""
    bad = [name for name, value in network.state().items() if not np.isfinite(value).all()]
    text = "all weights are finite" if not bad else f"infinite or NaN: {', '.join(bad)}"
    return finding("weights", "fail" if bad else "pass", text, "lower training.alpha, and train again")


def end_of_the_run(path: Path) -> Iterator[Finding]:
    """Check how a run ended."""
    if not path.is_dir():
        return
    stop = describe(path)["stop"]
    text = f"the run ended: {stop}" if stop else "the run has not ended"
    if stop in ("diverged", "failed"):
        yield finding("end of the run", "fail", text, f"see cnntrain replay {path}, and lower training.alpha")
    else:
        yield finding("end of the run", "pass", text, "")
