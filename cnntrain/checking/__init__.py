"""Proof that the backward pass is the derivative of the forward pass."""

from cnntrain.checking.check import gradcheck
from cnntrain.checking.faults import FAULTS

__all__ = ["FAULTS", "gradcheck"]
