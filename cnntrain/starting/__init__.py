"""The way into cnntrain: looking at data, and writing a config for them."""

from cnntrain.starting.first_config import begin

__all__ = ["begin"]
