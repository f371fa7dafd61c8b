"""Inference with a trained network: images in, classes and probabilities out."""
