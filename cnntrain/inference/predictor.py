"""A trained network in use: raw images in, class names and probabilities out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.backbones.backbone import Backbone
from cnntrain.data.image_spec import ImageSpec
from cnntrain.data.pixels import BYTES, UNKNOWN, Images
from cnntrain.data.progress import NO_PROGRESS
from cnntrain.errors import ImageError, UsageError, WeightsError
from cnntrain.inference.features import as_bytes, backbone_of, features_of
from cnntrain.layers.base import Layer
from cnntrain.layers.softmax import Softmax
from cnntrain.network.trace import Trace
from cnntrain.parallel import single_core
from cnntrain.types import Array, Labels, Shape
from cnntrain.weights.weights import SavedNetwork, load_saved


def is_csv(saved: SavedNetwork) -> bool:
    """Whether a network was trained on a CSV file."""
    return saved.config.data is not None and saved.config.data.source == "csv"


def raise_error(error: ImageError) -> NoReturn:
    """Raise ``error``: the default for an image that cannot be read."""
    raise error


class Predictor:
    """A trained network, with its classes and its preprocessing.

    Attributes:
        network: The network.
        classes: The name of each class, in the order of the outputs.
        preprocessing: How pixels are prepared for the first layer.
        scale: What the numbers of an array mean; bytes for weights that do not say it.
        gives_probabilities: Whether the network ends in softmax.
    """

    def __init__(self, saved: SavedNetwork):
        self.network = saved.network
        outputs = self.network.class_indices.size
        self.classes: Sequence[str] = saved.classes or tuple(map(str, range(outputs)))
        self.preprocessing = saved.preprocessing
        self.scale = BYTES if saved.preprocessing.scale == UNKNOWN else saved.preprocessing.scale
        self._saved = saved
        self._label = getattr(saved.config.data, "label", None) if is_csv(saved) else None
        self.gives_probabilities = isinstance(self.network.layers[-1], Softmax)
        if len(self.classes) != outputs:
            raise WeightsError(
                f"{saved.path}: the network ends in {outputs} values, but the file names {len(self.classes)} classes"
            )

    @property
    def in_shape(self) -> Shape:
        """``(C, H, W)`` of an image."""
        features = self.preprocessing.features
        return self.network.in_shape if features is None else features.image_shape

    @cached_property
    def backbone(self) -> Backbone | None:
        """The pretrained network that turns images into the features that the layers get; None if they get pixels.

        Raises:
            UsageError: A package is missing.
            DataError, WeightsError: The ONNX file is missing, or is not that of training.
        """
        return backbone_of(self._saved)

    @property
    def out_shape(self) -> Shape:
        """``(units,)``, or ``(K, OH, OW)`` for a network that ends in an image."""
        return self.network.out_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the parameters and of the outputs."""
        return self.network.dtype

    @property
    def layers(self) -> list[Layer[Any]]:
        """The network's layers, in the order of the forward pass."""
        return self.network.layers

    def parameters(self) -> dict[str, Array]:
        """Return copies of the trained parameters by name; see ``Network.parameters``."""
        return self.network.parameters()

    def set_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Replace the trained parameters; see ``Network.set_parameters``."""
        self.network.set_parameters(parameters)

    def forward(self, x: Array) -> Array:
        """Return the network's output for preprocessed images or features; see ``Network.forward``."""
        return self.network.forward(x)

    def loss_and_gradients(self, x: Array, y: Labels) -> tuple[float, dict[str, Array], Array | None]:
        """Return J, dJ/d parameters and dJ/dx of a preprocessed batch; see ``Network.loss_and_gradients``."""
        return self.network.loss_and_gradients(x, y)

    def trace(self, x: Array, y: Labels, dtype: DTypeLike | None = None) -> Trace:
        """Return z, a, delta, dW and db of every layer for a preprocessed batch; see ``Network.trace``."""
        return self.network.trace(x, y, dtype)

    def outputs(self, images: Images) -> Array:
        """Return the network's outputs for raw pixels: a row for each image, a column for each class.

        Shape:
            images ``(N, C, H, W)``, uint8 or float32 in 0..1 -> ``(N, classes)``
        """
        if self.backbone is not None:
            images = features_of(images, self.backbone)
        return self._outputs_and_scores(images)[0]

    def _outputs_and_scores(self, images: Images) -> tuple[Array, Array]:
        """Return the outputs for pixels or features, and the scores that rank the classes: with softmax the logits.

        Two probabilities may round to the same number where their logits differ; evaluation ranks by logits, too.
        """
        network = self.network
        outputs, scores = np.empty((2, len(images), len(self.classes)), network.dtype)
        with single_core(), np.errstate(over="ignore", invalid="ignore"):
            evaluation = network.evaluation()
            for part in network.micro_batches(len(images)):
                workspace = network.workspace(part.stop - part.start)
                self.preprocessing.columns(images[part], workspace.x)
                y = evaluation.logits(workspace)
                scores[part] = y.reshape(-1, workspace.n)[network.class_indices].T
                y = evaluation.output(workspace, y)
                outputs[part] = y.reshape(-1, workspace.n)[network.class_indices].T
        return outputs, scores

    def predict(self, images: Any, top: int = 1) -> list[dict[str, Any]]:
        """Classify images.

        Args:
            images: A path, a Pillow image, a NumPy array, or several of these. A path names an image file, a folder
                (all images in it and its subfolders), or a CSV or npz file of images of the network's size, whose
                labels are ignored. An array is one image ``(H, W)``, ``(H, W, C)`` or ``(C, H, W)``, or a batch
                ``(N, H, W, C)`` or ``(N, C, H, W)``, for a gray network also ``(N, H, W)``, or rows of pixels
                ``(N, C * H * W)``. Its numbers mean what they meant in training: integers in 0..255 or floats in
                0..1, unless the network was trained on arrays of another range. Images of any size and mode are
                brought to the network's as in training; arrays of its size are used as they are.
            top: The number of classes to return for each image, the most probable first.

        Returns:
            A dict for each image with ``file`` (path or None), ``class`` (its name) and ``probability``, and with
            ``sample``, counted from 0, if it is from a CSV or npz file. With ``top`` above 1 also ``top``, a list of
            dicts with ``class`` and ``probability``. The probability is None if the network does not end in softmax;
            ``value`` is then the output of the class.

        Raises:
            ImageError: An image cannot be read.
            DataError: An array is not an image, or its pixels are out of range.

        Examples:
            >>> import cnntrain
            >>> config = cnntrain.load_config("digits", ["training.Max=1", "training.workers=1"])
            >>> result = cnntrain.train(config, out="runs/example", plots=False)
            >>> images = np.zeros((2, 8, 8), np.uint8)
            >>> predictions = cnntrain.load("runs/example").predict(images, top=3)
            >>> len(predictions), [sorted(entry) for entry in predictions[0]["top"]]
            (2, [['class', 'probability'], ['class', 'probability'], ['class', 'probability']])
        """
        return [entry for batch in self.predictions(images, top) for entry in batch]

    def predictions(
        self,
        images: Any,
        top: int = 1,
        on_error: Callable[[ImageError], None] = raise_error,
        on_note: Callable[[str], None] = NO_PROGRESS.note,
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield what ``predict`` returns in batches; only a few images are in memory at a time.

        Args:
            images: As for ``predict``; also an infinite iterable.
            top: As for ``predict``.
            on_error: Called for an image that cannot be read; if it returns, the image is skipped.
            on_note: Called with a sentence on what is skipped in a folder.
        """
        from cnntrain.inference.prefetch import read_images  # imported late: only images need Pillow

        if top < 1:
            raise UsageError(f"top: expected at least 1, got {top}")
        sources: list[dict[str, Any]] = []
        batch: list[Images] = []
        backbone = self.backbone
        if backbone is not None:
            _ = backbone.runner  # created once, before threads share it
        stream = read_images(
            images,
            self.in_shape,
            self._image_spec(),
            self.scale,
            on_note,
            self._label,
            None if backbone is None else lambda image: backbone.features(as_bytes(image)),
        )
        for name, pixels, sample in stream:
            if isinstance(pixels, ImageError):
                on_error(pixels)
                continue
            if batch and pixels.dtype != batch[0].dtype:
                yield self._entries(sources, batch, top)
                sources, batch = [], []
            sources.append({"file": name} | ({} if sample is None else {"sample": sample}))
            batch.append(pixels)
            if len(batch) == self.network.micro_batch_size:
                yield self._entries(sources, batch, top)
                sources, batch = [], []
        if batch:
            yield self._entries(sources, batch, top)

    def _image_spec(self) -> ImageSpec | None:
        """Return the shape that images are brought to; None if the network's channels are not 1 or 3."""
        C, H, W = self.in_shape
        fit = self.preprocessing.fit
        return ImageSpec(C, H, W, fit) if fit else ImageSpec(C, H, W) if C in (1, 3) else None

    def _entries(self, sources: Sequence[dict[str, Any]], images: Sequence[Images], top: int) -> list[dict[str, Any]]:
        entries = []
        pixels: Any = np.stack(images)
        for source, y, scores in zip(sources, *self._outputs_and_scores(pixels), strict=True):
            ranked = [self._prediction(i, y) for i in np.argsort(-scores, kind="stable")[:top].tolist()]
            entries.append({**source, **ranked[0]} | ({"top": ranked} if top > 1 else {}))
        return entries

    def _prediction(self, i: int, y: Array) -> dict[str, Any]:
        if self.gives_probabilities:
            return {"class": self.classes[i], "probability": float(y[i])}
        return {"class": self.classes[i], "probability": None, "value": float(y[i])}


def load(run: str | PathLike[str]) -> Predictor:
    """Load a trained network.

    Args:
        run: A run folder (its last weights are loaded), what ``train`` returned, or a ``.safetensors`` file.

    Returns:
        The network with its classes and preprocessing.

    Raises:
        WeightsError: There are no weights, or they are malformed.

    Examples:
        >>> import cnntrain
        >>> config = cnntrain.load_config("digits", ["training.Max=2", "training.workers=1"])
        >>> result = cnntrain.train(config, out="runs/digits", plots=False)
        >>> model = cnntrain.load("runs/digits")
        >>> model.in_shape, model.classes[:3]
        ((1, 8, 8), ('0', '1', '2'))
        >>> [prediction] = model.predict(np.zeros((8, 8), np.uint8))
        >>> sorted(prediction)
        ['class', 'file', 'probability']
    """
    return Predictor(load_saved(Path(run)))
