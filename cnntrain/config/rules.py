"""What no single key shows: which layers may follow each other, and what goes together."""

from collections.abc import Container, Iterator, Sequence

from cnntrain.config.schema.config import SOURCES, LayerEntry
from cnntrain.config.schema.layers import ConvOptions, DropoutOptions, FcOptions, PoolOptions
from cnntrain.config.schema.training import ONLY_WITH, TrainingOptions
from cnntrain.config.yaml.nodes import Mapping, Node, Path, Scalar, find
from cnntrain.config.yaml.wording import either

Broken = tuple[Path, str]
"""Where a rule is broken, and a sentence."""

FIXES = {
    "momentum": "set it to 0 (adam and adamw have beta1 in its place), or use optimizer sgd",
    "weight_decay": "use optimizer adamw, or l2 in place of weight_decay",
}
"""What to do about a key that means nothing here, where more than leaving it out comes to mind."""


def has_softmax(layer: LayerEntry | None) -> bool:
    """Return whether a layer ends in softmax."""
    return layer is not None and isinstance(layer.options, FcOptions) and layer.options.activation == "softmax"


def broken_rules(
    root: Node, meant: Container[Path], training: TrainingOptions | None, layers: Sequence[LayerEntry | None]
) -> Iterator[Broken]:
    """Yield every rule that is broken.

    Args:
        root: The config.
        meant: Keys that are in it, but misspelt.
        training: Its section, None if it is faulty in itself.
        layers: Its layers, None for each that is faulty in itself.
    """
    yield from input_rules(root, meant)
    yield from layer_rules(layers)
    if training:
        yield from training_rules(root, training)
        yield from loss_rules(training, layers[-1] if layers else None)
        yield from batch_rules(training, layers)


def input_rules(root: Node, meant: Container[Path]) -> Iterator[Broken]:
    """Yield that nothing tells how large the images are."""
    image = [("data",), ("network", "input")]
    if isinstance(find(root, ("network",)), Mapping) and not any(
        is_given(root, path) or path in meant for path in image
    ):
        yield image[1], "missing key 'input', [C, H, W], as there is no section 'data' to take it from"


def is_given(root: Node, path: Path) -> bool:
    """Return whether a key has a value."""
    node = find(root, path)
    return node is not None and not (isinstance(node, Scalar) and node.value is None)


def layer_rules(layers: Sequence[LayerEntry | None]) -> Iterator[Broken]:
    """Yield what is wrong with the order of the layers; None is a layer that is faulty in itself."""
    first_fc: int | None = None
    for index, layer in enumerate(layers):
        if layer is None:
            continue
        path = ("network", "layers", index, layer.kind)
        yield from own_rules(layer, path, is_last=index == len(layers) - 1)
        if isinstance(layer.options, FcOptions):
            first_fc = index if first_fc is None else first_fc
            if index < len(layers) - 1:
                if layer.options.units is None:
                    yield (
                        (*path, "units"),
                        "missing key 'units'; only the last layer takes them from the data's classes",
                    )
                if has_softmax(layer):
                    yield (*path, "activation"), "softmax is for the last layer alone; relu is usual in the others"
        elif first_fc is not None and isinstance(layer.options, (ConvOptions, PoolOptions)):
            yield (
                path,
                f"{layer.kind} needs an image, but layers[{first_fc}], an fc, has made a vector of it; put it before",
            )


def own_rules(layer: LayerEntry, path: Path, is_last: bool) -> Iterator[Broken]:
    """Yield what is wrong with one layer by itself."""
    options = layer.options
    if isinstance(options, PoolOptions) and options.k == "all" and options.S is not None:
        yield (*path, "S"), "with 'k: all' there is one region, the whole image, and no step to the next; leave it out"
    if isinstance(options, DropoutOptions) and is_last:
        yield path, "a dropout at the end would leave out the network's answers; put it before the last fc"


def training_rules(root: Node, training: TrainingOptions) -> Iterator[Broken]:
    """Yield what does not go together in ``training``."""
    for key, (other, values) in ONLY_WITH.items():
        given, mend = getattr(training, other), FIXES.get(key, f"leave it out, or use {other} {values[0]}")
        if key in training.model_fields_set and getattr(training, key) and given not in values:
            yield ("training", key), f"{key} goes with {other} {either(values)}, and this is {given}; {mend}"
    if isinstance(training.class_weights, tuple) and not any(training.class_weights):
        yield ("training", "class_weights"), "every class weighs 0, so there is nothing to learn from"
    if training.nesterov and not training.momentum and training.optimizer == "sgd":
        yield ("training", "nesterov"), "nesterov needs a momentum; add 'momentum: 0.9', or leave nesterov out"
    if training.warmup and training.warmup > training.Max:
        yield (
            ("training", "warmup"),
            f"the warm-up takes {training.warmup:g} epochs, but Max is {training.Max}; shorten it, or raise Max",
        )
    if training.patience and not has_validation(root):
        yield (
            ("training", "patience"),
            "patience needs a validation loss, and no samples are held out; add 'validation: 0.1' to data",
        )


def has_validation(root: Node) -> bool:
    """Return whether there will be a validation split, as far as the config shows it."""
    source, share = find(root, ("data", "source")), find(root, ("data", "validation"))
    options = SOURCES.get(source.text) if isinstance(source, Scalar) else None
    if options is None or options.may_bring_validation:
        return True  # without data there is no training; a source that is not known is told elsewhere
    return not (share is None or (isinstance(share, Scalar) and share.value == 0))


def loss_rules(training: TrainingOptions, output: LayerEntry | None) -> Iterator[Broken]:
    """Yield a loss that does not go with the last layer."""
    if training.loss == "cross_entropy" and output is not None and not has_softmax(output):
        yield (
            ("training", "loss"),
            "cross_entropy needs 'activation: softmax' on a last layer fc; add it, or use loss mse",
        )


def batch_rules(training: TrainingOptions, layers: Sequence[LayerEntry | None]) -> Iterator[Broken]:
    """Yield a batch that is too small for the mean and variance of a unit."""
    kinds = [layer.kind for layer in layers if layer]
    if training.batch_size == 1 and "fc" in kinds and "batch_norm" in kinds[kinds.index("fc") :]:
        yield (
            ("training", "batch_size"),
            "a batch_norm behind an fc needs more samples than one: every value would be its own mean, and become 0",
        )
