"""Checks of the data: class balance, split sizes, duplicates, channels, brightness, order."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.data.darkness import check_darkness
from cnntrain.data.duplicates import Sample, find_duplicates
from cnntrain.data.names import join_names
from cnntrain.data.preprocessing import CONSTANT, Preprocessing
from cnntrain.data.statistics import describe_data
from cnntrain.sanity_checks.finding import Finding, finding, status_of
from cnntrain.training.batches import batches

WARN_IMBALANCE, FAIL_IMBALANCE = 10, 100
"""How many times as many samples the largest class may have as the smallest."""
WARN_HELD_OUT, FAIL_HELD_OUT = 30, 10
"""Fewer samples make a held-out split too small; 30 give an accuracy within 9 percentage points (standard error)."""
FAIL_SHARED = 0.01
"""Share of the held-out or training samples that may be duplicates."""
WARN_SHIFT, FAIL_SHIFT = 0.5, 1.0
"""How far the mean of a held-out split may lie from that of the training images, in their standard deviations."""
MIN_MIXED = 0.5
"""Fewer classes per batch than this share of what shuffled batches have is a wrong order."""
MAX_CHANNELS = 8
"""Maximum number of channels whose figures are listed; pretrained features have hundreds."""
NAMED = 3
"""Number of examples that a text names."""


def data_checks(config: Config, data: Data, where: Path) -> Iterator[Finding]:
    """Yield the results of the checks of the data.

    Args:
        config: Config of the data.
        data: The data.
        where: What to name in advice: the config or run.
    """
    shared = find_duplicates(data)
    yield class_balance(config, data)
    yield held_out_sizes(data)
    yield across_splits(data, shared)
    yield contradicting_labels(data, shared)
    yield constant_channels(config, data)
    yield brightness(config, data)
    yield similar_splits(data, where)
    yield order_of_samples(config, data)


def class_balance(config: Config, data: Data) -> Finding:
    """Compare the numbers of training samples of the classes."""
    counts = data.train.counts(len(data.classes))
    least, most = int(counts.argmin()), int(counts.argmax())
    ratio = float(counts[most] / counts[least]) if counts[least] else float("inf")
    weighted = config.training.class_weights is not None
    if len(counts) == 1:
        return finding("class balance", "fail", "there is only one class", "add samples of another class")
    if counts[least] == counts[most]:
        text = f"{len(counts):,} classes of {counts[least]:,} training samples each"
        return finding("class balance", "pass", text, "", smallest=int(counts[least]), largest=int(counts[most]))
    text = (
        f"{len(counts):,} classes of {counts[least]:,} ({data.classes[least]}) to {counts[most]:,} "
        f"({data.classes[most]}) training samples"
    )
    uneven = 0.0 if weighted else ratio
    status = status_of(uneven > WARN_IMBALANCE, uneven > FAIL_IMBALANCE or ratio == np.inf)
    advice = (
        f"add samples of {data.classes[least]!r}"
        if counts[least] == 0
        else "set training.class_weights=balanced, or add samples of the rare classes; accuracy alone misleads here"
    )
    return finding("class balance", status, text, advice, smallest=int(counts[least]), largest=int(counts[most]))


def held_out_sizes(data: Data) -> Finding:
    """Check that the held-out splits are large enough for their accuracy to mean something."""
    sizes = {
        split: len(dataset) for split, dataset in data.splits().items() if dataset is not None and split != "train"
    }
    if not sizes:
        return finding(
            "held-out samples",
            "warn",
            "neither validation nor test samples: nothing shows how the network does on new images",
            "set data.validation=0.1",
        )
    least = min(sizes.values())
    text = ", ".join(f"{size:,} {split}" for split, size in sizes.items()) + " samples"
    error = 0.5 / np.sqrt(least)
    text += f"; standard error of the accuracy at most {error:.1%}"
    classes = len(data.classes)
    status = status_of(least < max(WARN_HELD_OUT, classes), least < FAIL_HELD_OUT)
    smallest = min(sizes, key=lambda split: sizes[split])
    advice = f"hold out more samples: a larger data.{smallest}, or more {smallest} images"
    absent = absent_classes(data)
    if absent and status == "pass":
        status = "warn"
        split, names = next(iter(absent.items()))
        text += f"; no {split} sample of {join_names(map(repr, names[:NAMED]))}"
        text += f" and {len(names) - NAMED:,} more classes" * (len(names) > NAMED)
        advice = f"add {split} samples of each class: nothing shows how the network does on the others"
    return finding("held-out samples", status, text, advice, **sizes)


def absent_classes(data: Data) -> dict[str, list[str]]:
    """Return the classes that a held-out split lacks and the training samples have, by split."""
    trained = data.train.counts(len(data.classes)) > 0
    found = {}
    for split, dataset in data.splits().items():
        if dataset is not None and split != "train":
            absent = np.flatnonzero(trained & (dataset.counts(len(data.classes)) == 0)).tolist()
            if absent:
                found[split] = [data.classes[i] for i in absent]
    return found


def across_splits(data: Data, duplicates: Sequence[Sequence[Sample]]) -> Finding:
    """Look for held-out samples whose pixels are also those of a training sample."""
    held_out = sum(len(dataset) for split, dataset in data.splits().items() if dataset is not None and split != "train")
    pairs = []
    for group in duplicates:
        trained = next((sample for sample in group if sample.split == "train"), None)
        first = trained or group[0]
        pairs += [(first, sample) for sample in group if sample.split not in ("train", first.split)]
    text = f"no image of {sum(map(len, filter(None, data.splits().values()))):,} is in two splits"
    if pairs:
        text = f"{len(pairs):,} of {held_out:,} held-out images are also in another split: {examples(pairs)}"
    status = status_of(bool(pairs), len(pairs) > FAIL_SHARED * held_out)
    advice = "remove one of each pair, or keep them in one split with data.group: the accuracy on them is memory"
    return finding("duplicates across splits", status, text, advice, duplicates=len(pairs))


def contradicting_labels(data: Data, duplicates: Sequence[Sequence[Sample]]) -> Finding:
    """Look for identical images with different labels."""
    pairs = []
    for group in duplicates:
        other = next((sample for sample in group if sample.label != group[0].label), None)
        if other is not None:
            pairs.append((group[0], other))
    text = "no image has two labels"
    if pairs:
        text = f"{len(pairs):,} {'image has' if len(pairs) == 1 else 'images have'} two labels: {examples(pairs)}"
    status = status_of(bool(pairs), len(pairs) > FAIL_SHARED * len(data.train))
    advice = "correct the labels, or remove these images: no network can learn both"
    return finding("contradicting labels", status, text, advice, images=len(pairs))


def examples(pairs: Sequence[tuple[Sample, Sample]]) -> str:
    """Return the first pairs in words."""
    more = [f"and {len(pairs) - NAMED:,} more"] if len(pairs) > NAMED else []
    return ", ".join([*(f"{one} = {other}" for one, other in islice(pairs, NAMED)), *more])


def constant_channels(config: Config, data: Data) -> Finding:
    """Look for channels with the same value in every training pixel."""
    std = describe_data(data)["std"]
    constant = [i for i, value in enumerate(std) if value < CONSTANT]
    spread = ", ".join(f"{value:.3f}" for value in std)
    if len(std) > MAX_CHANNELS:
        spread = f"{min(std):.3f} to {max(std):.3f}"
    text = f"standard deviation {spread} of pixels in 0..1" + (" (by channel)" if len(std) > 1 else "")
    if config.data is not None and getattr(config.data, "features", None) is not None:
        text = f"standard deviation {spread} of {len(std):,} features"
    if constant:
        are = "is" if len(constant) == 1 else "are"
        text = f"channel {join_names(map(str, constant))} of {len(std):,} {are} constant; {text}"
    advice = "check how the images were read (cnntrain data info --sheet FILE), and leave constant channels out"
    return finding("channels", status_of(bool(constant), len(constant) == len(std)), text, advice, std=std)


def brightness(config: Config, data: Data) -> Finding:
    """Check the scale of the pixels: images that are all nearly black were divided twice."""
    assert config.data is not None
    dark = check_darkness(data.train, config.data.source == "images", config.data.standardize)
    return finding(
        "pixel scale",
        "warn" if dark else "pass",
        dark or "the training images use the range of their pixels",
        "rescale the pixels: few distinct values are left of them",
    )


def similar_splits(data: Data, where: Path) -> Finding:
    """Compare the mean pixel of the held-out splits with that of the training images."""
    train = Preprocessing.measure(data.train)
    shifts = {}
    for split, dataset in data.splits().items():
        if dataset is not None and split != "train":
            mean = Preprocessing.measure(dataset).mean
            shift = (np.array(mean) - train.mean) / np.array(train.std)
            shifts[split] = float(np.sqrt(np.mean(np.square(shift))))  # over the channels
    if not shifts:
        return finding("similar splits", "pass", "there is only a training split", "")
    worst = max(shifts, key=lambda split: shifts[split])
    text = f"mean pixel of {worst} lies {shifts[worst]:.2g} standard deviations from that of train"
    advice = f"compare the images of both splits: cnntrain data info {where} --sheet FILE; one may be scaled otherwise"
    status = status_of(shifts[worst] > WARN_SHIFT, shifts[worst] > FAIL_SHIFT)
    return finding("similar splits", status, text, advice, **shifts)


def order_of_samples(config: Config, data: Data) -> Finding:
    """Count the classes in a batch: sorted samples that are not shuffled give batches of one class."""
    options, labels = config.training, data.train.labels

    def classes_per_batch(shuffle: bool) -> float:
        order = batches(len(labels), options.batch_size, options.seed, 1, shuffle)
        return float(np.mean([len(np.unique(labels[indices])) for indices in order]))

    found, expected = classes_per_batch(options.shuffle), classes_per_batch(shuffle=True)
    text = f"{found:.1f} classes per batch on average"
    if not options.shuffle:
        text += f"; {expected:.1f} if shuffled"
    status = status_of(warns=False, fails=found < MIN_MIXED * expected)
    advice = "set training.shuffle=true: the samples are sorted by class, so each step unlearns the last"
    return finding("order of samples", status, text, advice, classes_per_batch=found)
