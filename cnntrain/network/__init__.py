"""Sequential networks: layers, their parameters in one vector, and what is minimized."""

from cnntrain.network.network import Network

__all__ = ["Network"]
