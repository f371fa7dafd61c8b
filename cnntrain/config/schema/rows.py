"""The layers of a list of entries, in the order in which the engine runs them."""

from collections.abc import Iterator, Sequence
from typing import Any

from cnntrain.config.schema.options import LayerOptions
from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.layers.softmax import Softmax
from cnntrain.types import Shape


def make_layers(entries: Sequence[LayerOptions], shape: Shape, seed: int) -> Iterator[Layer[Any]]:
    """Yield the layers of the entries; a conv is a convolution, then bias and activation.

    If max pooling follows, it runs before the bias and activation: the result is the same, on less data. Before batch
    normalization there is no bias: the mean would cancel it.

    Args:
        entries: The options, with all units known.
        shape: The shape of the input, ``(H, C, W)`` or ``(features,)``.
        seed: The seed of the run, or of the block that holds the entries.
    """
    for index in range(len(entries)):
        for layer in make_entry(entries, index, shape, seed):
            yield layer
            shape = layer.out_shape


def make_entry(entries: Sequence[LayerOptions], index: int, shape: Shape, seed: int) -> Iterator[Layer[Any]]:
    """Yield the layers of one entry; see ``make_layers``."""
    options = entries[index]
    before = entries[index - 1] if index else None
    following = entries[index + 1] if index + 1 < len(entries) else None
    if options.is_max_pool and before is not None and before.pools_first:
        return  # the entry before has yielded it
    first = options.make(index, shape, seed, before)
    yield first
    if options.sigma is None:
        return
    shape = first.out_shape
    if following is not None and options.pools_first and following.is_max_pool:
        pool = following.make(index + 1, shape, seed)
        yield pool
        shape = pool.out_shape
    if not (following is not None and following.drops_bias and options.is_linear):
        sigma = "identity" if options.sigma == "softmax" else options.sigma
        yield Activation(index, first.kind, sigma, shape)
    if options.sigma == "softmax":
        yield Softmax(index, shape)
