"""Proof that the backward pass is the derivative of the forward pass."""

from cnntrain.checking.faults import FAULTS
from cnntrain.checking.gradcheck import gradcheck

__all__ = ["FAULTS", "gradcheck"]
