"""The way into cnntrain: looking at data, and writing a config for them."""

from cnntrain.starting.begin import begin

__all__ = ["begin"]
