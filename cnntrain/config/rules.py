"""Rules between keys: which layers may follow each other, and which settings go together."""

from collections.abc import Container, Iterator, Sequence

from cnntrain.backbones.spec import BACKBONES
from cnntrain.config.paths import BACKBONE
from cnntrain.config.schema.config import SOURCES
from cnntrain.config.schema.entries import LayerEntry, ResidualOptions, all_entries
from cnntrain.config.schema.layers import ConvOptions, DropoutOptions, FcOptions, PoolOptions
from cnntrain.config.schema.training import ONLY_WITH, TrainingOptions
from cnntrain.config.yaml.nodes import Mapping, Node, Path, Scalar, find, place
from cnntrain.config.yaml.wording import did_you_mean, either

Broken = tuple[Path, str]
"""The path where a rule is broken, and the message."""

FIXES = {
    "momentum": "set it to 0 (adam and adamw have beta1 in its place), or use optimizer sgd",
    "weight_decay": "use optimizer adamw, or l2 in place of weight_decay",
}
"""Suggestions for keys that do not apply, where there is a better one than leaving the key out."""


NO_VALIDATION = "{} needs a validation split, and no samples are held out; add 'validation: 0.1' to data"
"""Message about a key that needs validation samples."""


def has_softmax(layer: LayerEntry | None) -> bool:
    """Return whether a layer ends in softmax."""
    return layer is not None and isinstance(layer.options, FcOptions) and layer.options.activation == "softmax"


def broken_rules(
    root: Node, meant: Container[Path], training: TrainingOptions | None, layers: Sequence[LayerEntry | None]
) -> Iterator[Broken]:
    """Yield every rule that is broken.

    Args:
        root: The tree of the config.
        meant: Paths of keys that are present, but misspelled.
        training: Its training section, None if that is invalid.
        layers: Its layers, None for each one that is invalid.
    """
    yield from input_rules(root, meant)
    yield from layer_rules(layers)
    yield from freeze_rules(root, layers)
    if training:
        yield from training_rules(root, training)
        yield from loss_rules(training, layers[-1] if layers else None)
        yield from batch_rules(training, layers)
        yield from feature_rules(root, training)
    yield from backbone_rules(root)


def input_rules(root: Node, meant: Container[Path]) -> Iterator[Broken]:
    """Yield a problem if the shape of the images is unknown."""
    image = [("data",), ("network", "input")]
    if isinstance(find(root, ("network",)), Mapping) and not any(
        is_given(root, path) or path in meant for path in image
    ):
        yield image[1], "missing key 'input', [C, H, W]: there is no data section to take it from"


def is_given(root: Node, path: Path) -> bool:
    """Return whether a key has a value."""
    node = find(root, path)
    return node is not None and not (isinstance(node, Scalar) and node.value is None)


def layer_rules(
    layers: Sequence[LayerEntry | None], outer: Path = ("network", "layers"), first_fc: Path | None = None
) -> Iterator[Broken]:
    """Yield problems with the order of the layers.

    Args:
        layers: A list of layers; None is an invalid one.
        outer: Its path.
        first_fc: The path of the first fc before it, None if there is none.
    """
    for index, layer in enumerate(layers):
        if layer is None:
            continue
        path = (*outer, index, layer.kind)
        is_last = len(outer) == 2 and index == len(layers) - 1
        yield from own_rules(layer, path, is_last)
        if isinstance(layer.options, ResidualOptions):
            yield from layer_rules(layer.options.layers, (*path, "layers"), first_fc)
        elif isinstance(layer.options, FcOptions):
            first_fc = path[:-1] if first_fc is None else first_fc
            if not is_last:
                if layer.options.units is None:
                    yield (
                        (*path, "units"),
                        "missing key 'units'; only in the last layer it defaults to the number of classes",
                    )
                if has_softmax(layer):
                    yield (*path, "activation"), "softmax is for the last layer only; use relu, for example"
        elif first_fc is not None and isinstance(layer.options, (ConvOptions, PoolOptions)):
            yield (
                path,
                f"{layer.kind} needs an image, but gets the vector of {place(None, first_fc)}, an fc; "
                "put it before that",
            )


def freeze_rules(root: Node, layers: Sequence[LayerEntry | None]) -> Iterator[Broken]:
    """Yield a problem if nothing is left to train, or if a digest belongs to no weights."""
    path: Path = ("network", "freeze")
    node = find(root, path)
    freeze = node.value if isinstance(node, Scalar) else 0
    trained = [index for index, layer in enumerate(layers) if layer is None or layer.options.is_trained]
    if isinstance(freeze, int) and trained and freeze > trained[-1]:
        yield (
            path,
            f"freeze = {freeze} leaves nothing to train: {place(root, ('network', 'layers', trained[-1]))} is the last "
            f"entry with parameters; use at most {trained[-1]}",
        )
    if is_given(root, ("network", "start_digest")) and not is_given(root, ("network", "start_from")):
        yield ("network", "start_digest"), "start_digest only applies with start_from; leave it out"


def own_rules(layer: LayerEntry, path: Path, is_last: bool) -> Iterator[Broken]:
    """Yield problems of a single layer."""
    options = layer.options
    if isinstance(options, PoolOptions) and options.k == "all" and options.S is not None:
        yield (*path, "S"), "S does not apply with 'k: all', where the only region is the whole image; leave it out"
    if isinstance(options, PoolOptions) and options.P:
        if options.k == "all":
            yield (*path, "P"), "P does not apply with 'k: all', where the only region is the whole image; leave it out"
        elif options.k // 2 < options.P:
            yield (
                (*path, "P"),
                f"P = {options.P} is more than half of k = {options.k}: a region could be nothing but padding; "
                f"use at most {options.k // 2}, or a larger k",
            )
    if isinstance(options, DropoutOptions) and is_last:
        yield path, "dropout after the last layer would drop the network's outputs; put it before the last fc"


def training_rules(root: Node, training: TrainingOptions) -> Iterator[Broken]:
    """Yield settings of ``training`` that do not go together."""
    for key, (other, values) in ONLY_WITH.items():
        given, suggestion = getattr(training, other), FIXES.get(key, f"leave it out, or use {other} {values[0]}")
        if key in training.model_fields_set and getattr(training, key) and given not in values:
            yield ("training", key), f"{key} only applies to {other} {either(values)}, not to {given}; {suggestion}"
    if isinstance(training.class_weights, tuple) and not any(training.class_weights):
        yield ("training", "class_weights"), "all class weights are 0, so there is nothing to learn from"
    if training.nesterov and not training.momentum and training.optimizer == "sgd":
        yield ("training", "nesterov"), "nesterov needs momentum; add 'momentum: 0.9' or leave nesterov out"
    if training.warmup and training.warmup > training.Max:
        yield (
            ("training", "warmup"),
            f"a warm-up of {training.warmup:g} epochs is longer than Max = {training.Max}; shorten it or increase Max",
        )
    if not has_validation(root):
        for key in training.need_validation:
            yield ("training", key), NO_VALIDATION.format(key)
    if training.min_delta and not training.patience and training.schedule != "plateau":
        yield ("training", "min_delta"), "min_delta only applies with patience or schedule plateau; leave it out"


def has_validation(root: Node) -> bool:
    """Return whether there will be a validation split, as far as the config can tell."""
    source, share = find(root, ("data", "source")), find(root, ("data", "validation"))
    options = SOURCES.get(source.text) if isinstance(source, Scalar) else None
    if options is None or options.may_bring_validation:
        return True  # without data there is no training; an unknown source is reported elsewhere
    return not (share is None or (isinstance(share, Scalar) and share.value == 0))


def loss_rules(training: TrainingOptions, output: LayerEntry | None) -> Iterator[Broken]:
    """Yield a problem if the loss does not fit the last layer."""
    if training.loss == "cross_entropy" and output is not None and not has_softmax(output):
        yield (
            ("training", "loss"),
            "cross_entropy needs a last layer fc with 'activation: softmax'; add it or use loss mse",
        )


def batch_rules(training: TrainingOptions, layers: Sequence[LayerEntry | None]) -> Iterator[Broken]:
    """Yield a problem if batches are too small for the mean and variance of a unit."""
    kinds = [layer.kind for layer in all_entries([layer for layer in layers if layer])]
    if training.batch_size == 1 and training.augmentation.mixes_images:
        key = "mixup" if training.augmentation.mixup else "cutmix"
        yield ("training", "augmentation", key), f"{key} mixes two samples of a batch, and batch_size is 1"
    if training.batch_size == 1 and "fc" in kinds and "batch_norm" in kinds[kinds.index("fc") :]:
        yield (
            ("training", "batch_size"),
            "batch_norm after an fc needs more than one sample per batch, or each value is its own mean and becomes 0",
        )


def feature_rules(root: Node, training: TrainingOptions) -> Iterator[Broken]:
    """Yield a problem if pixels are to be changed whose features are computed only once."""
    if is_given(root, ("data", "features")) and not training.augmentation.changes_nothing:
        yield (
            ("training", "augmentation"),
            "the features of an image are computed once, so its pixels cannot change in each epoch; leave augmentation "
            "out, or use 'views: 4' in data.features",
        )


def backbone_rules(root: Node) -> Iterator[Broken]:
    """Yield a problem if the backbone is neither a known name nor an ONNX file."""
    node = find(root, BACKBONE)
    text = node.value if isinstance(node, Scalar) else None
    if isinstance(text, str) and text not in BACKBONES and not text.lower().endswith(".onnx"):
        name = text.replace("\\", "/").rpartition("/")[2]
        hint = did_you_mean(name, BACKBONES) or f"; known by name: {', '.join(BACKBONES)}"
        yield BACKBONE, f"expected a known backbone or the path of an .onnx file, got {name[:80]!r}{hint}"
