"""A trained network in use: pictures in, classes and probabilities out."""

from cnntrain.model.trained import Model, load

__all__ = ["Model", "load"]
