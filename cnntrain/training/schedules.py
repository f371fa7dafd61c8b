"""Schedules: the step size alpha of each step of a run.

They follow from the step's number alone, so a run can go on from any step. With p epochs gone since the warm-up,
of M = Max - warmup that there are:

=========  ============================================================================================
constant   alpha
step       alpha step_factor^floor(p / step_every)
cosine     alpha (1 + cos(pi p / M)) / 2: at Max it would be 0
one_cycle  low + (alpha - low) (1 + cos(pi p / M)) / 2, with low = alpha / 10^4
=========  ============================================================================================

In the warm-up alpha rises along a line, from near 0, for one_cycle from alpha / 25.

References: Loshchilov & Hutter 2017, arXiv:1608.03983; Smith & Topin 2018, arXiv:1708.07120; Goyal et al. 2017,
arXiv:1706.02677, for the warm-up.
"""

import math

from cnntrain.config import TrainingOptions
from cnntrain.config.schema.training import MAX_LENGTH

FIRST = 25
"""What alpha is divided by in the first step of one_cycle."""
LOWEST = 10**4
"""What alpha is divided by at the end of one_cycle."""


def alpha_of(t: int, steps: int, options: TrainingOptions) -> float:
    """Return alpha of step t = 1, 2, ... of a run; an epoch has ``steps``."""
    alpha, gone = options.alpha, t - 1
    warmup = (options.warmup or 0.0) * steps
    if gone < warmup:
        if options.schedule == "one_cycle":
            low = alpha / FIRST
            return low + (alpha - low) * gone / warmup
        return alpha * (gone + 1) / (warmup + 1)
    if options.schedule == "constant":
        return alpha
    if options.schedule == "step":
        return alpha * options.step_factor ** (int(gone - warmup) // ((options.step_every or 1) * steps))
    share = (gone - warmup) / (min(options.Max, MAX_LENGTH) * steps - warmup)
    low = 0.0 if options.schedule == "cosine" else alpha / LOWEST
    return low + (alpha - low) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
