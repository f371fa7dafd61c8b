"""Learning-rate schedules: alpha of each step of a run.

Alpha depends on the step number only, and for plateau on the training state, so a run can resume from any step. With p
epochs since the warm-up, of M = Max - warmup in total:

=========  ============================================================================================
constant   alpha
step       alpha step_factor^floor(p / step_every)
cosine     alpha (1 + cos(pi p / M)) / 2: at Max it would be 0
plateau    alpha; ``TrainState.factor`` lowers it by step_factor when the monitored value no longer improves
one_cycle  low + (alpha - low) (1 + cos(pi p / M)) / 2, with low = alpha / 10^4
=========  ============================================================================================

In the warm-up alpha rises linearly, from near 0, or from alpha / 25 for one_cycle.

References: Loshchilov & Hutter 2017, arXiv:1608.03983; Smith & Topin 2018, arXiv:1708.07120; Goyal et al. 2017,
arXiv:1706.02677, for the warm-up.
"""

import math

from cnntrain.config import TrainingOptions
from cnntrain.config.schema.training import MAX_LENGTH

INITIAL_DIVISOR = 25
"""Divisor of alpha in the first step of one_cycle."""
FINAL_DIVISOR = 10**4
"""Divisor of alpha at the end of one_cycle."""


def alpha_of(t: int, steps: int, options: TrainingOptions) -> float:
    """Return alpha of step t = 1, 2, ... of a run with ``steps`` steps per epoch."""
    alpha, done = options.alpha, t - 1
    warmup = (options.warmup or 0.0) * steps
    if done < warmup:
        if options.schedule == "one_cycle":
            low = alpha / INITIAL_DIVISOR
            return low + (alpha - low) * done / warmup
        return alpha * (done + 1) / (warmup + 1)
    if options.schedule in ("constant", "plateau"):
        return alpha
    if options.schedule == "step":
        return alpha * options.step_factor ** (int(done - warmup) // ((options.step_every or 1) * steps))
    share = (done - warmup) / (min(options.Max, MAX_LENGTH) * steps - warmup)
    low = 0.0 if options.schedule == "cosine" else alpha / FINAL_DIVISOR
    return low + (alpha - low) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
