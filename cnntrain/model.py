"""A trained network in use: it knows its classes, and how pixels are prepared for it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnntrain.data.pixels import Images
from cnntrain.errors import WeightsError
from cnntrain.layers.softmax import Softmax
from cnntrain.network import Network
from cnntrain.parallel import one_blas_thread
from cnntrain.types import Array
from cnntrain.weights import Saved, load_saved


class Model(Network):
    """A network with what its weights file says beside the weights.

    Attributes:
        classes: Name of each class, in the order of the outputs.
        preprocessing: What is done to pixels before the first layer sees them.
        gives_probabilities: Whether the network ends in softmax.
    """

    def __init__(self, saved: Saved):
        network = saved.network
        super().__init__(network.layers, network.objective, network.dtype, network.slice_size)
        outputs = self.class_places.size
        self.classes: Sequence[str] = saved.classes or tuple(map(str, range(outputs)))
        self.preprocessing = saved.preprocessing
        self.gives_probabilities = isinstance(self.layers[-1], Softmax)
        if len(self.classes) != outputs:
            raise WeightsError(
                f"{saved.path}: the network ends in {outputs} values, but the file names {len(self.classes)} classes"
            )

    def outputs(self, images: Images) -> Array:
        """Return what the network makes of pixels as they are in files: a row for each image, a column for each class.

        Shape:
            images ``(N, C, H, W)``, uint8 or float32 in 0..1 -> ``(N, classes)``
        """
        y = np.empty((len(images), len(self.classes)), self.dtype)
        with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
            for part in self.slices(len(images)):
                memory = self.memory(part.stop - part.start)
                self.preprocessing.columns(images[part], memory.x)
                y[part] = self.infer_slice(memory, self.layers).reshape(-1, memory.n)[self.class_places].T
        return y


def load(run: str | Path) -> Model:
    """Return the network of a run, with its weights.

    Args:
        run: A run folder (its last weights are taken) or a ``.safetensors`` file.

    Raises:
        WeightsError: There are no weights, or they are malformed.
    """
    return Model(load_saved(run))
