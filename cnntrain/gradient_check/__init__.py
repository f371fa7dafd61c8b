"""Proof that the backward pass is the derivative of the forward pass."""
