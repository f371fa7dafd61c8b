"""The step: from dW of this sample to the new W, by the run's own optimizer and learning rate.

The batch of the step is the traced samples alone; the state of the optimizer and the number of the step are those of
the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnntrain import textbook
from cnntrain.config import TrainingOptions
from cnntrain.explain.arithmetic import Equation, Group, Part, Term
from cnntrain.explain.entry import Entry, indexed
from cnntrain.network.network import Network
from cnntrain.parallel.single import SingleProcess
from cnntrain.training.update import Update
from cnntrain.types import Array, Labels

STATE_NAMES = {"sgd": ("v",), "rmsprop": ("r",), "adam": ("m", "v"), "adamw": ("m", "v")}
"""The letters of an optimizer's states, as docs/notation.md has them."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where in its training a run stands."""

    t: int = 1
    """Number of the next step, from 1."""
    steps: int = 1
    """Steps per epoch."""
    factor: float = 1.0
    """Factor of the scheduled alpha, after rollbacks."""
    t0: int = 0
    """Number of steps before the optimizer state was last reset."""
    states: Array | None = None
    """State of the optimizer; None for zeros, as at the first step."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step on the traced samples; arrays by full name, ``layers.0.W``, in the edge layout."""

    options: TrainingOptions
    alpha: float
    t: int
    """Number of the step since the state was 0, which the bias correction of Adam takes."""
    clip_factor: float
    """1, or what ``clip_norm`` multiplies the gradient with."""
    l1: float
    l2: float
    gradient: dict[str, Array]
    """With penalties, clipped."""
    before: dict[str, Array]
    after: dict[str, Array]
    states: tuple[dict[str, Array], ...]
    """States before the step, in the order of ``STATE_NAMES``."""
    new_states: tuple[dict[str, Array], ...]


def take_step(network: Network, options: TrainingOptions, x: Array, y: Labels, at: Position) -> Step:
    """Return what one step on these samples does; the network does not change."""
    copy = network.astype(network.dtype)
    objective = copy.objective
    copy.set_objective(replace(objective, l1=0.0, l2=0.0))  # the step adds the penalties
    _, gradient, _ = copy.gradient(x, y)
    copy.set_objective(objective)
    comm = SingleProcess(copy.layout, copy.dtype, options.state_rows)
    if at.states is not None:
        comm.states[...] = at.states
    part, _ = copy.layout.split(slice(0, copy.layout.size))

    def named(vector: Array) -> dict[str, Array]:
        return copy.layout.named(vector, copy.layout.parameters)

    before, states = named(copy.theta), tuple(named(row) for row in comm.states)
    clipped = gradient[part].copy()
    objective.add_penalty_gradient(copy.theta[: copy.layout.W_count], clipped[: copy.layout.W_count])
    norm = float(np.sqrt(np.dot(clipped, clipped)))
    factor = options.clip_norm / norm if options.clip_norm and norm > options.clip_norm else 1.0
    whole = np.zeros_like(copy.theta)
    whole[part] = clipped * factor
    alpha = Update(copy, part, comm, options, at.steps).step(gradient[part].copy(), at.t, at.factor, at.t0)
    return Step(
        options,
        alpha,
        at.t - at.t0,
        factor,
        objective.l1,
        objective.l2,
        named(whole),
        before,
        named(copy.theta),
        states,
        tuple(named(row) for row in comm.states),
    )


def explain(entry: Entry, step: Step, key: str, at: Sequence[int]) -> Part:
    """Explain the step of one entry of a parameter.

    Args:
        entry: The entry of the network.
        step: The step.
        key: ``W``, ``b`` or ``gamma``.
        at: Index of the parameter's entry.
    """
    name, index = f"{entry.owner}.{key}", tuple(at)
    options, penalized = step.options, key == "W"
    old, new, dW = (float(array[index]) for array in (step.before[name], step.after[name], entry.trace.gradients[key]))
    l1, l2 = (step.l1, step.l2) if penalized else (0.0, 0.0)
    g = (dW + l2 * old + l1 * float(np.sign(old))) * step.clip_factor
    terms: list[Term] = [(1.0, dW)]
    terms += [(l2, old)] * bool(l2)
    terms += [(l1, float(np.sign(old)))] * bool(l1)
    terms = [(step.clip_factor, *term) for term in terms] if step.clip_factor != 1 else terms
    parameter, gradient = indexed(key, index), indexed("g", index)
    state = [float(row[name][index]) for row in step.states]
    new_state = [float(row[name][index]) for row in step.new_states]
    expected, expected_state, formula = textbook_step(step, old, g, state, penalized)
    letters = STATE_NAMES[options.optimizer][: len(state)]
    formula_g = "dW + l2 W + l1 sign(W)" if penalized else f"d{key}"
    products = (Group("product", None, tuple(terms)),)
    equations = [Equation(gradient, formula_g, float(step.gradient[name][index]), g, products)]
    operands: tuple[tuple[str, float], ...] = (("alpha", step.alpha), (gradient, g))
    for letter, was, now, value in zip(letters, state, new_state, expected_state, strict=True):
        equations.append(
            Equation(indexed(letter, index), formula[letter], now, value, operands=((letter, was), *operands))
        )
    operands = ((parameter, old), *operands, *zip(letters, new_state, strict=True))
    equations.append(Equation(f"{parameter}'", formula["W"].replace("W", key), new, expected, operands=operands))
    remarks: list[tuple[str, dict[str, Any]]] = [("one_batch", {"t": step.t})]
    if step.clip_factor != 1:
        remarks.append(("clipped", {"factor": step.clip_factor}))
    return Part("step", f"{key} = {formula['W'].replace('W', key)}", "5", (), tuple(equations), tuple(remarks))


def textbook_step(
    step: Step, theta: float, g: float, state: Sequence[float], penalized: bool
) -> tuple[float, list[float], dict[str, str]]:
    """Return the new parameter, the new states, and the formulas, as the textbook has them."""
    options, alpha = step.options, step.alpha
    match options.optimizer:
        case "sgd" if not options.momentum:
            return theta - alpha * g, [], {"W": "W - alpha g"}
        case "sgd":
            take = textbook.nesterov_step if options.nesterov else textbook.momentum_step
            new, v = take(theta, g, state[0], alpha, options.momentum)
            last = f"W + {options.momentum:g} v - alpha g" if options.nesterov else "W + v"
            return new, [v], {"v": f"{options.momentum:g} v - alpha g", "W": last}
        case "rmsprop":
            new, r = textbook.rmsprop_step(theta, g, state[0], alpha, options.rho, options.eps)
            return new, [r], {"r": "rho r + (1 - rho) g²", "W": "W - alpha g / (sqrt(r) + eps)"}
    if options.optimizer == "adamw" and penalized:
        theta = textbook.decayed(theta, alpha, options.weight_decay)
    new, m, v = textbook.adam_step(
        theta, g, state[0], state[1], step.t, alpha, options.beta1, options.beta2, options.eps
    )
    decay = "W (1 - alpha weight_decay)" if options.optimizer == "adamw" and penalized else "W"
    formulas = {"m": "beta1 m + (1 - beta1) g", "v": "beta2 v + (1 - beta2) g²"}
    return new, [m, v], formulas | {"W": f"{decay} - alpha m' / (sqrt(v') + eps)"}
