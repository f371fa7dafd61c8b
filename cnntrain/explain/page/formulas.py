"""MathML of the formulas, from a line of plain text.

``z_kij = sum_cpq x_c,Si+p-P,Sj+q-P W_kcpq + b_k``: words are separated by spaces; ``_`` and ``^`` begin an index that
ends with the word.
"""

import re
from html import escape

LETTERS = {
    "delta": "δ",
    "sigma": "σ",
    "alpha": "α",
    "gamma": "γ",
    "nabla": "∇",
    "dJ": "∂J",
    "dx": "∂x",
    "dW": "∂W",
    "da": "∂a",
    "db": "∂b",
    "dgamma": "∂γ",
    "dz": "∂z",
    "xhat": "x̂",
    "eps": "ε",
    "sum": "∑",
    "sigma'": "σ′",
}
OPERATORS = set("=+-*·⊙/()[],|") | {"∑"}
UPRIGHT = {"rot180", "upsample", "max", "Softmax", "pool", "ln", "sqrt", "mean", "var", "mask", "shortcut"}

FORMULAS: dict[str, list[tuple[str, str]]] = {
    "conv": [
        ("forward", "z_kij = sum_cpq x_c,Si+p-P,Sj+q-P · W_kcpq + b_k , a = sigma ( z )"),
        ("backward", "dJ / dx = delta * rot180 ( W ) , dJ / dx_crs = sum_kij delta_kij · W_k,c,r+P-Si,s+P-Sj"),
        ("dW", "dJ / dW_kcpq = sum_ij delta_kij · x_c,Si+p-P,Sj+q-P , dJ / db_k = sum_uv delta_kuv"),
    ],
    "pool": [("forward", "a = pool ( x )"), ("backward", "dJ / dx = upsample ( delta )")],
    "fc": [
        ("forward", "z_u = sum_v W_uv · x_v + b_u , a = sigma ( z )"),
        ("backward", "dJ / dx = W^T delta , dJ / dx_v = sum_u W_uv · delta_u"),
        ("dW", "dJ / dW = delta x^T , dJ / db = delta"),
    ],
    "batch_norm": [
        ("forward", "z = gamma · xhat + b , xhat = ( x - mean ) / sqrt ( var + eps ) , a = sigma ( z )"),
        ("backward", "dJ / dx = gamma / sqrt ( var + eps ) · ( delta - sum delta / m - xhat · sum delta xhat / m )"),
        ("dgamma", "dJ / dgamma = sum delta ⊙ xhat , dJ / db = sum delta"),
    ],
    "dropout": [("forward", "a = mask ⊙ x"), ("backward", "dJ / dx = mask ⊙ delta")],
    "activation": [("forward", "a = sigma ( x + b )"), ("backward", "dJ / dx = delta")],
    "softmax": [("forward", "a = Softmax ( z )"), ("backward", "dJ / dx = delta")],
    "residual": [
        ("forward", "z = F ( x ) + shortcut ( x ) , a = sigma ( z )"),
        ("backward", "dJ / dx = dJ / dx_F + dJ / dx_shortcut"),
    ],
}
"""Formulas of each kind of layer, with the title of their part."""
DELTA = "delta = dJ / da ⊙ sigma' ( z )"
LOSS = {
    "cross_entropy": "J = - sum_j y_j · ln a_j , delta = a - y",
    "mse": "J = 1 / 2 · sum_j ( a_j - y_j )^2 , delta = ( a - y ) ⊙ sigma' ( z )",
}


def mathml(text: str) -> str:
    """Return a formula as MathML.

    >>> mathml("delta_k = W^T")
    '<math><msub><mi>δ</mi><mi>k</mi></msub><mo>=</mo><msup><mi>W</mi><mi>T</mi></msup></math>'
    """
    content = "".join(word(part) for part in text.split())
    content = re.sub(
        rf"{re.escape(symbol('sqrt'))}<mo[^>]*>\(</mo>(.*?)<mo[^>]*>\)</mo>", r"<msqrt>\1</msqrt>", content
    )
    return f"<math>{content}</math>"


def word(text: str) -> str:
    """Return one word of a formula, with its index."""
    base, sign, index = re.match(r"(.[^_^]*)([_^]?)(.*)", text).groups()  # type: ignore[union-attr]
    core = symbol(LETTERS.get(base, base))
    if not sign:
        return core
    letters = indices(index)
    if base == "sum":
        return f"<munder>{core}{letters}</munder>"
    tag = "msub" if sign == "_" else "msup"
    return f"<{tag}>{core}{letters}</{tag}>"


def symbol(text: str) -> str:
    """Return a letter, number or operator."""
    if text in OPERATORS:
        stretchy = ' stretchy="false"' if text in "()[]|∑" else ""
        return f"<mo{stretchy}>{escape(text)}</mo>"
    if text.isdigit():
        return f"<mn>{text}</mn>"
    return f'<mi mathvariant="normal">{escape(text)}</mi>' if text in UPRIGHT else f"<mi>{escape(text)}</mi>"


def indices(text: str) -> str:
    """Return an index: its letters, or one upright word."""
    if text in UPRIGHT:
        return symbol(text)
    parts = [symbol(character) for character in text]
    return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"
