"""Sequential networks: layers, their parameters in one vector, and the objective."""

from cnntrain.network.network import Network

__all__ = ["Network"]
