"""The network and the number of epochs that fit into a given time, by timing steps of training on this computer."""

from typing import Any

from cnntrain.autoconfig.inspect import Findings
from cnntrain.autoconfig.recommend import Line, NetworkSize, Recommendation, recommend
from cnntrain.config import config_from_dict
from cnntrain.data.progress import ProgressReporter
from cnntrain.errors import UsageError
from cnntrain.profiling.dry_run import dry_run

MIN_EPOCHS = 3
"""With fewer epochs than this, training makes no sense."""
MANY = 5_000
"""Samples from which a large network is tried."""


def fit_into(
    minutes: float, findings: Findings, size: NetworkSize | None, reporter: ProgressReporter
) -> tuple[Recommendation, str]:
    """Return the recommendation whose training takes at most ``minutes``, and a sentence on it.

    The largest network is taken that can be trained for the recommended number of epochs. If none can, the smallest is
    trained for as many epochs as fit.

    Args:
        minutes: Time for training, above 0.
        findings: The facts about the data.
        size: Size of the network; by default the largest that fits.
        reporter: The receiver of progress.

    Raises:
        UsageError: Not even ``MIN_EPOCHS`` epochs fit.
    """
    sizes: list[NetworkSize] = [size] if size else ["medium", "small"]
    if size is None and findings.samples >= MANY:
        sizes.insert(0, "large")
    for candidate in sizes:
        recommendation = recommend(findings, candidate)
        wanted = next(line.value for line in recommendation.training if line.key == "Max")
        seconds = seconds_per_epoch(findings, recommendation, reporter)
        epochs = min(wanted, int(60 * minutes / seconds))
        if epochs == wanted:
            break
    if epochs < MIN_EPOCHS:
        raise UsageError(
            f"a {candidate} network needs about {seconds:.3g} seconds an epoch here, so --minutes {minutes:g} is too "
            f"little: allow at least {MIN_EPOCHS * seconds / 60:.2g}, or choose a smaller --size"
        )
    taken = f"about {epochs * seconds / 60:.2g} minutes here, {seconds:.3g} seconds an epoch"
    sentence = f"time: a {candidate} network, {epochs} epochs: {taken}"
    if epochs < wanted:
        sentence += f"; {wanted} epochs would be better"
    return recommend(findings, candidate, Line("Max", epochs, f"number of epochs: {taken}")), sentence


def seconds_per_epoch(findings: Findings, recommendation: Recommendation, reporter: ProgressReporter) -> float:
    """Return the duration of an epoch, from timed steps."""
    data = findings.source | {line.key: line.value for line in recommendation.data}
    content: dict[str, Any] = {
        "data": data,
        "network": {"layers": [{line.key: line.value} for line in recommendation.layers]},
        "training": {line.key: line.value for line in recommendation.training},
    }
    config = config_from_dict(content, "the recommended config")
    seconds: float = dry_run(config, ProgressReporter(reporter.progress, lambda _: None))["seconds_per_epoch"]
    return seconds
