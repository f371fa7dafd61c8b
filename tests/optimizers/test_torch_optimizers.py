"""Optimizers and the loss against PyTorch's, in float64. Skipped without PyTorch."""

import numpy as np
import pytest

from cnntrain.config.schema.training import TrainingOptions
from cnntrain.ops.losses import training_loss
from cnntrain.optimizers import OPTIMIZERS
from cnntrain.training.schedules import alpha_of

torch = pytest.importorskip("torch")

ALPHA = 0.03
CASES = [
    ({}, lambda p: torch.optim.SGD(p, ALPHA)),
    ({"momentum": 0.8}, lambda p: torch.optim.SGD(p, ALPHA, momentum=0.8)),
    ({"momentum": 0.8, "nesterov": True}, lambda p: torch.optim.SGD(p, ALPHA, momentum=0.8, nesterov=True)),
    ({"optimizer": "adam"}, lambda p: torch.optim.Adam(p, ALPHA)),
    (
        {"optimizer": "adam", "beta1": 0.7, "beta2": 0.9, "eps": 1e-3},
        lambda p: torch.optim.Adam(p, ALPHA, betas=(0.7, 0.9), eps=1e-3),
    ),
    ({"optimizer": "adamw"}, lambda p: torch.optim.AdamW(p, ALPHA)),
    ({"optimizer": "adamw", "weight_decay": 0.3}, lambda p: torch.optim.AdamW(p, ALPHA, weight_decay=0.3)),
    ({"optimizer": "rmsprop"}, lambda p: torch.optim.RMSprop(p, ALPHA, alpha=0.9)),
    (
        {"optimizer": "rmsprop", "rho": 0.5, "eps": 1e-2},
        lambda p: torch.optim.RMSprop(p, ALPHA, alpha=0.5, eps=1e-2),
    ),
]


@pytest.mark.parametrize(("keys", "make"), CASES, ids=lambda value: str(value) if isinstance(value, dict) else "")
def test_a_hundred_steps_are_those_of_pytorch(keys, make):
    rng = np.random.default_rng(0)
    options = TrainingOptions(**keys, alpha=ALPHA)
    theta = rng.normal(size=40)
    tensor = torch.tensor(theta, requires_grad=True)
    states = np.zeros((options.state_rows, 40))
    ours, theirs = OPTIMIZERS[options.optimizer](states, 40, **options.hyperparameters), make([tensor])
    for t in range(1, 101):
        gradient = rng.normal(size=40) * 10.0 ** rng.integers(-3, 3)
        tensor.grad = torch.tensor(gradient)
        theirs.step()
        ours.step(theta, gradient, ALPHA, t)
    np.testing.assert_allclose(theta, tensor.detach().numpy(), rtol=1e-11, atol=1e-12)


def test_the_cosine_is_that_of_pytorch():
    options = TrainingOptions(schedule="cosine", Max=7, alpha=0.4)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.4)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 35)
    for t in range(1, 36):
        assert alpha_of(t, 5, options) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        theirs.step()


def test_one_cycle_is_that_of_pytorch_between_its_ends():
    """PyTorch's peak lies one step earlier and its end one step sooner; so it gets a run with one more step."""
    steps, Max, warmup = 10, 10, 3
    options = TrainingOptions(schedule="one_cycle", Max=Max, alpha=0.4, warmup=warmup)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.4)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        0.4,
        total_steps=steps * Max + 1,
        pct_start=(steps * warmup + 1) / (steps * Max + 1),
        anneal_strategy="cos",
        div_factor=25,
        final_div_factor=400,
    )
    for t in range(1, steps * Max + 1):
        if t > steps * warmup:  # its rise is a cosine, too, and ours a line
            assert alpha_of(t, steps, options) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(("share", "weighted"), [(0.0, False), (0.0, True), (0.1, False), (0.7, False)])
def test_the_loss_is_that_of_pytorch(share, weighted):
    """With smoothed labels PyTorch weights each class of the label separately, so the two are compared separately."""
    rng = np.random.default_rng(1)
    z, y = rng.normal(0, 3, (5, 9)), rng.integers(0, 5, 9)
    weights = rng.uniform(0.1, 3, 5) if weighted else None
    logits = torch.tensor(z.T, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(
        logits,
        torch.tensor(y),
        weight=torch.tensor(weights) if weighted else None,
        label_smoothing=share,
        reduction="none",
    )
    expected.sum().backward()
    loss, delta = training_loss("cross_entropy", share, weights)(z, y)
    np.testing.assert_allclose(loss, expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(delta, logits.grad.numpy().T, rtol=1e-11, atol=1e-14)
