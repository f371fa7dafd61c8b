"""The article's formulas, as literally as Python allows: one sample, loops over pixels, float64, no tricks.

This folder is the specification in code. The engine is tested against it and nothing in training calls it, so it is
slow on purpose. Section numbers are the article's; docs/notation.md lists its misprints, none of which is copied.
"""

from cnntrain.textbook.activations import (
    SIGMA,
    loss_value,
    output_delta,
    sigma,
    sigma_prime,
    sigmoid,
    softmax,
)
from cnntrain.textbook.algorithm import (
    activation_of,
    forward,
    iteration,
    sample_gradients,
    slice_forward,
    slice_gradients,
)
from cnntrain.textbook.batch_norm import (
    batch_norm_db,
    batch_norm_dgamma,
    batch_norm_evaluation,
    batch_norm_forward,
    batch_norm_statistics,
    delta_through_batch_norm,
    delta_through_dropout,
    dropout_forward,
    running_average,
)
from cnntrain.textbook.layers import (
    conv_db,
    conv_dW,
    conv_forward,
    delta_through_conv,
    delta_through_fc,
    fc_db,
    fc_dW,
    fc_forward,
    pool_forward,
    region_shape,
    rot180,
    true_convolution,
    upsample,
)

__all__ = [
    "SIGMA",
    "activation_of",
    "batch_norm_db",
    "batch_norm_dgamma",
    "batch_norm_evaluation",
    "batch_norm_forward",
    "batch_norm_statistics",
    "conv_dW",
    "conv_db",
    "conv_forward",
    "delta_through_batch_norm",
    "delta_through_conv",
    "delta_through_dropout",
    "delta_through_fc",
    "dropout_forward",
    "fc_dW",
    "fc_db",
    "fc_forward",
    "forward",
    "iteration",
    "loss_value",
    "output_delta",
    "pool_forward",
    "region_shape",
    "rot180",
    "running_average",
    "sample_gradients",
    "sigma",
    "sigma_prime",
    "sigmoid",
    "slice_forward",
    "slice_gradients",
    "softmax",
    "true_convolution",
    "upsample",
]
