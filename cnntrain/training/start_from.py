"""Begin with the weights of an earlier run: ``network.start_from``.

An entry is taken if the earlier network has an entry of the same kind at the same place, with tensors of the same
shapes; each layer of a residual block counts by itself. In the output layer the rows of W and b are taken by the name
of their class; the rows of new classes stay as they were drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from cnntrain.builder import build_for
from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.errors import ConfigError
from cnntrain.layers.row import walk
from cnntrain.network.network import Network
from cnntrain.types import Array, Shape
from cnntrain.weights.weights import SavedNetwork, load_saved

START_FROM, DIGEST = ("network", "start_from"), ("network", "start_digest")
MAX_NAMES = 8
"""Maximum number of classes that a line names."""
MEAN_SHIFT = 0.25
"""Difference of means, in standard deviations, from which the preprocessing counts as different."""


@dataclass
class Taken:
    """What was taken from an earlier run."""

    entries: list[str] = field(default_factory=list)
    """What was taken, such as ``layers.0 conv``."""
    others: list[str] = field(default_factory=list)
    """What was not, each with its reason."""
    tensors: dict[str, Array] = field(default_factory=dict)
    """What was taken of each tensor, in the edge layout: all of it, or some rows."""
    rows: dict[str, list[int]] = field(default_factory=dict)
    """For the tensors of which some rows were taken, the rows of the new network that they become."""

    @property
    def digest(self) -> str:
        """SHA-256 of the tensors: names, shapes, types and values."""
        content = sha256()
        for name, value in sorted(self.tensors.items()):
            content.update(f"{name} {value.shape} {value.dtype.str}\n".encode())
            content.update(np.ascontiguousarray(value).tobytes())
        return content.hexdigest()

    def put_into(self, network: Network) -> None:
        """Set the parameters and buffers of ``network`` that were taken."""
        state = network.state()
        for name, value in self.tensors.items():
            state[name][self.rows.get(name, slice(None))] = value
        network.set_state(state)


def starting_network(config: Config, data: Data) -> tuple[Config, Network, list[str]]:
    """Build the network of a new run, with the weights of an earlier one if the config names one.

    Args:
        config: The config.
        data: The data of the run.

    Returns:
        The config with the digest of what was taken, the network, and lines for the user on what was and was not taken.

    Raises:
        ConfigError: The network does not fit the data, nothing was taken, or it is not what the config's digest says.
        WeightsError: The earlier weights are missing or malformed.
    """
    network = build_for(config, data)
    path = config.network.start_from
    if path is None:
        return config, network, []
    saved = load_saved(path)
    taken = take(network, saved, data.classes)
    if not taken.entries:
        raise ConfigError(
            f"{config.where(START_FROM)}: nothing in {saved.path} fits this network: {'; '.join(taken.others)}"
        )
    expected = config.network.start_digest
    if expected is not None and taken.digest != expected:
        raise ConfigError(
            f"{config.where(DIGEST)}: what {saved.path} has for this network is no longer what the run began with: its "
            f"digest is {taken.digest}; leave out start_digest to begin with it anyway"
        )
    taken.put_into(network)
    begun = config.network.model_copy(update={"start_digest": taken.digest})
    return config.model_copy(update={"network": begun}), network, lines(taken, saved, data)


def take(network: Network, saved: SavedNetwork, classes: Sequence[str]) -> Taken:
    """Return what the earlier network has for each entry of ``network``, a new one for ``classes``."""
    taken, state, new = Taken(), saved.network.state(), network.state()
    mine, theirs = entries_of(network), entries_of(saved.network)
    last = f"layers.{network.layers[-1].index}"
    for entry, (kind, keys) in mine.items():
        label = f"{entry} {kind}"
        there = theirs.get(entry)
        if there is None or there[0] != kind:
            found = "nothing with parameters" if there is None else f"a {there[0]}"
            taken.others.append(f"{label}: the earlier network has {found} there")
            continue
        names = [f"{entry}.{key}" for key in keys]
        is_output = entry == last == f"layers.{saved.network.layers[-1].index}" and kind == "fc"
        ends = 1 if is_output and len(state[names[0]]) == len(saved.classes) else 0
        differing = next((name for name in names if shape_of(state, name, ends) != shape_of(new, name, ends)), None)
        if there[1] != keys or differing is not None:
            taken.others.append(f"{label}: {difference(state, new, entry, keys, there[1], differing)}")
            continue
        common = [name for name in classes if name in saved.classes]
        if ends and not common:
            taken.others.append(f"{label}: no class in common")
            continue
        for name in names:
            rows = [saved.classes.index(one) for one in common] if ends else slice(None)
            taken.tensors[name] = state[name][rows]
            if ends:
                taken.rows[name] = [classes.index(one) for one in common]
        taken.entries.append(label + (of_classes(classes, saved.classes) if ends else ""))
    return taken


def entries_of(network: Network) -> dict[str, tuple[str, list[str]]]:
    """Return the kind of each entry with parameters, and their names in it; those inside residual blocks, too."""
    kinds = {name: layer.kind for name, layer in reversed(list(walk(network.layers)))}
    entries: dict[str, tuple[str, list[str]]] = {}
    for slot in network.layout.slots.values():
        entries.setdefault(slot.entry, (kinds[slot.entry], []))[1].append(slot.key)
    return entries


def shape_of(state: Mapping[str, Array], name: str, start: int) -> Shape | None:
    """Return the shape of a tensor from axis ``start`` on, None if there is none."""
    return state[name].shape[start:] if name in state else None


def difference(
    state: Mapping[str, Array],
    new: Mapping[str, Array],
    entry: str,
    keys: Sequence[str],
    there: Sequence[str],
    differing: str | None,
) -> str:
    """Return why an entry does not fit."""
    if list(there) != list(keys):
        return f"it has {', '.join(there)} there and {', '.join(keys)} here"
    name = str(differing)
    shapes = (" x ".join(map(str, of[name].shape)) for of in (state, new))
    return f"{name.removeprefix(f'{entry}.')} is {' there and '.join(shapes)} here"


def of_classes(classes: Sequence[str], earlier: Sequence[str]) -> str:
    """Return which rows of the output layer were taken: `` (8 of 10 classes; drawn anew: cat, dog)``."""
    if list(classes) == list(earlier):
        return ""
    new, gone = ([name for name in a if name not in b] for a, b in ((classes, earlier), (earlier, classes)))
    text = f"{len(classes) - len(new)} of {len(classes)} classes"
    text += f"; drawn anew: {listed(new)}" if new else ""
    text += f"; left out: {listed(gone)}" if gone else ""
    return f" ({text})"


def listed(names: Sequence[str]) -> str:
    """Join names, truncated."""
    return ", ".join([*names[:MAX_NAMES], *(["..."] if len(names) > MAX_NAMES else [])])


def lines(taken: Taken, saved: SavedNetwork, data: Data) -> list[str]:
    """Return what to report: ``weights: from runs/a: ...``."""
    found = [f"start: from {saved.path}: {', '.join(taken.entries)}"]
    found += [f"start: not taken: {other}" for other in taken.others]
    before, now = saved.preprocessing, data.preprocessing
    if len(before.mean) == len(now.mean):
        shift = np.abs(np.subtract(before.mean, now.mean)) / np.maximum(before.std, 1e-12)
        if shift.max() > MEAN_SHIFT:
            found.append(
                f"start: the mean of the images differs by {shift.max():.1f} standard deviations from that of the "
                "earlier run; this run uses its own"
            )
    return found
