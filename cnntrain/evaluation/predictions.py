"""What a network said of each sample of a data set: a few numbers a sample, however many classes there are."""

import numpy as np

from cnntrain.layers.softmax import Softmax
from cnntrain.network.network import Network
from cnntrain.ops.losses import softmax
from cnntrain.types import Array, Labels


class Predictions:
    """The network's answers to ``count`` samples.

    Attributes:
        predicted: The class with the greatest output, ``(N,)``; the first of them in a tie.
        confidence: That output, ``(N,)``: behind softmax the probability.
        rank: How many classes the network puts before the true one, ``(N,)``; 0 is right.
        are_probabilities: Whether the network ends in softmax. Other outputs need not add up to 1.
    """

    def __init__(self, network: Network, count: int):
        self.predicted, self.rank = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.confidence = np.zeros(count, network.dtype)
        self.are_probabilities = isinstance(network.layers[-1], Softmax)
        self._are_logits = self.are_probabilities and network.training_stop < len(network.layers)
        self._places = network.class_indices
        self._classes = np.argsort(self._places)

    def note(self, part: slice, output: Array, labels: Labels) -> None:
        """Note the answers to a slice.

        Args:
            part: Which samples they are.
            output: What the loss takes, ``(features, N)``: behind softmax the logits, or the probabilities.
            labels: The true classes, ``(N,)``.
        """
        samples = np.arange(len(labels))
        winner, true = output.argmax(axis=0), self._places[labels]
        self.predicted[part] = self._classes[winner]
        # As for argmax, the first of equal outputs comes first; NaN comes before everything.
        at_true, not_earlier = output[true, samples], np.arange(len(output))[:, np.newaxis] >= true
        self.rank[part] = len(output) - ((output < at_true) | ((output == at_true) & not_earlier)).sum(axis=0)
        if self._are_logits:
            probabilities = np.empty_like(output)
            softmax(output, probabilities)
            output = probabilities
        self.confidence[part] = output[winner, samples]
