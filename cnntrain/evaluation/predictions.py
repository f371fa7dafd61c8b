"""Predictions of a network on a dataset: a few numbers per sample, whatever the number of classes."""

import numpy as np

from cnntrain.layers.softmax import Softmax
from cnntrain.network.network import Network
from cnntrain.ops.losses import softmax
from cnntrain.types import Array, Labels


class Predictions:
    """Predictions on ``count`` samples.

    Attributes:
        predicted: Class with the largest output, ``(N,)``; the first one in a tie.
        confidence: That output, ``(N,)``; with softmax it is a probability.
        rank: Number of classes ranked above the true one, ``(N,)``; 0 is correct.
        are_probabilities: Whether the network ends in softmax. Other outputs need not sum to 1.
    """

    def __init__(self, network: Network, count: int):
        self.predicted, self.rank = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.confidence = np.zeros(count, network.dtype)
        self.are_probabilities = isinstance(network.layers[-1], Softmax)
        self._are_logits = self.are_probabilities and network.training_stop < len(network.layers)
        self._output_of = network.class_indices
        self._classes = np.argsort(self._output_of)

    def add(self, part: slice, output: Array, labels: Labels) -> None:
        """Add the predictions on a micro-batch.

        Args:
            part: Indices of its samples.
            output: Input of the loss, ``(features, N)``: with softmax logits or probabilities.
            labels: True classes, ``(N,)``.
        """
        samples = np.arange(len(labels))
        winners, true = output.argmax(axis=0), self._output_of[labels]
        self.predicted[part] = self._classes[winners]
        # As in argmax, the first of equal outputs wins, and NaN ranks above everything.
        at_true, not_earlier = output[true, samples], np.arange(len(output))[:, np.newaxis] >= true
        self.rank[part] = len(output) - ((output < at_true) | ((output == at_true) & not_earlier)).sum(axis=0)
        if self._are_logits:
            probabilities = np.empty_like(output)
            softmax(output, probabilities)
            output = probabilities
        self.confidence[part] = output[winners, samples]
