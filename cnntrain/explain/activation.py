"""a = sigma(z) and delta = dJ/da ⊙ sigma'(z), for one entry of z."""

import numpy as np

from cnntrain import textbook
from cnntrain.explain.arithmetic import Equation, Group, Part
from cnntrain.explain.entry import Entry, Position, indexed, sigma_of
from cnntrain.types import Array


def scalar(value: float) -> Array:
    """Return a number as an array, as the textbook takes it."""
    return np.array([value])


def sigma_prime(z: float, sigma: str) -> float:
    """Return sigma'(z)."""
    return float(textbook.sigma_prime(scalar(z), sigma)[0])


def activation(entry: Entry, output: Position) -> Equation:
    """The equation a = sigma(z) of one entry of the output."""
    z, a = float(entry.trace.z[0][output]), float(entry.trace.a[0][output])
    return Equation(
        indexed("a", output),
        f"{entry.sigma}(z)",
        a,
        float(textbook.sigma(scalar(z), entry.sigma)[0]),
        operands=((indexed("z", output), z),),
    )


def delta_of(entry: Entry, output: Position) -> Part | None:
    """How delta of one entry of z comes about: dJ/da from the next entry, times sigma'(z)."""
    if entry.da is None:
        return None  # the loss explains the last one
    z, da = float(entry.trace.z[0][output]), float(entry.da[0][output])
    slope = sigma_prime(z, entry.sigma)
    equation = Equation(
        indexed("delta", output),
        "dJ/da ⊙ sigma'(z)",
        float(entry.trace.delta[0][output]),
        da * slope,
        (Group("product", None, ((da, slope),)),),
    )
    return Part("delta", "delta = dJ/da ⊙ sigma'(z)", "1", equations=(equation,))


def delta_before(entry: Entry, at: Position) -> Equation | None:
    """The equation delta^(l-1) = dJ/da^(l-1) ⊙ sigma'(z^(l-1)) of one entry of the input; None for the first entry."""
    if entry.before is None or sigma_of(entry.before) == "softmax":
        return None
    at = (
        at
        if len(at) == entry.before.z.ndim - 1
        else tuple(int(i) for i in np.unravel_index(at[0], entry.before.z.shape[1:]))
    )
    z, dx = float(entry.before.z[0][at]), float(entry.trace.dx.reshape(entry.before.z.shape)[0][at])
    slope = sigma_prime(z, sigma_of(entry.before))
    return Equation(
        indexed("delta(l-1)", at),
        "dJ/dx ⊙ sigma'(z(l-1))",
        float(entry.before.delta[0][at]),
        dx * slope,
        (Group("product", None, ((dx, slope),)),),
    )


def explain(entry: Entry) -> list[Part]:
    """Explain an entry that is only a bias and activation."""
    k = entry.chosen_filter()
    output = elementwise_output(entry, k)
    z, x, b = (float(v) for v in (entry.trace.z[0][output], entry.trace.x[0][output], entry.param("b")[k]))
    forward = Equation(
        indexed("z", output), "x + b", z, x + b, operands=((indexed("x", output), x), (indexed("b", k), b))
    )
    remarks = tuple(entry.took(k, output[1:]))
    parts = [Part("forward", "a = sigma(x + b)", "5", (), (forward, activation(entry, output)), remarks)]
    delta = delta_of(entry, output)
    return [*parts, *([delta] if delta else []), db_part(entry, k)]


def elementwise_output(entry: Entry, k: int) -> Position:
    """Return the entry of the output to show, for a layer whose output has the shape of its input."""
    delta, at = entry.trace.delta[0], entry.checked_at()
    if delta.ndim == 1:
        return (at[0] if at is not None and entry.filter is None else k,)
    if at is None:
        at = tuple(int(i) for i in np.unravel_index(np.abs(delta[k]).argmax(), delta[k].shape))
    return (k, *at)


def db_part(entry: Entry, k: int) -> Part:
    """The equation db_k = sum of delta over pixels and samples."""
    delta = entry.trace.delta[:, k]
    groups = tuple(
        Group("sample", n, tuple((value,) for value in of_sample.ravel().tolist()), n == 0)
        for n, of_sample in enumerate(delta)
    )
    of_image = delta.reshape(1, len(delta), -1)
    equation = Equation(
        indexed("db", k),
        "sum delta",
        float(entry.trace.gradients["b"][k]),
        float(textbook.conv_db(of_image)[0]),
        groups,
    )
    return Part("db", "db_k = sum_uv delta_kuv", "4" if entry.trace.delta.ndim == 4 else "1", equations=(equation,))
