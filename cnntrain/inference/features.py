"""Features of images for a trained network, by the backbone that it was trained with."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.backbones.backbone import Backbone, reopen_backbone
from cnntrain.backbones.spec import BACKBONE_FILE, BACKBONES
from cnntrain.data.pixels import Images
from cnntrain.errors import DataError, WeightsError
from cnntrain.parallel import available_cores
from cnntrain.weights.weights import SavedNetwork


def backbone_of(saved: SavedNetwork) -> Backbone | None:
    """Return the backbone of a trained network, None if its layers get pixels.

    A backbone known by name comes from its package. An ONNX file comes from the run folder, which has a copy, else from
    the path in the config.

    Raises:
        UsageError: A package is missing.
        DataError: The file is missing or malformed.
        WeightsError: It is not the file that the network was trained with.
    """
    spec = saved.preprocessing.features
    if spec is None:
        return None
    options: Any = getattr(saved.config.data, "features", None)
    if spec.backbone in BACKBONES:
        return reopen_backbone(spec.backbone, spec)
    copy = saved.path.parent / BACKBONE_FILE
    places = [copy] if os.path.lexists(copy) else []
    if options is not None and options.backbone not in BACKBONES:
        places.append(Path(options.backbone))
    if not places:
        raise WeightsError(f"{saved.path}: the weights need features of {spec.backbone}, and no {copy} exists")
    for place in places[:-1]:
        try:
            return reopen_backbone(str(place), spec)
        except (DataError, WeightsError):
            continue
    return reopen_backbone(str(places[-1]), spec)


def as_bytes(image: Images) -> NDArray[np.uint8]:
    """Return an image as uint8, which backbones take."""
    pixels: Any = image if image.dtype == np.uint8 else np.rint(image * 255).astype(np.uint8)
    result: NDArray[np.uint8] = np.ascontiguousarray(pixels)
    return result


def features_of(images: Images, backbone: Backbone) -> NDArray[np.float32]:
    """Return the features ``(N, F, 1, 1)`` of images ``(N, C, H, W)``, computed on all cores."""
    _ = backbone.runner  # created once, before threads share it
    with ThreadPoolExecutor(available_cores()) as pool:
        return np.stack(list(pool.map(lambda image: backbone.features(as_bytes(image)), images)))
