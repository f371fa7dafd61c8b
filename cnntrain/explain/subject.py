"""What is explained: a network, one sample of its data, and where in its training the run stands."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnntrain.builder import load_config_data
from cnntrain.config import Config, load_config
from cnntrain.data import Data, ProgressReporter
from cnntrain.data.dataset import Dataset
from cnntrain.data.progress import NO_PROGRESS
from cnntrain.errors import DivergedError, UsageError, WeightsError
from cnntrain.explain.entry import Entry
from cnntrain.explain.entry import Position as Pixel
from cnntrain.explain.step import Position, Step, take_step
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.layers.dropout import Dropout
from cnntrain.layers.row import walk
from cnntrain.network.array_layout import to_edge
from cnntrain.network.network import Network
from cnntrain.network.objective import balanced_weights
from cnntrain.network.trace import LayerTrace, Trace
from cnntrain.ops.phases import memory_shape
from cnntrain.runs.folder import CHECKPOINT_FILE
from cnntrain.training.batches import batch_count
from cnntrain.training.checkpointing import checkpoint as checkpoints
from cnntrain.training.start_from import starting_network
from cnntrain.types import Array, Labels
from cnntrain.weights.weights import load_saved

Remark = tuple[str, dict[str, Any]]
"""Key of a sentence in the dictionary, and what to fill in."""
NORMALIZED_BATCH = 8
"""Samples that are traced together where batch normalization of a vector needs several."""


@dataclass(frozen=True)
class Subject:
    """A traced sample. Where several samples are traced, it is the first."""

    source: str
    network: Network
    trace: Trace
    x: Array
    """The traced samples, ``(N, C, H, W)``."""
    y: Labels
    classes: tuple[str, ...]
    output: Array
    """The network's output in evaluation mode, for the sample."""
    step: Step | None = None
    split: str = ""
    sample: int = 0
    samples: int = 1
    """Number of samples of the split."""
    file: str | None = None
    """Name of the sample's file."""
    remarks: list[Remark] = field(default_factory=list)

    @property
    def label(self) -> int:
        """The class of the sample."""
        return int(self.y[0])

    @property
    def scale(self) -> float:
        """The factor of one sample's loss in J."""
        return self.network.objective.scale(len(self.y))

    def entries(self, filter: int | None = None, at: Pixel | None = None) -> list[Entry]:
        """Return the entries in order, the inner ones of a residual entry before it."""
        return list(row_entries(self.trace.layers, "", None, (), filter, at))


def row_entries(
    layers: Sequence[LayerTrace],
    outer: str,
    da: Array | None,
    sources: tuple[tuple[str, str], ...],
    filter: int | None,
    at: Pixel | None,
) -> Iterator[Entry]:
    """Yield the entries of a row, those inside a residual block before it.

    Args:
        layers: Their traces.
        outer: The name of the row, such as ``3.``.
        da: dJ/d output of the row; None where the loss begins.
        sources: Where that comes from; see ``Entry.sources``.
        filter: As for ``Entry``.
        at: As for ``Entry``.
    """
    for i, layer in enumerate(layers):
        name = f"{outer}{layer.index}"
        for branch, inside in layer.branches.items():
            prefix = f"{name}." if branch == "F" else f"{name}.{branch}."
            yield from row_entries(inside, prefix, layer.delta, ((name, "delta"),), filter, at)
        da_here, from_there = da, sources
        if i + 1 < len(layers):
            da_here = layers[i + 1].dx.reshape(layer.a.shape)
            from_there = ((f"{outer}{layers[i + 1].index}", "dx"),)
        yield Entry(name, layer, da_here, layers[i - 1] if i else None, from_there, filter, at)


def trace_subject(network: Network, x: Array, y: Labels, **facts: Any) -> Subject:
    """Trace samples in float64.

    Raises:
        DivergedError: A value is infinite or NaN.
    """
    remarks = list(facts.pop("remarks", []))
    if network.frozen:
        entries = len({layer.index for layer in network.layers[: network.frozen]})
        remarks.append(("frozen", {"entries": entries}))
        network = Network(copy.deepcopy(network.layers), network.objective, "float64", network.micro_batch_size)
    elif network.dtype != np.float64:
        network = network.astype("float64")
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        trace = network.trace(x, y)
    for name, value in trace.arrays().items():
        if not np.isfinite(value).all():
            raise DivergedError(f"{name} holds an infinity or NaN for this sample, so there is nothing to explain")
    if any(isinstance(layer, BatchNorm | Dropout) for _, layer in walk(network.layers)):
        remarks.append(("training_pass", {}))
    output = network.forward(np.asarray(x[:1], np.float64))[0].ravel()
    classes = facts.pop("classes", None) or tuple(str(i) for i in range(output.size))
    return Subject(
        network=network,
        trace=trace,
        x=np.asarray(x),
        y=np.asarray(y),
        classes=classes,
        output=output,
        remarks=remarks,
        **facts,
    )


def load_subject(
    source: str | Path,
    overrides: Sequence[str] = (),
    split: str | None = None,
    sample: int = 0,
    reporter: ProgressReporter = NO_PROGRESS,
) -> Subject:
    """Load the network of a run, weights file or config, and trace a sample of its data.

    Args:
        source: Run folder, ``.safetensors`` file, YAML file or name of a bundled config.
        overrides: ``KEY=VALUE`` overrides of the config.
        split: ``test``, ``validation`` or ``train``; by default the first of these that the data have.
        sample: Index in the split.
        reporter: Receives the progress of loading the data.

    Raises:
        ConfigError, DataError, WeightsError: The network or its data cannot be loaded.
        UsageError: The data have no such split or sample.
        DivergedError: A value is infinite or NaN.
    """
    path = Path(source)
    if path.is_dir() or path.suffix == ".safetensors":
        saved = load_saved(path, overrides, dtype="float64")
        config, network = saved.config, saved.network
        data = load_config_data(config, saved.path.parent, reporter, saved.preprocessing.scale)
        saved.check_fits(data)
        preprocessing = saved.preprocessing
        if config.training.class_weights == "balanced":
            weights = balanced_weights(data.train.labels, int(np.prod(network.out_shape)))
            network.set_objective(replace(network.objective, class_weights=weights))
        position, remarks = position_of(path, config, data, network)
    else:
        config = load_config(path, overrides)
        data = load_config_data(config, None, reporter)
        config, network, taken = starting_network(config, data)
        for line in taken:
            reporter.note(line)
        preprocessing = data.preprocessing
        steps = batch_count(len(data.train), config.training.batch_size)
        position, remarks = Position(steps=steps), [("begins_with", {}) if taken else ("untrained", {})]
    name, dataset = chosen_split(str(source), data, split)
    indices, more = samples_of(dataset, name, sample, network)
    shape = network.layers[0].in_shape
    x = np.empty((*memory_shape(shape), len(indices)))
    preprocessing.columns(dataset.gather(indices), x)
    x, y = np.ascontiguousarray(to_edge(x, shape)), dataset.labels[indices]
    subject = trace_subject(
        network,
        x,
        y,
        source=str(source),
        classes=data.classes,
        split=name,
        sample=sample,
        samples=len(dataset),
        file=None if dataset.names is None else dataset.names[sample],
        remarks=[*remarks, *more],
    )
    if network.frozen:  # a step trains the rest alone, from other values: batch normalization stays as it is
        return subject
    return replace(subject, step=take_step(subject.network, config.training, x, y, position))


def chosen_split(source: str, data: Data, split: str | None) -> tuple[str, Dataset]:
    """Return a split by name; by default test, else validation, else train."""
    splits = {name: dataset for name, dataset in data.splits().items() if dataset is not None and len(dataset)}
    name = split or next(name for name in ("test", "validation", "train") if name in splits)
    if name not in splits:
        raise UsageError(f"{source}: the data have no {name} split, only {' and '.join(splits)}")
    return name, splits[name]


def samples_of(dataset: Dataset, split: str, sample: int, network: Network) -> tuple[Labels, list[Remark]]:
    """Return the indices of the samples to trace: the sample, and others where batch norm of a vector needs them."""
    if not 0 <= sample < len(dataset):
        raise UsageError(f"--sample {sample}: the {split} split has the samples 0 to {len(dataset) - 1:,}")
    if not any(isinstance(layer, BatchNorm) and layer.pixels == 1 for _, layer in walk(network.layers)):
        return np.array([sample]), []
    count = min(NORMALIZED_BATCH, len(dataset))
    return (sample + np.arange(count)) % len(dataset), [("several", {"samples": count})]


def position_of(path: Path, config: Config, data: Data, network: Network) -> tuple[Position, list[Remark]]:
    """Return where a run stands, from its checkpoint; the beginning if there is none."""
    steps = batch_count(len(data.train), config.training.batch_size)
    file = path / CHECKPOINT_FILE
    if not path.is_dir() or not file.exists():
        return Position(steps=steps), [("no_checkpoint", {})]
    try:
        saved = checkpoints.load(file)
    except WeightsError as error:
        return Position(steps=steps), [("bad_checkpoint", {"reason": str(error)})]
    before, now = saved.config.training, config.training
    if before.optimizer != now.optimizer or saved.states.shape != (now.state_rows, network.layout.size):
        return Position(steps=steps), [("other_optimizer", {})]
    state = saved.state
    done = (state.epoch - 1) * steps + state.batch
    t = max(1, min(done + 1, config.training.Max * steps))
    t0 = min(state.restarted_after * steps, t - 1)
    return Position(t, steps, state.factor(config.training), t0, saved.states), [("from_checkpoint", {"t": t})]
