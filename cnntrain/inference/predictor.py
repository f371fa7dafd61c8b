"""A trained network: it knows its classes and how pixels are prepared for it, and so can name what it sees."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from cnntrain.data.image_spec import ImageSpec
from cnntrain.data.pixels import BYTES, UNKNOWN, Images
from cnntrain.data.progress import NO_PROGRESS
from cnntrain.errors import ImageError, UsageError, WeightsError
from cnntrain.layers.softmax import Softmax
from cnntrain.network.network import Network
from cnntrain.parallel import one_blas_thread
from cnntrain.types import Array
from cnntrain.weights.weights import SavedNetwork, load_saved


def is_csv(saved: SavedNetwork) -> bool:
    """Whether a network was trained on a CSV file."""
    return saved.config.data is not None and saved.config.data.source == "csv"


def raise_error(error: ImageError) -> NoReturn:
    """What is done about an image that cannot be read unless a caller says otherwise."""
    raise error


class Predictor(Network):
    """A network with what its weights file says beside the weights.

    Attributes:
        classes: Name of each class, in the order of the outputs.
        preprocessing: What is done to pixels before the first layer sees them.
        scale: What the numbers of an array mean; bytes for weights that do not say it.
        gives_probabilities: Whether the network ends in softmax.
    """

    def __init__(self, saved: SavedNetwork):
        network = saved.network
        super().__init__(network.layers, network.objective, network.dtype, network.micro_batch_size)
        outputs = self.class_indices.size
        self.classes: Sequence[str] = saved.classes or tuple(map(str, range(outputs)))
        self.preprocessing = saved.preprocessing
        self.scale = BYTES if saved.preprocessing.scale == UNKNOWN else saved.preprocessing.scale
        self._label = getattr(saved.config.data, "label", None) if is_csv(saved) else None
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
        return self._answers(images)[0]

    def _answers(self, images: Images) -> tuple[Array, Array]:
        """Return outputs, and what the loss takes in their place: behind softmax the logits, which are never equal
        by rounding alone, so that they order the classes as judging does.
        """
        outputs, scores = np.empty((2, len(images), len(self.classes)), self.dtype)
        with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
            for part in self.micro_batches(len(images)):
                memory = self.memory(part.stop - part.start)
                self.preprocessing.columns(images[part], memory.x)
                y = self.infer_micro_batch(memory)
                scores[part] = y.reshape(-1, memory.n)[self.class_indices].T
                y = self.output_of_logits(memory, y)
                outputs[part] = y.reshape(-1, memory.n)[self.class_indices].T
        return outputs, scores

    def predict(self, images: Any, top: int = 1) -> list[dict[str, Any]]:
        """Return the class of each image, and how probable it is.

        Args:
            images: A path, an image of Pillow, a NumPy array, or several of these. A path is that of an image file or
                of a folder, which stands for all images in it and below, or of a CSV or npz file of images of the
                network's size, whose labels do not matter. An array is an image ``(H, W)``,
                ``(H, W, C)`` or ``(C, H, W)``, or a batch ``(N, H, W, C)`` or ``(N, C, H, W)``, for a gray network also
                ``(N, H, W)``, or rows of pixels ``(N, C * H * W)``. Its numbers mean what they meant in training:
                whole numbers in 0..255 or floats in 0..1, unless the network was trained on arrays of another range.
                Images of any size and mode are brought to the network's as they were in training; arrays that have
                its size already are used as they are.
            top: How many classes to tell, the most probable first.

        Returns:
            For each image ``{"file": path or None, "class": name, "probability": p}``, and ``"sample"``, counted from
            0, if it is from a CSV or npz file. With ``top`` above 1 there is
            also ``"top"``, a list of ``{"class": name, "probability": p}``. A network that does not end in softmax
            gives no probabilities: they are None, and ``"value"`` is the output of the class.

        Raises:
            PictureError: An image cannot be read.
            DataError: An array is no image, or its pixels are out of range.
        """
        return [entry for batch in self.predictions(images, top) for entry in batch]

    def predictions(
        self,
        images: Any,
        top: int = 1,
        on_error: Callable[[ImageError], None] = raise_error,
        on_note: Callable[[str], None] = NO_PROGRESS.note,
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield what ``predict`` returns in batches, holding only a few images at a time.

        Args:
            images: As for ``predict``; also an iterable without end.
            top: As for ``predict``.
            on_error: Called for an image that cannot be read; if it returns, the image is left out.
            on_note: Called with a sentence on what is left out of a folder.
        """
        from cnntrain.inference.prefetch import read_images  # imported late: without images there is no need of Pillow

        if top < 1:
            raise UsageError(f"top: expected at least 1, got {top}")
        whence: list[dict[str, Any]] = []
        batch: list[Images] = []
        spec = self._form()
        for name, pixels, sample in read_images(images, self.in_shape, spec, self.scale, on_note, self._label):
            if isinstance(pixels, ImageError):
                on_error(pixels)
                continue
            if batch and pixels.dtype != batch[0].dtype:
                yield self._entries(whence, batch, top)
                whence, batch = [], []
            whence.append({"file": name} | ({} if sample is None else {"sample": sample}))
            batch.append(pixels)
            if len(batch) == self.micro_batch_size:
                yield self._entries(whence, batch, top)
                whence, batch = [], []
        if batch:
            yield self._entries(whence, batch, top)

    def _form(self) -> ImageSpec | None:
        """What images are brought to; None if they cannot be, having 1 or 3 channels."""
        C, H, W = self.in_shape
        fit = self.preprocessing.fit
        return ImageSpec(C, H, W, fit) if fit else ImageSpec(C, H, W) if C in (1, 3) else None

    def _entries(self, whence: Sequence[dict[str, Any]], images: Sequence[Images], top: int) -> list[dict[str, Any]]:
        entries = []
        pixels: Any = np.stack(images)
        for source, y, scores in zip(whence, *self._answers(pixels), strict=True):
            told = [self._told(i, y) for i in np.argsort(-scores, kind="stable")[:top].tolist()]
            entries.append({**source, **told[0]} | ({"top": told} if top > 1 else {}))
        return entries

    def _told(self, i: int, y: Array) -> dict[str, Any]:
        if self.gives_probabilities:
            return {"class": self.classes[i], "probability": float(y[i])}
        return {"class": self.classes[i], "probability": None, "value": float(y[i])}


def load(run: str | Path) -> Predictor:
    """Return the network of a run, with its weights.

    Args:
        run: A run folder (its last weights are taken) or a ``.safetensors`` file.

    Raises:
        WeightsError: There are no weights, or they are malformed.
    """
    return Predictor(load_saved(run))
